// Pre-training's multi-scale crop: a window of one of ten sizes at one of thirteen places, the same for all frames.
import type { Random } from '../../../base/random.ts';
import { resizeBilinear } from '../../../clip/frames.ts';
import type { Window } from './resized-crop.ts';

const scales = [1, 0.875, 0.75, 0.66] as const;

/** Windows' widths and heights for a picture of that side: those of neighboring scales. */
export function sizePairs(sidePx: number): readonly (readonly [width: number, height: number])[] {
  const sizes = scales.map((scale) => {
    const size = Math.trunc(sidePx * scale);
    return Math.abs(size - sidePx) < 3 ? sidePx : size;
  });
  return sizes.flatMap((height, i) =>
    sizes.flatMap((width, j) => (Math.abs(i - j) <= 1 ? [[width, height] as const] : [])),
  );
}

/** Where a window may lie: corners, middle, middles of the edges, quarter points; (left, top) in pixels. */
export function windowOffsets(
  sidePx: number,
  width: number,
  height: number,
): readonly (readonly [left: number, top: number])[] {
  const x = Math.floor((sidePx - width) / 4);
  const y = Math.floor((sidePx - height) / 4);
  const quarters = [
    [0, 0],
    [4, 0],
    [0, 4],
    [4, 4],
    [2, 2],
    [0, 2],
    [4, 2],
    [2, 4],
    [2, 0],
    [1, 1],
    [3, 1],
    [1, 3],
    [3, 3],
  ] as const;
  return quarters.map(([i, j]) => [i * x, j * y]);
}

/** Draws a size, then a place. */
export function drawMultiScaleWindow(stream: Random, sidePx: number): Window {
  const pairs = sizePairs(sidePx);
  const [width, height] = pairs[stream.integer(pairs.length)]!;
  const offsets = windowOffsets(sidePx, width, height);
  const [left, top] = offsets[stream.integer(offsets.length)]!;
  return { top, left, height, width };
}

/**
 * A window of a picture at the picture's own size (Pillow's antialiased bilinear).
 * @param picture RGB, 0..255; shape [sidePx, sidePx, 3]
 */
export function cropPicture(
  picture: Uint8ClampedArray,
  sidePx: number,
  { top, left, height, width }: Window,
): Uint8ClampedArray {
  if (height === sidePx && width === sidePx) return picture;
  const part = new Uint8ClampedArray(height * width * 3);
  for (let y = 0; y < height; y++) {
    const begin = ((top + y) * sidePx + left) * 3;
    part.set(picture.subarray(begin, begin + width * 3), y * width * 3);
  }
  return resizeBilinear(part, width, height, sidePx, sidePx);
}
