// tfjs in Node: the wasm backend with our own kernels, one per thread.
import { setFlagsFromString } from 'node:v8';
import { startWasmBackend } from '../ops/wasm/backend.ts';

/**
 * Makes wasm the current backend of this thread.
 * @returns what runs, in words ("wasm: SIMD with fused multiply-add")
 */
export async function startBackend(): Promise<string> {
  // Node 20 has relaxed SIMD (fused multiply-add) behind a flag; later versions may not know the flag any more.
  try {
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  } catch {
    // Then the plain kernels run.
  }
  return startWasmBackend();
}
