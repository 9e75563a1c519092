// Sets up a tfjs backend in Node for tests: the composite ops, without our own kernels unless a caller registers them.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { getBackend, ready, setBackend } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { withTimeout } from '../base/timeout.ts';

export type NodeBackend = 'cpu' | 'wasm';

let wasmPrepared = false;

/** Makes `name` the current backend; wasm with one thread, since Node has none of tfjs' workers. */
export async function useBackend(name: NodeBackend): Promise<void> {
  if (name === 'wasm' && !wasmPrepared) {
    const require = createRequire(import.meta.url);
    setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist/'));
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
