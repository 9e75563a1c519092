// Sound that is augmented stays the sound it was: level, speed, noise and masks within their limits, the source untouched.
import { expect, test } from 'vitest';
import { random } from '../../../base/random.ts';
import { augmentSound, maskMel, mildSound } from './sound.ts';
import type { SoundAugmentation } from './sound.ts';

const none: SoundAugmentation = {
  gainDb: 0,
  speed: 0,
  noise: 0,
  noiseRatioDb: [20, 20],
  timeMasks: 0,
  timeMaskFrames: 0,
  melMasks: 0,
  melMaskBins: 0,
};
const tone = Float32Array.from({ length: 16000 }, (_, i) => 0.3 * Math.sin((2 * Math.PI * 200 * i) / 16000));
const power = (x: Float32Array): number => x.reduce((sum, value) => sum + value * value, 0) / x.length;
/** Zero crossings a sample: twice the frequency. */
const crossings = (x: Float32Array): number =>
  x.reduce((n, value, i) => n + (i > 0 && value >= 0 !== x[i - 1]! >= 0 ? 1 : 0), 0) / x.length;

test('no augmentation gives the span itself, and the source is never changed', () => {
  const before = tone.slice();
  expect(augmentSound(tone, [100, 5000], none, random(1))).toEqual(tone.slice(100, 5000));
  for (let seed = 0; seed < 5; seed++) augmentSound(tone, [0, 16000], mildSound, random(seed));
  expect(tone).toEqual(before);
});

test('level, speed and noise stay within their limits and differ from draw to draw', () => {
  const levels = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const louder = augmentSound(tone, [0, 8000], { ...none, gainDb: 6 }, random(seed));
    const db = 10 * Math.log10(power(louder) / power(tone));
    expect(Math.abs(db)).toBeLessThan(6.1);
    levels.add(Math.round(db * 100));
    const faster = augmentSound(tone, [0, 8000], { ...none, speed: 0.1 }, random(seed));
    const ratio = crossings(faster) / crossings(tone);
    expect(Math.abs(Math.log(ratio))).toBeLessThan(0.11);
    // Faster speech reads on behind the span; slower speech is longer than the span.
    expect(faster.length).toBeGreaterThanOrEqual(7999);
    const noisy = augmentSound(tone, [0, 8000], { ...none, noise: 1 }, random(seed));
    const noise = noisy.map((x, i) => x - tone[i]!);
    expect(10 * Math.log10(power(tone) / power(noise))).toBeCloseTo(20, 0);
  }
  expect(levels.size).toBeGreaterThan(15);
});

test('faster speech at the very end is shorter, and nothing stays nothing', () => {
  for (let seed = 0; seed < 10; seed++) {
    const end = augmentSound(tone, [12000, 16000], { ...none, speed: 0.2 }, random(seed));
    expect(end.every(Number.isFinite)).toBe(true);
    expect(Math.abs(Math.log(end.length / 4000))).toBeLessThan(0.201);
  }
  expect(augmentSound(new Float32Array(0), [0, 0], mildSound, random(1))).toHaveLength(0);
  const silence = augmentSound(new Float32Array(2000), [0, 2000], { ...mildSound, noise: 1 }, random(1));
  expect(silence.every((x) => x === 0)).toBe(true);
});

test('masks are whole rows and columns, of at most their widths', () => {
  const [frames, bins] = [256, 128];
  let rows = 0;
  let columns = 0;
  for (let seed = 0; seed < 20; seed++) {
    const mel = new Float32Array(frames * bins).fill(1);
    maskMel(mel, bins, mildSound, random(seed));
    const masked = (f: number, m: number): boolean => mel[f * bins + m] === 0;
    const fullRows = Array.from({ length: frames }, (_, f) => f).filter((f) =>
      Array.from({ length: bins }, (_, m) => m).every((m) => masked(f, m)),
    ).length;
    const fullColumns = Array.from({ length: bins }, (_, m) => m).filter((m) =>
      Array.from({ length: frames }, (_, f) => f).every((f) => masked(f, m)),
    ).length;
    expect(fullRows).toBeLessThanOrEqual(48);
    expect(fullColumns).toBeLessThanOrEqual(24);
    const zeros = mel.filter((x) => x === 0).length;
    expect(zeros).toBe(fullRows * bins + fullColumns * frames - fullRows * fullColumns);
    rows += fullRows;
    columns += fullColumns;
  }
  expect(rows).toBeGreaterThan(100);
  expect(columns).toBeGreaterThan(50);
});
