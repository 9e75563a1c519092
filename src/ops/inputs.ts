// Checks of what a kernel was given; a wrong shape would otherwise be read as garbage.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { assert } from '../base/assert.ts';

export type Inputs = Partial<Record<string, TensorInfo>>;
export type Attributes = Readonly<Record<string, unknown>>;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** A float32 input, of `rank` dimensions where given. */
export function input(inputs: Inputs, name: string, rank?: number): TensorInfo {
  const tensor = inputs[name];
  assert(tensor, `input ${name} is missing`);
  assert(tensor.dtype === 'float32', `input ${name} is ${tensor.dtype}, not float32`);
  assert(
    rank === undefined || tensor.shape.length === rank,
    `input ${name} has shape [${tensor.shape.join()}], wanted ${rank ?? 'any'} dimensions`,
  );
  return tensor;
}

/** A float32 input of exactly this shape. */
export function shaped(inputs: Inputs, name: string, shape: readonly (number | undefined)[]): TensorInfo {
  const tensor = input(inputs, name, shape.length);
  assert(
    tensor.shape.every((n, i) => n === shape[i]),
    `input ${name} has shape [${tensor.shape.join()}], wanted [${shape.join()}]`,
  );
  return tensor;
}

export function indexInput(inputs: Inputs): TensorInfo {
  const indices = inputs['indices'];
  assert(
    indices?.dtype === 'int32' && indices.shape.length === 1,
    'input indices is no vector of int32 numbers',
  );
  return indices;
}

export function number(attributes: Attributes, name: string): number {
  const value = attributes[name];
  assert(typeof value === 'number', `attribute ${name} is ${String(value)}, no number`);
  return value;
}
