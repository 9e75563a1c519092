// Sets up a tfjs backend in Node for tests and the golden command: its own kernels only where a caller registers them.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { getBackend, ready, setBackend } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { withTimeout } from '../base/timeout.ts';

export type NodeBackend = 'cpu' | 'wasm';

/** Folder of tfjs' wasm files, ending in a slash. */
export function wasmFolder(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist/');
}

let wasmPrepared = false;

/** Makes `name` the current backend; wasm with one thread, since Node has none of tfjs' workers. */
export async function useBackend(name: NodeBackend): Promise<void> {
  if (name === 'wasm' && !wasmPrepared) {
    setWasmPaths(wasmFolder());
    setThreadsCount(1);
    wasmPrepared = true;
  }
  await withTimeout(
    setBackend(name),
    60_000,
    `tfjs' ${name} backend did not start; install again with npm ci`,
  );
  await ready();
  if (getBackend() !== name) throw new Error(`internal: backend is ${getBackend()}, wanted ${name}`);
}
