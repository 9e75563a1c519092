// From encoded modalities to the head's outputs.
import { tidy, zeros } from '@tensorflow/tfjs-core';
import type { Rank, Tensor2D } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import { activate, joinFeatures, tokenMean } from '../ops/combine.ts';
import { layerNorm } from '../ops/layer-norm.ts';
import { linear } from '../ops/linear.ts';
import type { HicmaeConfig } from './config.ts';
import type { Encoded } from './encoder.ts';
import { fuse } from './fusion.ts';
import type { ForwardOptions } from './layers.ts';
import { parameter } from './params.ts';
import type { Params } from './params.ts';

/**
 * The head's outputs; what an absent modality (null) means is said in fusion.ts.
 * @returns [B, E], after the head's activation
 */
export function classify(
  params: Params,
  config: HicmaeConfig,
  video: Encoded | null,
  audio: Encoded | null,
  options: ForwardOptions = {},
): Tensor2D {
  const { trace } = options;
  const batch = defined(video ?? audio, 'a modality').utterance.shape[0];
  return tidy(() => {
    const fused = fuse(params, config, video?.tokens ?? null, audio?.tokens ?? null, options);
    const absent = zeros<Rank.R2>([batch, config.width]);
    const videoMean = fused.video === null ? absent : tokenMean(fused.video);
    const audioMean = fused.audio === null ? absent : tokenMean(fused.audio);
    trace?.('fusion_video_feature', videoMean);
    trace?.('fusion_audio_feature', audioMean);
    const feature = joinFeatures([
      video?.utterance ?? absent,
      audio?.utterance ?? absent,
      videoMean,
      audioMean,
    ]);
    trace?.('final_feature_before_fc_norm', feature); // [B, 4D]
    const normed = layerNorm(feature, parameter(params, 'fc_norm.weight'), parameter(params, 'fc_norm.bias'));
    trace?.('final_feature', normed);
    const output = linear(normed, parameter(params, 'head.weight'), parameter(params, 'head.bias'));
    trace?.('head_output', output);
    const logits = activate(output, config.headActivation);
    trace?.('logits', logits);
    return logits;
  });
}
