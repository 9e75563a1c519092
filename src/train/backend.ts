// tfjs in Node: the wasm backend with our own kernels, one per thread.
import { setFlagsFromString } from 'node:v8';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setBackend } from '@tensorflow/tfjs-core';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { Problem } from '../base/errors.ts';
import { registerWasmKernels } from '../ops/wasm/register.ts';

/**
 * Makes wasm the current backend of this thread.
 * @returns what runs, in words ("wasm kernels: SIMD with fused multiply-add")
 */
export async function startBackend(): Promise<string> {
  // Node 20 has relaxed SIMD (fused multiply-add) behind a flag; later versions may not know the flag any more.
  try {
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  } catch {
    // Then the plain kernels run.
  }
  const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  setWasmPaths(join(folder, '/'));
  if (!(await setBackend('wasm'))) {
    throw new Problem(
      'worker-failed',
      'The wasm backend of TensorFlow.js did not start; run npm ci again and use Node 20.19 or newer.',
    );
  }
  return (await registerWasmKernels()).reason;
}
