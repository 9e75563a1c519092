// HiCMAE for fine-tuning and inference: both encoders, fusion and head in one call.
import { tidy } from '@tensorflow/tfjs-core';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { classify } from './classifier.ts';
import type { HicmaeConfig } from './config.ts';
import { encode } from './encoder.ts';
import type { ForwardOptions } from './layers.ts';
import type { Modality, Params } from './params.ts';

/** One modality of a batch of clips. */
export interface PatchBatch {
  /** [B, K, P], as videoPatches or audioPatches cut them. */
  readonly patches: Tensor3D;
  /** Flat token number of each patch, length B * K; null when all are there, in order. */
  readonly positions: Int32Array | null;
}

/**
 * The whole model.
 * @param video null when absent from every clip of the batch
 * @param audio null when absent from every clip of the batch
 * @returns [B, E], after the head's activation
 */
export function forwardClassify(
  params: Params,
  config: HicmaeConfig,
  video: PatchBatch | null,
  audio: PatchBatch | null,
  options: ForwardOptions = {},
): Tensor2D {
  return tidy(() => {
    const encoded = (modality: Modality, batch: PatchBatch | null) =>
      batch && encode(params, config, modality, batch.patches, batch.positions, options);
    return classify(params, config, encoded('video', video), encoded('audio', audio), options);
  });
}
