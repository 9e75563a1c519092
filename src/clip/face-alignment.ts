// The one way from a picture and a face's points to the model's crop: used by the live path and for training data alike.
import { assert } from '../base/assert.ts';
import type { FacePoints, Point } from './face.ts';

/** Interleaved pixels, 0..255; shape [height, width, channels]. One channel is gray, a fourth is ignored. */
export interface Picture {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

/**
 * Where eyes and mouth lie in a crop, in fractions of its side: as in FER2013's 48 x 48 faces, whose mean image
 * (FER+ valid, 1,623 clearly neutral or happy faces) has its eyes and mouth here. A picture that is such a crop
 * already needs no detection: `alignFace(picture, canonicalPoints, cropPx)` then only resizes it.
 */
export const canonicalPoints: FacePoints = {
  rightEye: { x: 0.31, y: 0.375 },
  leftEye: { x: 0.69, y: 0.375 },
  mouth: { x: 0.5, y: 0.775 },
};

/** A similarity in pixels: x' = a x - b y + tx, y' = b x + a y + ty. */
export interface Similarity {
  readonly a: number;
  readonly b: number;
  readonly tx: number;
  readonly ty: number;
}

/** Most samples along one axis of a crop pixel: bounds the work for a very close face. */
const maxSamplesPerAxis = 12;

/** Picture pixels for each of the points that alignment uses. */
function inPixels(points: FacePoints, width: number, height: number): Point[] {
  return [points.rightEye, points.leftEye, points.mouth].map(({ x, y }) => ({ x: x * width, y: y * height }));
}

function center(points: readonly Point[]): Point {
  const sum = points.reduce((s, p) => ({ x: s.x + p.x, y: s.y + p.y }), { x: 0, y: 0 });
  return { x: sum.x / points.length, y: sum.y / points.length };
}

/**
 * The least-squares rotation, scale and translation (Umeyama 1991, without reflection) that takes the face's points
 * to their canonical places.
 * @param points in fractions of the picture
 * @returns from picture pixels to crop pixels, pixel centers at .5; points that all coincide are only centered
 */
export function alignment(points: FacePoints, width: number, height: number, cropPx: number): Similarity {
  const from = inPixels(points, width, height);
  const to = inPixels(canonicalPoints, cropPx, cropPx);
  const fromCenter = center(from);
  const toCenter = center(to);
  let spread = 0;
  let dot = 0;
  let cross = 0;
  from.forEach((p, i) => {
    const q = to[i] ?? toCenter;
    const px = p.x - fromCenter.x;
    const py = p.y - fromCenter.y;
    const qx = q.x - toCenter.x;
    const qy = q.y - toCenter.y;
    spread += px * px + py * py;
    dot += px * qx + py * qy;
    cross += px * qy - py * qx;
  });
  let a = dot / spread;
  let b = cross / spread;
  if (!(spread >= 1) || !(a * a + b * b > 1e-12)) [a, b] = [1, 0];
  return {
    a,
    b,
    tx: toCenter.x - (a * fromCenter.x - b * fromCenter.y),
    ty: toCenter.y - (b * fromCenter.x + a * fromCenter.y),
  };
}

/**
 * The aligned face crop. Each crop pixel is the mean of k x k bilinear samples, k = picture pixels per crop pixel rounded
 * up (at most 12), so that shrinking does not alias. Outside the picture its edge is repeated.
 * @param points in fractions of the picture
 * @param cropPx side of the square crop
 * @returns RGB, 0..255; shape [cropPx, cropPx, 3]
 */
export function alignFace(picture: Picture, points: FacePoints, cropPx: number): Uint8ClampedArray {
  const { data, width, height, channels } = picture;
  assert(
    width > 0 && height > 0 && data.length === width * height * channels,
    `a picture of ${String(width)} x ${String(height)} x ${String(channels)} has ${String(data.length)} bytes`,
  );
  const { a, b, tx, ty } = alignment(points, width, height, cropPx);
  const squared = a * a + b * b;
  const pixelsPerCropPixel = 1 / Math.sqrt(squared);
  const k = Math.min(maxSamplesPerAxis, Math.max(1, Math.ceil(pixelsPerCropPixel - 1e-6)));
  // The inverse similarity: picture = (c, -d; d, c) applied to (crop - t), with c + id = 1 / (a + ib).
  const c = a / squared;
  const d = -b / squared;
  const green = channels === 1 ? 0 : 1;
  const blue = channels === 1 ? 0 : 2;
  const crop = new Uint8ClampedArray(cropPx * cropPx * 3);
  const maxX = width - 1;
  const maxY = height - 1;
  let out = 0;
  for (let v = 0; v < cropPx; v++) {
    for (let u = 0; u < cropPx; u++) {
      let r = 0;
      let g = 0;
      let bl = 0;
      for (let j = 0; j < k; j++) {
        const cy = v + (j + 0.5) / k - ty;
        for (let i = 0; i < k; i++) {
          const cx = u + (i + 0.5) / k - tx;
          const x = Math.min(maxX, Math.max(0, c * cx - d * cy - 0.5));
          const y = Math.min(maxY, Math.max(0, d * cx + c * cy - 0.5));
          const x0 = Math.floor(x);
          const y0 = Math.floor(y);
          const fx = x - x0;
          const fy = y - y0;
          const p00 = (y0 * width + x0) * channels;
          const p01 = x0 < maxX ? p00 + channels : p00;
          const down = y0 < maxY ? width * channels : 0;
          const p10 = p00 + down;
          const p11 = p01 + down;
          const w00 = (1 - fx) * (1 - fy);
          const w01 = fx * (1 - fy);
          const w10 = (1 - fx) * fy;
          const w11 = fx * fy;
          r += w00 * data[p00]! + w01 * data[p01]! + w10 * data[p10]! + w11 * data[p11]!;
          if (channels === 1) continue;
          g +=
            w00 * data[p00 + green]! +
            w01 * data[p01 + green]! +
            w10 * data[p10 + green]! +
            w11 * data[p11 + green]!;
          bl +=
            w00 * data[p00 + blue]! +
            w01 * data[p01 + blue]! +
            w10 * data[p10 + blue]! +
            w11 * data[p11 + blue]!;
        }
      }
      const n = k * k;
      crop[out++] = r / n;
      crop[out++] = (channels === 1 ? r : g) / n;
      crop[out++] = (channels === 1 ? r : bl) / n;
    }
  }
  return crop;
}
