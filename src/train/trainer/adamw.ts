// AdamW over one flat array, in the order of PyTorch's update: decay, moments, bias-corrected step.
import { assert } from '../../base/assert.ts';
import { Problem } from '../../base/errors.ts';
import { createHeap } from '../../ops/wasm/heap.ts';
import { loadKernels } from '../../ops/wasm/module.ts';
import type { SharedFloats } from '../base/shared-array.ts';

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** The fine-tuning recipe's constants. */
export const officialAdamW: AdamWOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** One tensor's place in the flat arrays, with its own learning rate and decay. */
export interface FlatRange {
  readonly offset: number;
  readonly length: number;
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** The optimizer, and the memory in which its arrays must lie. */
export interface AdamW {
  /** Zeros that every thread sees and `step` reaches. */
  floats(length: number): SharedFloats;
  /**
   * Averages gradients of several threads into the first of them; all are of `floats`.
   * @param parts how many parts' gradients each thread has summed
   * @returns the squares' sum of the average
   */
  average(gradients: readonly SharedFloats[], parts?: number): number;
  /** average += share * (params - average); both are of `floats`. */
  follow(average: SharedFloats, params: SharedFloats, share: number): void;
  /**
   * One update in place of params and both moments; all four arrays are of `floats`.
   * @param step counts from 1
   */
  step(
    arrays: {
      readonly params: SharedFloats;
      readonly gradients: SharedFloats;
      readonly moment1: SharedFloats;
      readonly moment2: SharedFloats;
    },
    ranges: readonly FlatRange[],
    step: number,
    options?: AdamWOptions,
  ): void;
}

/** @throws Problem where Node has no WebAssembly SIMD, or later when 4 GiB are full */
export async function createAdamW(): Promise<AdamW> {
  const heap = createHeap();
  // Plain kernels: memory is the limit here, and whether Node's flag for fused ones is set yet must not change a run.
  const loaded = await loadKernels(heap, [], false);
  if (!loaded)
    throw new Problem('worker-failed', 'This Node has no WebAssembly SIMD; use Node 20.19 or newer.');
  const { exports } = loaded.kernels;
  return {
    floats: (length) => heap.floats(heap.allocate(4 * length), length).fill(0),
    average(gradients, parts = 1) {
      const [sum, ...others] = gradients;
      assert(sum, 'no gradients to average');
      for (const { byteOffset } of others)
        exports.add(sum.byteOffset, byteOffset, sum.byteOffset, sum.length);
      return exports.scaleAndSquare(sum.byteOffset, 1 / (gradients.length * parts), sum.length);
    },
    follow(average, params, share) {
      exports.approach(average.byteOffset, params.byteOffset, share, average.length);
    },
    step({ params, gradients, moment1, moment2 }, ranges, step, options = officialAdamW) {
      const { beta1, beta2, epsilon } = options;
      const correction1 = 1 - beta1 ** step;
      const correction2 = Math.sqrt(1 - beta2 ** step);
      for (const { offset, length, learningRate, weightDecay } of ranges) {
        const keep = 1 - learningRate * weightDecay;
        exports.adamw(
          ...[params, gradients, moment1, moment2].map((array) => array.byteOffset + 4 * offset),
          ...[length, beta1, beta2, epsilon, keep, learningRate / correction1, correction2],
        );
      }
    },
  };
}
