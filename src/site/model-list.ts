// models/models.json: the models that a page offers, written from their manifests when the page is built, so that it cannot
// be out of date.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { finetuneMultiplyAdds } from '../model/multiply-adds.ts';
import { parseManifest } from '../weights/manifest.ts';

/** An entry of models.json: `{"models": [entry, ...]}`. */
export interface ModelListEntry {
  readonly name: string;
  /** Relative to models.json, ending in a slash. */
  readonly folder: string;
  /** Of the weights. */
  readonly bytes: number;
  /** Of one reading with face and voice. */
  readonly multiplyAdds: number;
}

/**
 * Every folder of `models` with a manifest of a model that names emotions, the cheapest reading first.
 * @param models folder, for example models/; none there is an empty list
 * @throws Problem `model-invalid` when a manifest does not fit
 */
export function listModels(models: string): readonly ModelListEntry[] {
  if (!existsSync(models)) return [];
  const entries = readdirSync(models).flatMap((folder): readonly ModelListEntry[] => {
    const path = join(models, folder, 'manifest.json');
    if (!existsSync(path)) return [];
    const { name, config, clip, outputs, files } = parseManifest(
      JSON.parse(readFileSync(path, 'utf8')),
      path,
    );
    if (config.headActivation !== 'none' || outputs === 'dimensions') return [];
    return [
      {
        name,
        folder: `${encodeURIComponent(folder)}/`,
        bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
        multiplyAdds: finetuneMultiplyAdds(config, clip.mirrorView ? 2 : 1).total,
      },
    ];
  });
  return entries.sort((a, b) => a.multiplyAdds - b.multiplyAdds || a.folder.localeCompare(b.folder));
}
