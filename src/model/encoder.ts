// One modality's encoder: patches to tokens and an utterance feature.
import { stack, tidy } from '@tensorflow/tfjs-core';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import { tokenMean, weightedLayers } from '../ops/combine.ts';
import { selectClips } from '../ops/gather.ts';
import { layerNorm } from '../ops/layer-norm.ts';
import type { EncoderConfig, HicmaeConfig } from './config.ts';
import { embedPatches } from './embed.ts';
import { block, dropPathRate } from './layers.ts';
import type { ForwardOptions } from './layers.ts';
import { encoderPrefix, parameter } from './params.ts';
import type { Modality, Params } from './params.ts';

/** What an encoder says of a batch of clips. */
export interface Encoded {
  /** All layers' mean tokens, weighted; [B, D]. */
  readonly utterance: Tensor2D;
  /** The normed last layer, which fusion reads; [B, K, D]. */
  readonly tokens: Tensor3D;
}

/**
 * Encodes one modality.
 * @param patches [B, K, P]; see embedPatches, also for `positions`
 */
export function encode(
  params: Params,
  config: HicmaeConfig,
  modality: Modality,
  patches: Tensor3D,
  positions: Int32Array | null,
  options: ForwardOptions = {},
): Encoded {
  const prefix = encoderPrefix(modality);
  const weight = parameter(params, `${prefix}.norm.weight`);
  const bias = parameter(params, `${prefix}.norm.bias`);
  const [utterance, tokens] = tidy((): [Tensor2D, Tensor3D] => {
    let x = embedPatches(params, config, modality, patches, positions, options);
    let normed = x;
    const means: Tensor2D[] = [];
    const stages: Tensor3D[] = [];
    for (let i = 0; i < config.encoderDepth; i++) {
      const rate = dropPathRate(options, i, config.encoderDepth);
      const y = block(params, `${prefix}.blocks.${String(i)}`, x, config.heads, rate, options);
      if (i > 0 && options.trace === undefined) normed.dispose();
      x.dispose();
      x = y;
      // The official code norms every layer's output with the encoder's one norm.
      normed = layerNorm(x, weight, bias);
      means.push(tokenMean(normed));
      if (options.trace !== undefined) stages.push(normed);
    }
    x.dispose();
    if (options.trace !== undefined) options.trace(`${prefix}.norm`, stack(stages, 2)); // [B, N, L, D]
    return [weightedLayers(means, parameter(params, `${modality}_layer_weights`)), normed];
  });
  options.trace?.(`${modality}_feature`, utterance);
  return { utterance, tokens };
}

/**
 * Encodes one modality for pre-training: no utterance, but some blocks' outputs.
 * @param levels block numbers, ascending
 * @returns each level's output through the encoder's one norm, then the last block's; [B, K, D] each
 */
export function encodeLevels(
  params: Params,
  config: EncoderConfig,
  modality: Modality,
  patches: Tensor3D,
  positions: Int32Array | null,
  levels: readonly number[],
  options: ForwardOptions = {},
): Tensor3D[] {
  const prefix = encoderPrefix(modality);
  const weight = parameter(params, `${prefix}.norm.weight`);
  const bias = parameter(params, `${prefix}.norm.bias`);
  return tidy(() => {
    const last = config.encoderDepth - 1;
    const normed = new Map<number, Tensor3D>();
    let x = embedPatches(params, config, modality, patches, positions, options);
    for (let i = 0; i <= last; i++) {
      const rate = dropPathRate(options, i, config.encoderDepth);
      const y = block(params, `${prefix}.blocks.${String(i)}`, x, config.heads, rate, options);
      x.dispose();
      x = y;
      if (i === last || levels.includes(i)) normed.set(i, layerNorm(x, weight, bias));
    }
    const outputs = [...levels, last].map((level) => defined(normed.get(level), `level ${String(level)}`));
    options.trace?.(prefix, defined(outputs.at(-1), 'output'));
    return outputs;
  });
}

/** Clips of an encoded batch in a given order, repeats allowed. @param indices clip numbers, 0..B-1 */
export function selectEncoded({ utterance, tokens }: Encoded, indices: readonly number[]): Encoded {
  return { utterance: selectClips(utterance, indices), tokens: selectClips(tokens, indices) };
}
