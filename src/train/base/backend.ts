// tfjs in Node: our own kernels on the wasm backend, one per thread, or on a GPU.
import { setFlagsFromString } from 'node:v8';
import { startWasmBackend } from '../../ops/wasm/backend.ts';
import { wideBuild } from '../../ops/wasm/wide.ts';
import { startWebgpu } from './webgpu.ts';

const nodeVersion = Number(process.versions.node.split('.')[0]);

/** Turns on what this Node's V8 has for wide and fused SIMD; the wide build where it pays. */
function bestBuild(): string | undefined {
  if (nodeVersion < 24) {
    // Later versions have relaxed SIMD (fused multiply-add) without a flag.
    setFlagsFromString('--experimental-wasm-relaxed-simd');
    return undefined;
  }
  // Joining two 128-bit halves exists for x86 only. Optimized at once: it would be measured too early otherwise.
  if (process.arch !== 'x64') return undefined;
  setFlagsFromString('--experimental-wasm-revectorize');
  setFlagsFromString('--no-liftoff');
  return wideBuild();
}

/**
 * Makes this the current backend of this thread; see webgpu.ts for the choice.
 * @returns what runs, in words ("wasm: SIMD with fused multiply-add")
 */
export async function startBackend(backend: 'wasm' | 'webgpu' = 'wasm'): Promise<string> {
  if (backend === 'webgpu') return startWebgpu();
  return startWasmBackend({ wide: bestBuild() });
}
