import { describe, expect, test } from 'vitest';
import type { FacePoints, Point } from './face.ts';
import { alignFace, alignment, canonicalPoints } from './face-alignment.ts';
import type { Picture } from './face-alignment.ts';
import { random } from '../base/random.ts';

function noise(width: number, height: number, channels: 1 | 3 | 4): Picture {
  const stream = random(7);
  const data = Uint8Array.from({ length: width * height * channels }, () => stream.integer(256));
  return { data, width, height, channels };
}

/** A picture of a smooth ramp: red rises with x, green with y, so a pixel tells where it came from. */
function ramp(size: number): Picture {
  const data = new Uint8ClampedArray(size * size * 4);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = (y * size + x) * 4;
      data[at] = (255 * (x + 0.5)) / size;
      data[at + 1] = (255 * (y + 0.5)) / size;
      data[at + 3] = 255;
    }
  }
  return { data, width: size, height: size, channels: 4 };
}

/** The canonical face, turned by `angle`, scaled and moved, in fractions of a square picture. */
function placed(angle: number, scale: number, x: number, y: number): FacePoints {
  const place = (p: Point): Point => ({
    x: x + scale * (p.x * Math.cos(angle) - p.y * Math.sin(angle)),
    y: y + scale * (p.x * Math.sin(angle) + p.y * Math.cos(angle)),
  });
  return {
    rightEye: place(canonicalPoints.rightEye),
    leftEye: place(canonicalPoints.leftEye),
    mouth: place(canonicalPoints.mouth),
  };
}

describe('alignFace', () => {
  test('leaves a crop as it is when it is one already', () => {
    const picture = noise(48, 48, 3);
    expect(Array.from(alignFace(picture, canonicalPoints, 48))).toEqual(Array.from(picture.data));
  });

  test('gives gray pictures three equal channels', () => {
    const picture = noise(48, 48, 1);
    const crop = alignFace(picture, canonicalPoints, 48);
    expect(Array.from(crop.filter((_, i) => i % 3 === 0))).toEqual(Array.from(picture.data));
    expect(Array.from(crop.filter((_, i) => i % 3 === 2))).toEqual(Array.from(picture.data));
  });

  test('brings a turned, small, shifted face upright: each crop pixel comes from where it should', () => {
    const size = 400;
    const [angle, scale, x0, y0] = [0.4, 0.45, 0.4, 0.2];
    const cropPx = 64;
    const crop = alignFace(ramp(size), placed(angle, scale, x0, y0), cropPx);
    for (const [u, v] of [
      [0, 0],
      [63, 0],
      [20, 24],
      [44, 24],
      [32, 49],
      [63, 63],
    ] as const) {
      const [cu, cv] = [(u + 0.5) / cropPx, (v + 0.5) / cropPx];
      const x = x0 + scale * (cu * Math.cos(angle) - cv * Math.sin(angle));
      const y = y0 + scale * (cu * Math.sin(angle) + cv * Math.cos(angle));
      const at = (v * cropPx + u) * 3;
      expect(Math.abs(crop[at]! - 255 * x)).toBeLessThan(1.5);
      expect(Math.abs(crop[at + 1]! - 255 * y)).toBeLessThan(1.5);
    }
  });

  test('shrinks without aliasing: fine stripes become their mean', () => {
    const size = 480;
    const data = Uint8Array.from({ length: size * size }, (_, i) => (i % 2 === 0 ? 0 : 200));
    const crop = alignFace({ data, width: size, height: size, channels: 1 }, canonicalPoints, 48);
    expect(Math.min(...crop)).toBeGreaterThan(95);
    expect(Math.max(...crop)).toBeLessThan(105);
  });

  test('repeats the edge outside the picture', () => {
    const data = new Uint8Array(20 * 20).fill(90);
    const crop = alignFace({ data, width: 20, height: 20, channels: 1 }, placed(0, 1, 0.7, -0.5), 32);
    expect(new Set(crop)).toEqual(new Set([90]));
  });

  test('fits three points that no similarity can match by least squares', () => {
    const points: FacePoints = { ...canonicalPoints, mouth: { x: 0.56, y: 0.8 } };
    const { a, b, tx, ty } = alignment(points, 100, 100, 100);
    const error = (dx: number, ds: number): number =>
      (['rightEye', 'leftEye', 'mouth'] as const).reduce((sum, name) => {
        const p = points[name];
        const q = canonicalPoints[name];
        const x = (a + ds) * p.x * 100 - b * p.y * 100 + tx + dx;
        const y = b * p.x * 100 + (a + ds) * p.y * 100 + ty;
        return sum + (x - q.x * 100) ** 2 + (y - q.y * 100) ** 2;
      }, 0);
    for (const [dx, ds] of [
      [0.1, 0],
      [-0.1, 0],
      [0, 0.002],
      [0, -0.002],
    ] as const) {
      expect(error(dx, ds)).toBeGreaterThan(error(0, 0));
    }
  });

  test('survives points that coincide', () => {
    const p = { x: 0.5, y: 0.5 };
    const crop = alignFace(noise(30, 20, 3), { rightEye: p, leftEye: p, mouth: p }, 16);
    expect(crop.length).toBe(16 * 16 * 3);
  });
});
