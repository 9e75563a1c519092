// What the golden fixture does not say of augmentation: draws and their shares, all frames alike, ranges, other sides.
import { describe, expect, test } from 'vitest';
import { random } from '../../../base/random.ts';
import type { Random } from '../../../base/random.ts';
import { beta, roundHalfEven } from './draw.ts';
import { drawBox, erase } from './erasing.ts';
import { cutmixBox, drawMixing, mixFrames, mixingPartners } from './mixup.ts';
import { cropPicture, drawMultiScaleWindow, sizePairs, windowOffsets } from './multi-scale-crop.ts';
import { pictures } from './pictures.ts';
import { applyOperation, drawOperations, levelArgument, operators } from './rand-augment.ts';
import { cropAndResize, drawWindow } from './resized-crop.ts';

function noise(length: number, stream: Random): Uint8ClampedArray {
  return new Uint8ClampedArray(length).map(() => stream.integer(256));
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('draws', () => {
  test('Beta(10, 10) and Beta(0.8, 0.8) have their means and deviations', () => {
    for (const a of [10, 0.8, 1]) {
      const stream = random(11);
      const values = Array.from({ length: 20000 }, () => beta(stream, a, a));
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...values)).toBeLessThanOrEqual(1);
      expect(mean(values)).toBeCloseTo(0.5, 1.7);
      // Variance of Beta(a, a): 1 / (4 (2a + 1)).
      const variance = mean(values.map((x) => (x - 0.5) ** 2));
      expect(variance * 4 * (2 * a + 1)).toBeCloseTo(1, 1);
    }
  });

  test('halves round to even', () => {
    expect([0.5, 1.5, 2.5, 2.4, 2.6, -1.5].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3, -2]);
  });
});

describe('RandAugment', () => {
  test('draws four of fifteen operators, each kept half the time, at levels about 7', () => {
    const stream = random(5);
    const drawn = Array.from({ length: 3000 }, () => drawOperations(stream));
    expect(Math.max(...drawn.map((operations) => operations.length))).toBe(4);
    expect(mean(drawn.map((operations) => operations.length))).toBeCloseTo(2, 1);
    const counts = new Map<string, number>();
    for (const { operator } of drawn.flat()) counts.set(operator, (counts.get(operator) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([...operators].sort());
    for (const count of counts.values()) expect(Math.abs(count - 400)).toBeLessThan(100);
    const degrees = drawn.flat().flatMap((o) => (o.operator === 'Rotate' ? [o.argument ?? NaN] : []));
    expect(mean(degrees.map((x) => Math.abs(x) / 3))).toBeCloseTo(7, 0);
    expect(Math.abs(mean(degrees.map(Math.sign)))).toBeLessThan(0.2);
    expect(drawOperations(random(9))).toEqual(drawOperations(random(9)));
  });

  test('changes every frame as it would change it alone, at any side', () => {
    const stream = random(3);
    const [side, count] = [48, 3];
    const size = side * side * 3;
    for (const operator of operators) {
      const operation = { operator, argument: levelArgument(operator, 7, 0.4) };
      const data = noise(size * count, stream).map((x) => 40 + (x >> 1));
      const alone = Array.from({ length: count }, (_, t) => data.slice(t * size, (t + 1) * size));
      applyOperation(pictures(data, side, side), operation);
      alone.forEach((frame, t) => {
        const before = frame.slice();
        applyOperation(pictures(frame, side, side), operation);
        expect(data.slice(t * size, (t + 1) * size), operator).toEqual(frame);
        expect(frame, operator).not.toEqual(before);
      });
    }
  });

  test('a flat picture stays flat, and equalize and autocontrast leave it', () => {
    for (const operator of operators) {
      const frame = new Uint8ClampedArray(20 * 20 * 3).fill(128);
      applyOperation(pictures(frame, 20, 20), { operator, argument: levelArgument(operator, 7, 0.6) });
      expect(new Set(frame).size, operator).toBe(1);
      if (operator === 'Equalize' || operator === 'AutoContrast') expect(frame[0]).toBe(128);
    }
  });

  test('a picture without an inside is not sharpened', () => {
    const frame = noise(2 * 2 * 3, random(1));
    const before = frame.slice();
    applyOperation(pictures(frame, 2, 2), { operator: 'SharpnessIncreasing', argument: 1.6 });
    expect(frame).toEqual(before);
  });

  test('refuses bytes that are no pictures', () => {
    expect(() => pictures(new Uint8ClampedArray(10), 2, 2)).toThrow('internal:');
  });
});

describe('crops', () => {
  test('windows fit the picture and cover 8 to 100 % of it', () => {
    const stream = random(8);
    for (const side of [48, 160]) {
      for (let i = 0; i < 500; i++) {
        const { top, left, height, width } = drawWindow(stream, side);
        expect(top >= 0 && left >= 0 && top + height <= side && left + width <= side).toBe(true);
        expect(height * width).toBeGreaterThan(0.07 * side * side);
        expect(width / height).toBeGreaterThan(0.7);
        expect(width / height).toBeLessThan(1.42);
      }
    }
  });

  test('draws that never fit give the whole picture', () => {
    const stream = { ...random(0), uniform: () => 0.999999 };
    expect(drawWindow(stream, 160)).toEqual({ top: 0, left: 0, height: 160, width: 160 });
  });

  test('the whole picture is unchanged, mirrored when asked', () => {
    const frames = Float32Array.from({ length: 2 * 4 * 4 * 3 }, (_, i) => i);
    const whole = { top: 0, left: 0, height: 4, width: 4 };
    expect(cropAndResize(frames, 4, whole, false)).toEqual(frames);
    const mirrored = cropAndResize(frames, 4, whole, true);
    for (let line = 0; line < 8; line++)
      for (let x = 0; x < 4; x++)
        for (let c = 0; c < 3; c++)
          expect(mirrored[line * 12 + x * 3 + c]).toBe(frames[line * 12 + (3 - x) * 3 + c]);
  });

  test('a window of one row and column fills the frame with it', () => {
    const frames = Float32Array.from({ length: 4 * 4 * 3 }, (_, i) => i);
    const one = cropAndResize(frames, 4, { top: 2, left: 1, height: 1, width: 1 }, false);
    for (let i = 0; i < one.length; i++) expect(one[i]).toBe(frames[(2 * 4 + 1) * 3 + (i % 3)]);
  });

  test('multi-scale windows fit at any side', () => {
    for (const side of [48, 96, 160]) {
      expect(sizePairs(side)).toHaveLength(10);
      for (const [width, height] of sizePairs(side))
        for (const [left, top] of windowOffsets(side, width, height)) {
          expect(left + width <= side && top + height <= side).toBe(true);
        }
    }
    const stream = random(2);
    const picture = noise(48 * 48 * 3, stream);
    const seen = new Set<string>();
    for (let i = 0; i < 400; i++) {
      const window = drawMultiScaleWindow(stream, 48);
      seen.add(`${String(window.width)}x${String(window.height)}`);
      if (i < 5) expect(cropPicture(picture, 48, window)).toHaveLength(picture.length);
    }
    expect(seen.size).toBe(10);
    expect(cropPicture(picture, 48, { top: 0, left: 0, height: 48, width: 48 })).toEqual(picture);
  });
});

describe('random erasing', () => {
  test('erases a quarter of the clips, 2 to 33 % of the area', () => {
    const stream = random(4);
    const boxes = Array.from({ length: 4000 }, () => drawBox(stream, 160));
    const drawn = boxes.filter((box) => box !== null);
    expect(drawn.length / boxes.length).toBeCloseTo(0.25, 1.5);
    for (const { top, left, height, width } of drawn) {
      expect(top + height <= 160 && left + width <= 160 && top >= 0 && left >= 0).toBe(true);
      expect((height * width) / 25600).toBeGreaterThan(0.018);
      expect((height * width) / 25600).toBeLessThan(0.345);
    }
  });

  test('fills the same box of every frame with normal noise, and nothing else', () => {
    const [side, count] = [32, 4];
    const frames = new Float32Array(count * side * side * 3).fill(7);
    erase(frames, side, { top: 5, left: 3, height: 20, width: 10 }, random(6));
    const erased: number[] = [];
    frames.forEach((value, i) => {
      const x = Math.floor(i / 3) % side;
      const y = Math.floor(i / 3 / side) % side;
      const inside = x >= 3 && x < 13 && y >= 5 && y < 25;
      if (inside) erased.push(value);
      else expect(value).toBe(7);
    });
    expect(erased).toHaveLength(count * 600);
    expect(new Set(erased).size).toBeGreaterThan(erased.length * 0.99);
    expect(Math.abs(mean(erased))).toBeLessThan(0.1);
    expect(mean(erased.map((x) => x * x))).toBeCloseTo(1, 0.9);
  });
});

describe('mixup and cutmix', () => {
  const clipsOf = (values: readonly number[], side: number): Float32Array[] =>
    values.map((value) => new Float32Array(2 * side * side * 3).fill(value));

  test('are drawn evenly, and cutmix tells the share that stays', () => {
    const stream = random(7);
    const drawn = Array.from({ length: 1000 }, () => drawMixing(stream, 48));
    const cut = drawn.filter(({ box }) => box !== null);
    expect(cut.length / drawn.length).toBeCloseTo(0.5, 1);
    for (const { lambda, box } of drawn) {
      expect(lambda >= 0 && lambda <= 1).toBe(true);
      if (box) expect(lambda).toBeCloseTo(1 - (box.height * box.width) / 48 ** 2, 12);
    }
    expect(cutmixBox(0, 24, 24, 48)).toEqual({
      lambda: 0,
      box: { top: 0, left: 0, height: 48, width: 48 },
    });
    expect(cutmixBox(1, 24, 24, 48).lambda).toBe(1);
  });

  test('mix a batch with itself reversed; the middle of an odd batch stays', () => {
    expect(mixingPartners(3)).toEqual([2, 1, 0]);
    const mixed = clipsOf([0, 1, 4], 8);
    mixFrames(mixed, 8, { lambda: 0.75, box: null });
    expect(mixed.map((clip) => clip[5])).toEqual([1, 1, 3]);
    const cut = clipsOf([0, 1, 4], 8);
    mixFrames(cut, 8, { lambda: 0.5, box: { top: 2, left: 1, height: 4, width: 2 } });
    const at = (clip: Float32Array, y: number, x: number): number => clip[(64 + y * 8 + x) * 3 + 1]!;
    expect(cut.map((clip) => at(clip, 2, 1))).toEqual([4, 1, 0]);
    expect(cut.map((clip) => at(clip, 5, 2))).toEqual([4, 1, 0]);
    expect(cut.map((clip) => at(clip, 2, 3))).toEqual([0, 1, 4]);
    expect(cut.map((clip) => at(clip, 6, 1))).toEqual([0, 1, 4]);
  });
});
