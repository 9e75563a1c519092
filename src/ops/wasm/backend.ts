// Starts the backend `wasm`: loads the kernels, registers them and makes it tfjs' current one.
import {
  copyRegisteredKernels,
  findBackendFactory,
  registerBackend,
  removeBackend,
  setBackend,
} from '@tensorflow/tfjs-core';
import { Problem } from '../../base/errors.ts';
import { createHeap } from './heap.ts';
import { WasmBackend } from './heap-backend.ts';
import { loadKernels } from './module.ts';
import type { Helper } from './module.ts';
import { registerKernels } from './register.ts';

export interface WasmOptions {
  /** Threads that help with the big kernels, beside this one. */
  readonly helpers?: readonly Helper[];
  /** False leaves fused multiply-add out (for tests). */
  readonly fused?: boolean;
  /** The build for registers of 256 bits, where wide.ts found it to be faster. */
  readonly wide?: string | undefined;
}

let kernelsRegistered = false;

/**
 * Makes our `wasm` backend tfjs' current one.
 *
 * Fused multiply-add is used where the engine has relaxed SIMD: current Chrome has it; Node 20 and 22 need
 * `v8.setFlagsFromString('--experimental-wasm-relaxed-simd')` before this call.
 * @returns what runs, in words ("wasm: SIMD with fused multiply-add, 2 threads")
 * @throws Problem `worker-failed` where the engine has no WebAssembly SIMD, threads or shared memory
 */
export async function startWasmBackend({
  helpers = [],
  fused = true,
  wide,
}: WasmOptions = {}): Promise<string> {
  const heap = createHeap();
  const loaded = await loadKernels(heap, helpers, fused, wide);
  if (!loaded) throw new Problem('worker-failed', 'this engine has no WebAssembly SIMD');
  const { kernels, trouble } = loaded;
  if (!kernelsRegistered) {
    copyRegisteredKernels('cpu', 'wasm');
    registerKernels();
    kernelsRegistered = true;
  }
  // Typed as always found.
  const earlier = findBackendFactory('wasm') as unknown;
  if (earlier !== null) removeBackend('wasm');
  registerBackend('wasm', () => new WasmBackend(heap, kernels), 2);
  if (!(await setBackend('wasm'))) throw new Problem('worker-failed', 'tfjs did not take the backend');
  const threads = kernels.threadCount > 1 ? `, ${kernels.threadCount} threads` : '';
  const trailer = trouble === null ? '' : `, ${trouble}`;
  const bits = wide !== undefined && kernels.fused ? ' of 256 bits' : '';
  return `wasm: SIMD${bits}${kernels.fused ? ' with fused multiply-add' : ''}${threads}${trailer}`;
}
