// The compiled kernels, running inside tfjs-backend-wasm's own memory: pointers to its tensors are pointers here.
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { Problem } from '../../base/errors.ts';
import { assert } from '../../base/assert.ts';
import * as builds from './kernels-wasm.ts';

/** What the kernels use of tfjs-backend-wasm 4.22 (its class is not exported with these members typed). */
export interface WasmBackend {
  wasm: {
    _malloc(byteCount: number): number;
    _free(pointer: number): void;
    /** The threaded build's memory. */
    wasmMemory?: WebAssembly.Memory;
    /** The other builds' exports. */
    asm?: { memory?: WebAssembly.Memory };
  };
  dataIdMap: { get(dataId: object): { memoryOffset: number } };
  makeOutput(shape: number[], dtype: DataType): TensorInfo;
}

type Numeric = (...values: number[]) => number;

/** The module's exports: see assembly/index.ts. Pointers and byte counts, then sizes. */
export type KernelExports = Record<
  | 'gemm'
  | 'gemmScratchBytes'
  | 'gelu'
  | 'geluGrad'
  | 'columnSum'
  | 'layerNorm'
  | 'layerNormGrad'
  | 'attention'
  | 'attentionScratchBytes'
  | 'attentionGrad'
  | 'attentionGradScratchBytes',
  Numeric
>;

/** The kernels bound to one backend's memory. */
export interface Kernels {
  exports: KernelExports;
  /**
   * A pointer to at least `byteCount` bytes, valid until the next call; kept between kernels, since they never overlap.
   * @throws Problem when the wasm heap is full
   */
  scratch(byteCount: number): number;
}

/** tfjs' memory, or undefined when this backend does not show it. */
export function memoryOf(backend: WasmBackend): WebAssembly.Memory | undefined {
  const memory = backend.wasm.wasmMemory ?? backend.wasm.asm?.memory;
  return memory instanceof WebAssembly.Memory ? memory : undefined;
}

export function isShared(memory: WebAssembly.Memory): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** The best build that this engine accepts, or undefined when it has no SIMD. */
export function chooseBuild(
  shared: boolean,
  allowFused: boolean,
): { bytes: Uint8Array<ArrayBuffer>; fused: boolean } | undefined {
  for (const fused of allowFused ? [true, false] : [false]) {
    const bytes = decode(
      shared ? (fused ? builds.fusedShared : builds.plainShared) : fused ? builds.fused : builds.plain,
    );
    if (WebAssembly.validate(bytes)) return { bytes, fused };
  }
  return undefined;
}

/** Binds a compiled build to a backend. */
export function bindKernels(module: WebAssembly.Module, backend: WasmBackend): Kernels {
  const memory = memoryOf(backend);
  assert(memory, 'the wasm backend shows no memory');
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  let pointer = 0;
  let capacity = 0;
  return {
    exports: instance.exports as KernelExports,
    scratch(byteCount) {
      if (byteCount > capacity) {
        if (pointer !== 0) backend.wasm._free(pointer);
        capacity = Math.ceil(byteCount / 65536) * 65536;
        pointer = backend.wasm._malloc(capacity) >>> 0; // signed beyond 2 GiB
        if (pointer === 0) {
          capacity = 0;
          throw outOfMemory(byteCount);
        }
      }
      return pointer;
    },
  };
}

/** The wasm heap ends at 4 GiB, and tfjs itself does not notice a failed allocation. */
export function outOfMemory(byteCount: number): Problem {
  return new Problem(
    'internal',
    `internal: the wasm heap (4 GiB at most) has no ${byteCount} bytes left; use a smaller batch or release tensors`,
  );
}
