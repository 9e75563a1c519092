// Shaders for a model whose weights are still on their way: a reading's first run stalls for seconds without.
import { getBackend, softmax } from '@tensorflow/tfjs-core';
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { patchLength, tokenCount } from '../model/embed.ts';
import { forwardClassify } from '../model/hicmae.ts';
import type { PatchBatch } from '../model/hicmae.ts';
import { parameterShapes } from '../model/params.ts';
import type { Modality } from '../model/params.ts';
import type { Manifest } from '../weights/manifest.ts';

/**
 * Compiles what readings of this model run, on webgpu; elsewhere there is nothing to compile. Never rejects: what was
 * not compiled now is when it first runs.
 * @param always also where it does not pay (for tests)
 */
export async function compileModel(
  { config, clip, missingModalities }: Pick<Manifest, 'config' | 'clip' | 'missingModalities'>,
  always = false,
): Promise<void> {
  if (getBackend() !== 'webgpu') return;
  try {
    const { blankTensor, compileAhead, paysToCompileAhead } = await import('../ops/webgpu/compile.ts');
    if (!always && !paysToCompileAhead()) return;
    await compileAhead(() => {
      const params = Object.fromEntries(
        parameterShapes(config).map(({ name, shape }) => [name, blankTensor(shape)]),
      );
      const batch = (modality: Modality): PatchBatch => {
        const views = modality === 'video' && clip.mirrorView ? 2 : 1;
        const shape = [views, tokenCount(config, modality), patchLength(config, modality)];
        return { patches: blankTensor(shape) as Tensor3D, positions: null };
      };
      for (const [video, audio] of presences(missingModalities)) {
        softmax(
          forwardClassify(params, config, video ? batch('video') : null, audio ? batch('audio') : null),
        );
      }
    });
  } catch {
    // The first reading compiles, and says what is wrong.
  }
}

/** Which modalities a reading may have: [video, audio]. */
function presences(missing: boolean): readonly (readonly [boolean, boolean])[] {
  const both = [true, true] as const;
  return missing ? [both, [true, false], [false, true]] : [both];
}
