// Files that the page loads at run time, served in development and copied into the build: models/ stays at the top
// level for the trainer, wasm files come from the packages that own them, the face model gets its metadata on the way.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { viteStaticCopy } from 'vite-plugin-static-copy';
import { addFaceModelMetadata } from './face-model-metadata.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const packages = `${root}node_modules`;

/**
 * URLs of the page, below its base:
 * - `models/NAME/...`: manifests, weights, model cards;
 * - `vendor/mediapipe/`: wasm and its loader (for module workers), and the face model. Both packages are Google's,
 *   Apache-2.0 (this project's own licence file is their text); NOTICE.txt beside them says what was changed.
 */
export function staticFolders(): Plugin[] {
  const models = {
    src: ['json', 'safetensors', 'md'].map((extension) => `${root}models/*/*.${extension}`),
    dest: 'models',
    rename: (name: string, extension: string, fullPath: string) => {
      const folder = fullPath.split('/').at(-2) ?? '';
      return { stripBase: true as const, name: `${folder}/${name}.${extension}` };
    },
  };
  return viteStaticCopy({
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
        src: `${root}src/train/page/mediapipe-notice.txt`,
        dest: 'vendor/mediapipe',
        rename: { stripBase: true, name: 'NOTICE.txt' },
      },
    ],
  });
}
