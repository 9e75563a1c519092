// A Vite plugin: folders that the page loads at run time, served in development and copied into the build.
// models/ stays at the top level for the trainer; the wasm files come from the packages that own them.
import { cpSync, createReadStream, existsSync, statSync } from 'node:fs';
import { extname, join, normalize, resolve } from 'node:path';
import type { Plugin } from 'vite';

/** URL folder -> folder on disk and which files of it. */
const folders: Readonly<Record<string, { from: string; files: RegExp }>> = {
  models: { from: 'models', files: /\.(json|safetensors|md)$/ },
  'vendor/tfjs': { from: 'node_modules/@tensorflow/tfjs-backend-wasm/dist', files: /\.wasm$/ },
  'vendor/mediapipe': { from: 'node_modules/@mediapipe/tasks-vision/wasm', files: /^vision_wasm_module_internal\./ },
};

const mimeTypes: Readonly<Record<string, string>> = {
  '.wasm': 'application/wasm',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.safetensors': 'application/octet-stream',
};

export function staticFolders(): Plugin {
  let outDir = 'dist';
  return {
    name: 'static-folders',
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = normalize(decodeURIComponent((request.url ?? '').split('?')[0] ?? ''));
        for (const [url, { from, files }] of Object.entries(folders)) {
          if (!path.startsWith(`/${url}/`)) continue;
          const file = join(from, path.slice(url.length + 2));
          const name = file.split('/').at(-1) ?? '';
          if (!files.test(name) || !existsSync(file) || !statSync(file).isFile()) continue;
          response.setHeader('Content-Type', mimeTypes[extname(file)] ?? 'application/octet-stream');
          createReadStream(file).pipe(response);
          return;
        }
        next();
      });
    },
    closeBundle() {
      for (const [url, { from, files }] of Object.entries(folders)) {
        if (!existsSync(from)) continue;
        cpSync(from, join(outDir, url), {
          recursive: true,
          filter: (source) => statSync(source).isDirectory() || files.test(source.split('/').at(-1) ?? ''),
        });
      }
    },
  };
}
