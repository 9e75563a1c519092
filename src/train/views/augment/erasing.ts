// The official random erasing: one box for all frames, filled with normal noise that differs in every value.
import type { Random } from '../../../base/random.ts';
import { between, roundHalfEven } from './draw.ts';
import type { Window } from './resized-crop.ts';

export interface Erasing {
  readonly probability: number;
  /** The box's share of the area, and its height over its width, evenly in the logarithm. */
  readonly area: readonly [least: number, most: number];
  readonly aspect: readonly [least: number, most: number];
}

export const officialErasing: Erasing = { probability: 0.25, area: [0.02, 1 / 3], aspect: [0.3, 1 / 0.3] };

const tries = 100;

/** Draws the box to erase; null: none. */
export function drawBox(
  stream: Random,
  sidePx: number,
  { probability, area, aspect }: Erasing = officialErasing,
): Window | null {
  if (stream.uniform() > probability) return null;
  for (let i = 0; i < tries; i++) {
    const pixels = between(stream, ...area) * (sidePx * sidePx);
    const ratio = Math.exp(between(stream, Math.log(aspect[0]), Math.log(aspect[1])));
    const height = roundHalfEven(Math.sqrt(pixels * ratio));
    const width = roundHalfEven(Math.sqrt(pixels / ratio));
    if (width >= sidePx || height >= sidePx) continue;
    const top = stream.integer(sidePx - height + 1);
    const left = stream.integer(sidePx - width + 1);
    return { top, left, height, width };
  }
  return null;
}

/** Fills the box of every frame, in place. @param frames normalized; shape [T, sidePx, sidePx, 3] */
export function erase(
  frames: Float32Array,
  sidePx: number,
  { top, left, height, width }: Window,
  stream: Random,
): void {
  const line = sidePx * 3;
  const size = sidePx * line;
  // Box and Muller's draws come in pairs; a stream's own normal() drops the second.
  let spare = 0;
  let spared = false;
  for (let frame = 0; frame < frames.length; frame += size) {
    for (let y = top; y < top + height; y++) {
      const begin = frame + y * line + left * 3;
      for (let i = begin; i < begin + width * 3; i++) {
        if (spared) {
          frames[i] = spare;
          spared = false;
          continue;
        }
        const radius = Math.sqrt(-2 * Math.log(1 - stream.uniform()));
        const angle = 2 * Math.PI * stream.uniform();
        frames[i] = radius * Math.cos(angle);
        spare = radius * Math.sin(angle);
        spared = true;
      }
    }
  }
}
