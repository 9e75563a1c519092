// What a kernel's test is: a kernel's outputs against numbers in double precision.
import { dispose, engine, memory, tensor, tensor1d } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { random } from '../base/random.ts';
import type { KernelName } from './kernels.ts';

/** A numbers' array with its shape, in double precision; `int32` where the kernel takes such. */
export interface Block {
  values: Float64Array;
  shape: number[];
  int32?: boolean;
}

export interface KernelCase {
  name: string;
  /** Runs the kernel and answers the worst error of its outputs, relative to each output's largest number or 1. */
  worstError: () => Promise<number>;
  /** What that error may be; more where single precision loses it in the inputs themselves (offsets, large logits). */
  tolerance: number;
}

const stream = random(20260729);

/** Normal numbers, rounded to single precision as the kernel will see them. */
export function block(shape: number[], scale = 1): Block {
  const size = shape.reduce((product, n) => product * n, 1);
  return { values: Float64Array.from({ length: size }, () => Math.fround(scale * stream.normal())), shape };
}

export function zeros(shape: number[]): Block {
  return { values: new Float64Array(shape.reduce((product, n) => product * n, 1)), shape };
}

export async function compare(
  kernel: KernelName,
  inputs: Record<string, Block>,
  attrs: Record<string, number | boolean>,
  wanted: Block[],
): Promise<number> {
  const before = memory().numTensors;
  const tensors: Record<string, Tensor> = {};
  for (const [name, { values, shape, int32 }] of Object.entries(inputs)) {
    tensors[name] =
      int32 === true ? tensor1d(Int32Array.from(values), 'int32') : tensor(Float32Array.from(values), shape);
  }
  const result = engine().runKernel<Tensor | Tensor[]>(kernel, tensors, attrs);
  const outputs = Array.isArray(result) ? result : [result];
  if (outputs.length !== wanted.length) throw new Error(`${outputs.length} outputs, wanted ${wanted.length}`);
  let worst = 0;
  for (const [i, output] of outputs.entries()) {
    const { values, shape } = wanted[i]!;
    if (output.shape.join() !== shape.join()) throw new Error(`output ${i} is [${output.shape.join()}]`);
    const got = await output.data();
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    values.forEach((value, j) => {
      const error = Math.abs(got[j]! - value) / largest;
      worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
    });
  }
  dispose(outputs);
  dispose(tensors);
  if (memory().numTensors !== before) throw new Error(`${memory().numTensors - before} tensors leaked`);
  return worst;
}
