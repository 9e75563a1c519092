// The linear layer, weights laid out as in PyTorch.
import { reshape } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
import { differentiable } from './differentiable.ts';
import { columnSum, gemm, toRows } from './matmul.ts';

/**
 * x @ weight^T + bias: [..., I] -> [..., O].
 * @param weight [O, I], or any shape that flattens to it (a convolution's, over patches)
 * @param bias [O] or null
 * @param inputIsData true when no gradient is wanted for x (it must then outlive the backward pass, as data does):
 *   saves the product that would make it
 */
export function linear<T extends Tensor>(x: T, weight: Tensor, bias: Tensor | null, inputIsData = false): T {
  const inputWidth = defined(x.shape.at(-1), 'input width');
  const outputWidth = defined(weight.shape[0], 'output width');
  assert(
    weight.size === outputWidth * inputWidth,
    `linear: weight [${weight.shape.join()}] does not take width ${String(inputWidth)}`,
  );
  const forward = (): T => {
    const matrix = toMatrix(weight, outputWidth, inputWidth);
    const y = gemm(toRows(x), matrix, { transposeB: true, bias: bias as Tensor1D | null });
    return reshape(y, [...x.shape.slice(0, -1), outputWidth]) as T;
  };
  const inputs = [weight, ...(bias === null ? [] : [bias]), ...(inputIsData ? [] : [x])];
  return differentiable<T>(
    inputs,
    forward,
    [inputIsData ? weight : x, weight],
    (dy, [savedX, savedWeight]) => {
      const rows = toRows(inputIsData ? x : defined(savedX, 'x'));
      const dyRows = toRows(dy);
      const matrix = toMatrix(defined(savedWeight, 'weight'), outputWidth, inputWidth);
      return [
        reshape(gemm(dyRows, rows, { transposeA: true }), weight.shape),
        ...(bias === null ? [] : [columnSum(dyRows)]),
        ...(inputIsData ? [] : [reshape(gemm(dyRows, matrix), x.shape)]),
      ];
    },
  );
}

function toMatrix(weight: Tensor, outputWidth: number, inputWidth: number): Tensor2D {
  return reshape(weight, [outputWidth, inputWidth]);
}
