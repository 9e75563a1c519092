// Files that the page loads at run time, served in development and copied into the build: models/ stays at the top
// level for the trainer, wasm files come from the packages that own them, the face model gets its metadata on the way.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { viteStaticCopy } from 'vite-plugin-static-copy';
import { addFaceModelMetadata } from './face-model-metadata.ts';
import { modelCardPage } from './model-card.ts';
import { listModels } from './model-list.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packages = `${root}node_modules`;

/**
 * URLs of the page, below its base:
 * - `models/NAME/...`: manifests, weights, model cards (README.md, and as a page card.html) and their pictures;
 * - `models/models.json`: the list of them;
 * - `vendor/mediapipe/`: wasm and its loader (for module workers), and the face model. Both packages are Google's,
 *   Apache-2.0 (this project's own licence file is their text); NOTICE.txt beside them says what was changed.
 */
export function staticFolders(): Plugin[] {
  const models = {
    src: ['json', 'safetensors', 'md', 'png', 'jpg', 'webp', 'svg'].map(
      (extension) => `${root}models/*/*.${extension}`,
    ),
    dest: 'models',
    rename: (name: string, extension: string, fullPath: string) => {
      const folder = fullPath.split('/').at(-2) ?? '';
      return { stripBase: true as const, name: `${folder}/${name}.${extension}` };
    },
  };
  const copied = viteStaticCopy({
    silent: true,
    targets: [
      ...(existsSync(`${root}models`) ? [models] : []),
      {
        src: `${packages}/@mediapipe/tasks-vision/wasm/vision_wasm_module_internal.*`,
        dest: 'vendor/mediapipe',
        rename: { stripBase: true },
      },
      {
        src: `${packages}/@mediapipe/face_detection/face_detection_*_range.tflite`,
        dest: 'vendor/mediapipe',
        rename: { stripBase: true },
        transform: { encoding: 'buffer', handler: (content) => Buffer.from(addFaceModelMetadata(content)) },
      },
      {
        src: `${root}src/site/mediapipe-notice.txt`,
        dest: 'vendor/mediapipe',
        rename: { stripBase: true, name: 'NOTICE.txt' },
      },
    ],
  });
  return [...copied, madeOfModels(`${root}models`)];
}

/** Files made from the models' own, by their path below the page's base. */
function madeFiles(models: string): ReadonlyMap<string, () => string> {
  const made = new Map([
    ['models/models.json', () => `${JSON.stringify({ models: listModels(models) }, null, 2)}\n`],
  ]);
  for (const folder of existsSync(models) ? readdirSync(models) : []) {
    const path = join(models, folder, 'README.md');
    if (!existsSync(path)) continue;
    made.set(`models/${folder}/card.html`, () => modelCardPage(readFileSync(path, 'utf8'), folder));
  }
  return made;
}

function madeOfModels(models: string): Plugin {
  return {
    name: 'made-of-models',
    generateBundle() {
      for (const [fileName, make] of madeFiles(models)) {
        this.emitFile({ type: 'asset', fileName, source: make() });
      }
    },
    configureServer({ middlewares, config }) {
      middlewares.use((request, response, next) => {
        const path = new URL(request.url ?? '/', 'http://localhost').pathname;
        const make = madeFiles(models).get(decodeURIComponent(path.slice(config.base.length)));
        if (make === undefined) {
          next();
          return;
        }
        response.setHeader(
          'Content-Type',
          path.endsWith('.json') ? 'application/json' : 'text/html; charset=utf-8',
        );
        response.end(make());
      });
    },
  };
}
