// Tensors to the files of a model folder; where they are written is the caller's business.
import { fitTensors } from './load.ts';
import { parseManifest } from './manifest.ts';
import type { Manifest } from './manifest.ts';
import { writeSafetensors } from './safetensors.ts';
import type { Dtype, TensorMap } from './safetensors.ts';
import { sha256 } from './sha256.ts';

export interface PackedFile {
  /** Relative to the model folder. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface PackedModel {
  readonly manifest: Manifest;
  /** The weight file and manifest.json. */
  readonly files: readonly PackedFile[];
}

/**
 * A model folder's files.
 * @param tensors every parameter of `about.config`, official names and PyTorch layouts; written in the official order
 * @param dtype F16 halves the download; each weight is rounded to about 3 decimal digits. I8 halves it again, to 255 steps in
 *   each row of a matrix
 * @param about the manifest but for its format and files
 * @throws Problem `model-invalid` when the tensors do not fit the config or half precision, or `about` is no manifest
 */
export async function packWeights(
  tensors: TensorMap,
  dtype: Dtype,
  about: Omit<Manifest, 'format' | 'files'>,
): Promise<PackedModel> {
  const path = 'model.safetensors';
  const draft: Manifest = { format: 'hicmae-1', ...about, files: [] };
  const fitted = fitTensors(new Map(Object.entries(tensors)), draft, about.name);
  const bytes = writeSafetensors(fitted, dtype, { format: 'pt', model: about.name });
  const manifest = parseManifest({
    ...draft,
    files: [{ path, bytes: bytes.length, sha256: await sha256(bytes) }],
  });
  const json = new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
  return {
    manifest,
    files: [
      { path, bytes },
      { path: 'manifest.json', bytes: json },
    ],
  };
}
