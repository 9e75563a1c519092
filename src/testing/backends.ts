// Sets up a tfjs backend in Node for tests.
import { getBackend, ready, setBackend } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { withTimeout } from '../base/timeout.ts';
import { startWasmBackend } from '../ops/wasm/backend.ts';

/** `cpu` runs the composite ops, `wasm` our kernels, without fused multiply-add. */
export type NodeBackend = 'cpu' | 'wasm';

/** Makes `name` the current backend. */
export async function useBackend(name: NodeBackend): Promise<void> {
  const started: Promise<unknown> = name === 'cpu' ? setBackend('cpu') : startWasmBackend();
  await withTimeout(started, 60_000, `tfjs' ${name} backend did not start; install again with npm ci`);
  await ready();
  if (getBackend() !== name) throw new Error(`internal: backend is ${getBackend()}, wanted ${name}`);
}
