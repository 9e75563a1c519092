// The official random resized crop: one window for all frames, brought to the crop's side without antialiasing, mirrored.
import { assert } from '../../../base/assert.ts';
import type { Random } from '../../../base/random.ts';
import { between, roundHalfEven } from './draw.ts';

/** A part of a picture in pixels. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** How the window is drawn: its share of the area, and its width over its height, evenly in the logarithm. */
export interface ResizedCrop {
  readonly area: readonly [least: number, most: number];
  readonly aspect: readonly [least: number, most: number];
}

export const officialResizedCrop: ResizedCrop = { area: [0.08, 1], aspect: [0.75, 1.3333] };

/** Draws before the whole picture is taken. */
const tries = 10;

/** Draws a window of a picture of that side; the whole picture when ten draws do not fit into it. */
export function drawWindow(
  stream: Random,
  sidePx: number,
  { area, aspect }: ResizedCrop = officialResizedCrop,
): Window {
  for (let i = 0; i < tries; i++) {
    const pixels = between(stream, ...area) * (sidePx * sidePx);
    const ratio = Math.exp(between(stream, Math.log(aspect[0]), Math.log(aspect[1])));
    const width = roundHalfEven(Math.sqrt(pixels * ratio));
    const height = roundHalfEven(Math.sqrt(pixels / ratio));
    if (width < 1 || width > sidePx || height < 1 || height > sidePx) continue;
    const top = stream.integer(sidePx - height + 1);
    const left = stream.integer(sidePx - width + 1);
    return { top, left, height, width };
  }
  return { top: 0, left: 0, height: sidePx, width: sidePx };
}

/** For each output position: the input position before it and the weight of the one after, as PyTorch. */
function bilinearPlaces(inputPx: number, outputPx: number): { first: Int32Array; second: Float32Array } {
  // PyTorch's scale is float32 and its place is not.
  const scale = Math.fround(inputPx / outputPx);
  const first = new Int32Array(outputPx);
  const second = new Float32Array(outputPx);
  for (let o = 0; o < outputPx; o++) {
    const place = Math.max(0, scale * (o + 0.5) - 0.5);
    first[o] = Math.min(Math.trunc(place), inputPx - 1);
    second[o] = place - first[o]!;
  }
  return { first, second };
}

/**
 * A window of each frame at the frame's own size: bilinear, middles aligned, no antialiasing (PyTorch's `interpolate`).
 * @param frames shape [T, sidePx, sidePx, 3]
 * @param mirror left and right exchanged afterwards
 * @returns shape [T, sidePx, sidePx, 3]
 */
export function cropAndResize(
  frames: Float32Array,
  sidePx: number,
  { top, left, height, width }: Window,
  mirror: boolean,
): Float32Array {
  const line = sidePx * 3;
  const size = sidePx * line;
  assert(frames.length % size === 0, `${String(frames.length)} values are no frames of ${String(sidePx)} px`);
  const output = new Float32Array(frames.length);
  const columns = bilinearPlaces(width, sidePx);
  const rows = bilinearPlaces(height, sidePx);
  const step = mirror ? -3 : 3;
  for (let frame = 0; frame < frames.length; frame += size) {
    for (let y = 0; y < sidePx; y++) {
      const row = rows.first[y]!;
      const down = rows.second[y]!;
      const upper = frame + (top + row) * line + left * 3;
      const lower = row < height - 1 ? upper + line : upper;
      let at = frame + y * line + (mirror ? line - 3 : 0);
      for (let x = 0; x < sidePx; x++, at += step) {
        const column = columns.first[x]!;
        const right = columns.second[x]!;
        const next = column < width - 1 ? 3 : 0;
        let u = upper + column * 3;
        let l = lower + column * 3;
        for (let c = 0; c < 3; c++, u++, l++) {
          const high = (1 - right) * frames[u]! + right * frames[u + next]!;
          const low = (1 - right) * frames[l]! + right * frames[l + next]!;
          output[at + c] = (1 - down) * high + down * low;
        }
      }
    }
  }
  return output;
}
