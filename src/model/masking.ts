// Which tokens pre-training hides.
import { assert } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import type { EncoderConfig } from './config.ts';
import { tokenCount } from './embed.ts';
import type { Modality } from './params.ts';

/** One clip's tokens by their flat numbers, both lists ascending. */
export interface Mask {
  readonly visible: Int32Array;
  readonly masked: Int32Array;
}

/** Share of tokens hidden in the official pre-training. */
export const officialMaskRatios: Readonly<Record<Modality, number>> = { video: 0.9, audio: 0.8 };

/** Tokens that a mask hides, and that it leaves. @param ratio 0..1 */
export function maskCounts(
  config: EncoderConfig,
  modality: Modality,
  ratio: number,
): { readonly visible: number; readonly masked: number } {
  const { places, slots } = layout(config, modality);
  const hidden = Math.floor(ratio * places);
  assert(
    hidden > 0 && hidden < places,
    `mask: ratio ${String(ratio)} hides ${String(hidden)} of ${String(places)} places; wanted some, and some left`,
  );
  return { visible: slots * (places - hidden), masked: slots * hidden };
}

/**
 * A drawn mask. Video is hidden in tubes: the same places in all temporal slots; audio anywhere.
 * @param ratio share of places hidden, rounded down to whole ones, 0..1; some must be hidden and some left
 */
export function drawMask(
  config: EncoderConfig,
  modality: Modality,
  random: Random,
  ratio = officialMaskRatios[modality],
): Mask {
  const { places, slots } = layout(config, modality);
  const left = maskCounts(config, modality, ratio).visible / slots;
  const order = Int32Array.from({ length: places }, (_, i) => i);
  for (let i = 0; i < left; i++) {
    const j = i + random.integer(places - i);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return maskOf(config, modality, order.subarray(0, left));
}

/**
 * The mask that leaves given places.
 * @param visiblePlaces of one temporal slot for video, of the whole spectrogram for audio; any order, no repeats
 */
export function maskOf(config: EncoderConfig, modality: Modality, visiblePlaces: ArrayLike<number>): Mask {
  const { places, slots } = layout(config, modality);
  const seen = new Set(Array.from(visiblePlaces));
  assert(
    seen.size === visiblePlaces.length && [...seen].every((place) => place >= 0 && place < places),
    `mask: places ${Array.from(visiblePlaces).join()}; wanted different ones of ${String(places)}`,
  );
  const visible: number[] = [];
  const masked: number[] = [];
  for (let token = 0; token < slots * places; token++)
    (seen.has(token % places) ? visible : masked).push(token);
  return { visible: Int32Array.from(visible), masked: Int32Array.from(masked) };
}

function layout(config: EncoderConfig, modality: Modality): { places: number; slots: number } {
  const tokens = tokenCount(config, modality);
  const slots = modality === 'video' ? config.video.frameCount / config.video.tubeletFrames : 1;
  return { places: tokens / slots, slots };
}
