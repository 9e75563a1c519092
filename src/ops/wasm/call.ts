// One call of a kernel: what it works with.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Inputs } from '../inputs.ts';
import type { WasmBackend } from './heap-backend.ts';
import type { Kernels } from './module.ts';

/** What one call of a kernel works with. */
export interface Call {
  readonly backend: WasmBackend;
  readonly kernels: Kernels;
  /** Pointer of an input's data. */
  readonly at: (input: TensorInfo) => number;
  /** A new float32 tensor and its pointer. */
  readonly output: (shape: readonly number[]) => { info: TensorInfo; pointer: number };
}

export type Run = (call: Call, inputs: Inputs, attrs: Record<string, unknown>) => TensorInfo | TensorInfo[];
