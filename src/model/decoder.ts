// One modality's decoder of pre-training: from what was seen to what was hidden.
import { tensor3d, tidy } from '@tensorflow/tfjs-core';
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { assert } from '../base/assert.ts';
import { addConstant, appendToken } from '../ops/combine.ts';
import { gatherTokens } from '../ops/gather.ts';
import { layerNorm } from '../ops/layer-norm.ts';
import { linear } from '../ops/linear.ts';
import { chosenPositions, tokenCount } from './embed.ts';
import { block, crossBlock } from './layers.ts';
import type { ForwardOptions } from './layers.ts';
import { parameter } from './params.ts';
import type { Modality, Params } from './params.ts';
import type { PretrainConfig } from './pretrain-config.ts';
import { modalitySuffix } from './pretrain-params.ts';

/**
 * Predicts the masked tokens.
 * @param seen the visible tokens, fused; [B, K, D]
 * @param levels the encoder's levels of the same tokens, ascending, [B, K, D] each; null: no skips, and the blocks that
 *   would read them run without their cross attention
 * @param visible flat token numbers, length B * K
 * @param masked flat token numbers, length B * M
 * @returns [B, M, P]
 */
export function decode(
  params: Params,
  config: PretrainConfig,
  modality: Modality,
  seen: Tensor3D,
  levels: readonly Tensor3D[] | null,
  visible: Int32Array,
  masked: Int32Array,
  options: ForwardOptions = {},
): Tensor3D {
  const { decoderWidth, decoderHeads, decoderDepth } = config;
  const suffix = modalitySuffix(modality);
  const prefix = `decoder${suffix}`;
  const [batch, kept] = seen.shape;
  const hidden = masked.length / batch;
  const all = tokenCount(config, modality);
  assert(
    config.levels.length === decoderDepth - 1 && (levels === null || levels.length === decoderDepth - 1),
    `decode: ${String(config.levels.length)} levels, ${String(decoderDepth)} blocks; wanted one level fewer`,
  );
  assert(
    visible.length === batch * kept && kept + hidden === all,
    `decode: ${String(kept)} tokens seen and ${String(hidden)} to predict of ${String(all)}, ${String(visible.length)} positions`,
  );
  return tidy(() => {
    const places = (positions: Int32Array): Tensor3D =>
      tensor3d(chosenPositions(positions, all, decoderWidth), [
        batch,
        positions.length / batch,
        decoderWidth,
      ]);
    const visiblePlaces = places(visible);
    const projection = parameter(params, `encoder_to_decoder${suffix}.weight`);
    const projected = (x: Tensor3D): Tensor3D => addConstant(linear(x, projection, null), visiblePlaces);
    let x = appendToken(projected(seen), parameter(params, `mask_token${suffix}`), places(masked));
    for (let i = 0; i < decoderDepth; i++) {
      const name = `${prefix}.blocks.${String(i)}`;
      const level = i === 0 ? undefined : levels?.at(-i);
      const y =
        level === undefined
          ? block(params, name, x, decoderHeads, 0, options)
          : crossBlock(params, name, x, projected(level), decoderHeads, 0, options);
      x.dispose();
      x = y;
    }
    const last = Int32Array.from({ length: batch * hidden }, (_, i) => kept + (i % hidden));
    const normed = layerNorm(
      gatherTokens(x, last),
      parameter(params, `${prefix}.norm.weight`),
      parameter(params, `${prefix}.norm.bias`),
    );
    options.trace?.(`${prefix}.norm`, normed);
    const head = `${prefix}.head`;
    return linear(normed, parameter(params, `${head}.weight`), parameter(params, `${head}.bias`));
  });
}
