// models/NAME on disk: read as the page reads it, by the same loader and checks.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/errors.ts';
import { parameterShapes } from '../../model/params.ts';
import type { Manifest } from '../../weights/manifest.ts';
import { loadWeights } from '../../weights/load.ts';
import type { LoadedWeights } from '../../weights/load.ts';
import { slotsOf } from '../trainer/flat-params.ts';
import { sharedFloats } from '../base/shared-array.ts';
import type { SharedFloats } from '../base/shared-array.ts';

/** A model folder's manifest and tensors. @throws Problem as loadWeights */
export function loadModel(folder: string): Promise<LoadedWeights> {
  return loadWeights({
    location: join(folder, '/'),
    readBytes: (path) => {
      try {
        return Promise.resolve(new Uint8Array(readFileSync(join(folder, path))));
      } catch (error) {
        const message = `${join(folder, path)} cannot be read: no model is there; wanted a folder written by export, for example models/nano`;
        return Promise.reject(new Problem('model-missing', message, { cause: error }));
      }
    },
  });
}

/** A model's manifest and its parameters as one flat array. @throws Problem as loadWeights */
export async function readModel(folder: string): Promise<{ manifest: Manifest; flat: SharedFloats }> {
  const { manifest, tensors } = await loadModel(folder);
  const { slots, total } = slotsOf(parameterShapes(manifest.config));
  const flat = sharedFloats(total);
  for (const { name, offset } of slots) flat.set(tensors[name]?.data ?? [], offset);
  return { manifest, flat };
}
