// HiCMAE for fine-tuning and inference: both encoders, fusion and head in one call.
import { tidy } from '@tensorflow/tfjs-core';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { classify } from './classifier.ts';
import type { HicmaeConfig } from './config.ts';
import { encode, selectEncoded } from './encoder.ts';
import type { Encoded } from './encoder.ts';
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
 * The whole model. A modality of one clip goes with every clip of the other's batch, and is encoded once: views of one face
 * and its voice.
 * @param video null when absent from every clip of the batch
 * @param audio null when absent from every clip of the batch
 * @returns [B, E], B of the larger batch; after the head's activation
 */
export function forwardClassify(
  params: Params,
  config: HicmaeConfig,
  video: PatchBatch | null,
  audio: PatchBatch | null,
  options: ForwardOptions = {},
): Tensor2D {
  return tidy(() => {
    const clips = Math.max(video?.patches.shape[0] ?? 0, audio?.patches.shape[0] ?? 0);
    const encoded = (modality: Modality, batch: PatchBatch | null): Encoded | null => {
      if (batch === null) return null;
      const found = encode(params, config, modality, batch.patches, batch.positions, options);
      return batch.patches.shape[0] === 1 && clips > 1
        ? selectEncoded(found, new Array<number>(clips).fill(0))
        : found;
    };
    return classify(params, config, encoded('video', video), encoded('audio', audio), options);
  });
}
