// Cross-modal fusion: each modality's tokens read the other's.
//
// An absent modality (no face seen, no voice heard) is handled by design, and training drops modalities so that these
// paths are learned; the official model knows no such case:
// - its encoder and its fusion blocks are not run;
// - where the present modality would read it, one zero token stands in place of the normed context. Cross attention
//   then gives a learned constant, proj(v_bias), whatever the query;
// - its utterance and its fused mean are zeros in the feature that the head reads (classifier.ts).
// With both present the model is exactly the official one.
import { tidy } from '@tensorflow/tfjs-core';
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { layerNorm } from '../ops/layer-norm.ts';
import type { EncoderConfig } from './config.ts';
import { crossBlock, dropPathRate } from './layers.ts';
import type { ForwardOptions } from './layers.ts';
import { parameter } from './params.ts';
import type { Params } from './params.ts';

/** Tokens of both modalities; null is absent. */
export interface Fused {
  readonly video: Tensor3D | null;
  readonly audio: Tensor3D | null;
}

/**
 * Fuses the encoders' tokens.
 * @param video [B, Nv, D] or null
 * @param audio [B, Na, D] or null
 * @returns the normed tokens of the present modalities, shapes unchanged
 */
export function fuse(
  params: Params,
  config: EncoderConfig,
  video: Tensor3D | null,
  audio: Tensor3D | null,
  options: ForwardOptions = {},
): Fused {
  let fused: Fused = { video, audio };
  for (let i = 0; i < config.fusionDepth; i++) {
    const rate = dropPathRate(options, i, config.fusionDepth);
    const step = (own: Tensor3D | null, context: Tensor3D | null, blocks: string): Tensor3D | null =>
      own &&
      crossBlock(params, `encoder_fusion.${blocks}.${String(i)}`, own, context, config.heads, rate, options);
    // Both read the other's tokens of the previous layer.
    const next: Fused = {
      video: step(fused.video, fused.audio, 'blocks'),
      audio: step(fused.audio, fused.video, 'blocks_audio'),
    };
    fused = next;
  }
  const norm = (x: Tensor3D | null, name: string): Tensor3D | null => {
    if (x === null) return null;
    const y = tidy(() =>
      layerNorm(x, parameter(params, `${name}.weight`), parameter(params, `${name}.bias`)),
    );
    options.trace?.(name, y);
    return y;
  };
  return {
    video: norm(fused.video, 'encoder_fusion.norm'),
    audio: norm(fused.audio, 'encoder_fusion.norm_audio'),
  };
}
