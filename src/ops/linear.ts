// The linear layer, weights laid out as in PyTorch, and what follows it: where no gradients are taken, GELU and the
// residual sum run in the product's epilogue.
import { engine, reshape } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
import { addConstant, residual } from './combine.ts';
import { differentiable } from './differentiable.ts';
import { gelu } from './gelu.ts';
import { columnSum, gemm, toRows } from './matmul.ts';

export interface LinearOptions {
  /** Exact GELU of the layer's output. */
  readonly gelu?: boolean;
  /** Added last: as many elements as the output; or fewer, which repeat over clips and are a constant to gradients. */
  readonly plus?: Tensor | null;
  /**
   * True when no gradient is wanted for x (it must then outlive the backward pass, as data does): saves the product
   * that would make it.
   */
  readonly inputIsData?: boolean;
}

/**
 * f(x @ weight^T + bias) + plus: [..., I] -> [..., O].
 * @param weight [O, I], or any shape that flattens to it (a convolution's, over patches)
 * @param bias [O] or null
 */
export function linear<T extends Tensor>(
  x: T,
  weight: Tensor,
  bias: Tensor | null,
  options: LinearOptions = {},
): T {
  const { plus = null, inputIsData = false } = options;
  const inputWidth = defined(x.shape.at(-1), 'input width');
  const outputWidth = defined(weight.shape[0], 'output width');
  assert(
    weight.size === outputWidth * inputWidth,
    `linear: weight [${weight.shape.join()}] does not take width ${String(inputWidth)}`,
  );
  const shape = [...x.shape.slice(0, -1), outputWidth];
  const matrix = (of: Tensor): Tensor2D => reshape(of, [outputWidth, inputWidth]);
  const product = (fused: { gelu?: boolean; residual?: Tensor2D | null }): T =>
    reshape(
      gemm(toRows(x), matrix(weight), { transposeB: true, bias: bias as Tensor1D | null, ...fused }),
      shape,
    ) as T;

  if (!engine().isTapeOn()) {
    return product({ gelu: options.gelu ?? false, residual: plus && reshape(plus, [-1, outputWidth]) });
  }
  const inputs = [weight, ...(bias === null ? [] : [bias]), ...(inputIsData ? [] : [x])];
  let y = differentiable<T>(
    inputs,
    () => product({}),
    [inputIsData ? weight : x, weight],
    (dy, [savedX, savedWeight]) => {
      const rows = toRows(inputIsData ? x : defined(savedX, 'x'));
      const dyRows = toRows(dy);
      return [
        reshape(gemm(dyRows, rows, { transposeA: true }), weight.shape),
        ...(bias === null ? [] : [columnSum(dyRows)]),
        ...(inputIsData ? [] : [reshape(gemm(dyRows, matrix(defined(savedWeight, 'weight'))), x.shape)]),
      ];
    },
  );
  if (options.gelu === true) y = gelu(y);
  if (plus === null) return y;
  return plus.size === y.size ? residual(y, plus, null) : addConstant(y, plus);
}
