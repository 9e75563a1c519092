// One call of a kernel: its inputs, checked, and where they lie.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { assert } from '../../base/assert.ts';
import type { WasmBackend } from './backend.ts';
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

export type Inputs = Partial<Record<string, TensorInfo>>;
export type Run = (call: Call, inputs: Inputs, attrs: Record<string, unknown>) => TensorInfo | TensorInfo[];

export const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

export function input(inputs: Inputs, name: string, rank?: number): TensorInfo {
  const tensor = inputs[name];
  assert(tensor, `input ${name} is missing`);
  assert(tensor.dtype === 'float32', `input ${name} is ${tensor.dtype}, not float32`);
  assert(
    rank === undefined || tensor.shape.length === rank,
    `input ${name} has shape [${tensor.shape.join()}]`,
  );
  return tensor;
}

export function like(inputs: Inputs, name: string, model: TensorInfo): TensorInfo {
  const tensor = input(inputs, name);
  const same =
    tensor.shape.length === model.shape.length && tensor.shape.every((n, i) => n === model.shape[i]);
  assert(same, `input ${name} has shape [${tensor.shape.join()}], wanted [${model.shape.join()}]`);
  return tensor;
}

export function vector(inputs: Inputs, name: string, size: number): TensorInfo {
  const tensor = input(inputs, name, 1);
  assert(tensor.shape[0] === size, `input ${name} has shape [${tensor.shape.join()}], wanted [${size}]`);
  return tensor;
}
