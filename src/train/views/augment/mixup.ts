// The official mixup and cutmix of a batch's frames (sound stays its own): each clip with its partner in the batch reversed.
import { assert } from '../../../base/assert.ts';
import type { Random } from '../../../base/random.ts';
import { beta } from './draw.ts';
import type { Window } from './resized-crop.ts';

/** One mixing, the same for a whole batch. */
export interface Mixing {
  /** The own clip's share, 0..1, for frames (mixup) and targets (both). */
  readonly lambda: number;
  /** cutmix: the box that comes from the partner; null: mixup. */
  readonly box: Window | null;
}

export interface MixingSettings {
  /** Beta(a, a) of mixup's share and of cutmix's. */
  readonly mixupAlpha: number;
  readonly cutmixAlpha: number;
  /** Probability of cutmix rather than mixup. */
  readonly cutmixProbability: number;
}

export const officialMixing: MixingSettings = { mixupAlpha: 0.8, cutmixAlpha: 1, cutmixProbability: 0.5 };

/**
 * cutmix's box about a point, cut off at the picture's edges; lambda becomes the share of the area that stays.
 * @param lambda drawn, 0..1
 */
export function cutmixBox(lambda: number, centerY: number, centerX: number, sidePx: number): Mixing {
  const half = Math.floor(Math.trunc(sidePx * Math.sqrt(1 - lambda)) / 2);
  const clip = (x: number): number => Math.min(Math.max(x, 0), sidePx);
  const [top, bottom] = [clip(centerY - half), clip(centerY + half)];
  const [left, right] = [clip(centerX - half), clip(centerX + half)];
  const box = { top, left, height: bottom - top, width: right - left };
  return { lambda: 1 - (box.height * box.width) / (sidePx * sidePx), box };
}

/** Draws a batch's mixing. */
export function drawMixing(
  stream: Random,
  sidePx: number,
  settings: MixingSettings = officialMixing,
): Mixing {
  const cut = stream.uniform() < settings.cutmixProbability;
  const alpha = cut ? settings.cutmixAlpha : settings.mixupAlpha;
  const lambda = beta(stream, alpha, alpha);
  if (!cut) return { lambda, box: null };
  return cutmixBox(lambda, stream.integer(sidePx), stream.integer(sidePx), sidePx);
}

/** Each clip's partner for `mixTargets`: the batch reversed. */
export function mixingPartners(batchSize: number): number[] {
  return Array.from({ length: batchSize }, (_, i) => batchSize - 1 - i);
}

/**
 * Mixes clips with their partners, in place. A clip in the middle of an odd batch is its own partner.
 * @param clips normalized frames; shape [T, sidePx, sidePx, 3] each
 */
export function mixFrames(clips: readonly Float32Array[], sidePx: number, { lambda, box }: Mixing): void {
  const line = sidePx * 3;
  for (let i = 0; i < clips.length >> 1; i++) {
    const a = clips[i]!;
    const b = clips[clips.length - 1 - i]!;
    assert(a.length === b.length && a.length % (sidePx * line) === 0, 'clips of unlike size cannot be mixed');
    if (box === null) mixPair(a, b, Math.fround(lambda), Math.fround(1 - lambda));
    else {
      for (let frame = 0; frame < a.length; frame += sidePx * line) {
        for (let y = box.top; y < box.top + box.height; y++) {
          const begin = frame + y * line + box.left * 3;
          const end = begin + box.width * 3;
          const own = a.slice(begin, end);
          a.set(b.subarray(begin, end), begin);
          b.set(own, begin);
        }
      }
    }
  }
}

/** In float32, as PyTorch multiplies and adds. */
function mixPair(a: Float32Array, b: Float32Array, own: number, other: number): void {
  for (let k = 0; k < a.length; k++) {
    const x = a[k]!;
    const y = b[k]!;
    a[k] = Math.fround(x * own) + Math.fround(y * other);
    b[k] = Math.fround(y * own) + Math.fround(x * other);
  }
}
