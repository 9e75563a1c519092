// From a clip's patches to probabilities; leaves no tensor behind.
import { mul, softmax, tensor3d, tidy } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
import type { HicmaeConfig } from './config.ts';
import { patchLength, tokenCount } from './embed.ts';
import { forwardClassify } from './hicmae.ts';
import type { PatchBatch } from './hicmae.ts';
import type { Modality, Params } from './params.ts';

/**
 * One clip as patches of all its tokens; null is absent, and one of the two is present. Views of one clip share the array of
 * what they have in common, which is then encoded once.
 */
export interface ClipPatches {
  /** [Nv, P], of videoPatches. */
  readonly video: Float32Array | null;
  /** [Na, P], of audioPatches. */
  readonly audio: Float32Array | null;
}

/**
 * Probabilities of each clip's classes.
 * @param clips all with the same modalities present: one batch, one forward pass
 * @param temperature divides the head's outputs before the softmax; above 0
 * @returns for each clip E probabilities, in the order of the head's classes
 */
export async function predict(
  params: Params,
  config: HicmaeConfig,
  clips: readonly ClipPatches[],
  temperature = 1,
): Promise<Float32Array[]> {
  if (clips.length === 0) return [];
  assert(config.headActivation === 'none', `predict: head activation ${config.headActivation}; wanted none`);
  const probabilities = tidy(() => {
    const video = batchOf('video', config, clips);
    const audio = batchOf('audio', config, clips);
    const outputs = forwardClassify(params, config, video, audio); // [B, E]
    return softmax(temperature === 1 ? outputs : mul(outputs, 1 / temperature));
  });
  try {
    const values = await probabilities.data<'float32'>();
    // Clips that share everything are one clip.
    return clips.map((_, b) => {
      const from = (b * config.classCount) % values.length;
      return Float32Array.from(values.subarray(from, from + config.classCount));
    });
  } finally {
    probabilities.dispose();
  }
}

function batchOf(modality: Modality, config: HicmaeConfig, clips: readonly ClipPatches[]): PatchBatch | null {
  const present = clips.map((clip) => clip[modality]).filter((values) => values !== null);
  if (present.length === 0) return null;
  const tokens = tokenCount(config, modality);
  const length = patchLength(config, modality);
  assert(
    present.length === clips.length && present.every((values) => values.length === tokens * length),
    `predict: ${modality} in ${String(present.length)} of ${String(clips.length)} clips, wanted [${String(tokens)}, ${String(length)}] in each`,
  );
  const first = defined(present[0], modality);
  const different = present.every((values) => values === first) ? [first] : present;
  let all = first;
  if (different.length > 1) {
    all = new Float32Array(different.length * tokens * length);
    for (const [b, values] of different.entries()) all.set(values, b * tokens * length);
  }
  return { patches: tensor3d(all, [different.length, tokens, length]), positions: null };
}
