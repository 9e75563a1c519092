// tfjs in Node: our own kernels on the wasm backend, one per thread, or on a GPU.
import { setFlagsFromString } from 'node:v8';
import { startWasmBackend } from '../ops/wasm/backend.ts';
import { startWebgpu } from './webgpu.ts';

/**
 * Makes this the current backend of this thread; see webgpu.ts for the choice.
 * @returns what runs, in words ("wasm: SIMD with fused multiply-add")
 */
export async function startBackend(backend: 'wasm' | 'webgpu' = 'wasm'): Promise<string> {
  if (backend === 'webgpu') return startWebgpu();
  // Node 20 has relaxed SIMD (fused multiply-add) behind a flag; later versions may not know the flag any more.
  try {
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  } catch {
    // Then the plain kernels run.
  }
  return startWasmBackend();
}
