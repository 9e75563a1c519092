// Bundles the command for the installed package: build/cli/main.js and a file for each worker thread; packages stay outside.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'vite';
import { packageRoot } from './package-root.ts';

const train = join(packageRoot, 'src/train');

/** Modules that threads.ts starts by name. */
const workers = [
  'trainer/run-worker.ts',
  'scores/evaluate-worker.ts',
  'data/stills/voice-worker.ts',
  'data/media/decode-worker.ts',
  'data/media/crop-worker.ts',
];

const { dependencies, devDependencies } = JSON.parse(
  readFileSync(join(packageRoot, 'package.json'), 'utf8'),
) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
const packages = [...Object.keys(dependencies), ...Object.keys(devDependencies)];

await build({
  root: packageRoot,
  configFile: false,
  publicDir: false,
  logLevel: 'warn',
  ssr: { noExternal: [], external: packages },
  build: {
    ssr: true,
    target: 'node20',
    outDir: join(packageRoot, 'build/cli'),
    emptyOutDir: true,
    rolldownOptions: {
      input: Object.fromEntries(
        ['main.ts', ...workers].map((file) => [basename(file, '.ts'), join(train, file)]),
      ),
      output: {
        // One folder: a worker lies beside whatever chunk starts it.
        entryFileNames: '[name].js',
        chunkFileNames: 'chunk-[name]-[hash].js',
        banner: ({ name, isEntry }) => (isEntry && name === 'main' ? '#!/usr/bin/env node' : ''),
      },
    },
  },
});
