// Matrix products, and what is fused to them.
import { add, matMul, reshape, sum } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import { runKernel } from './differentiable.ts';
import { geluForward } from './gelu.ts';
import { hasKernel } from './kernels.ts';

export interface GemmOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** [n], added to every row. */
  readonly bias?: Tensor1D | null;
  /** Exact GELU of the product with its bias. */
  readonly gelu?: boolean;
  /** [r, n], r a divisor of m, added last: to row i its row i mod r. */
  readonly residual?: Tensor2D | null;
}

/** f(op(a) @ op(b) + bias) + residual: [m, k] x [k, n] -> [m, n]. Not differentiable by itself: ops build on it. */
export function gemm(a: Tensor2D, b: Tensor2D, options: GemmOptions = {}): Tensor2D {
  const { transposeA = false, transposeB = false, bias = null, gelu = false, residual = null } = options;
  if (hasKernel('HicmaeGemm')) {
    const inputs = {
      a,
      b,
      ...(bias === null ? {} : { bias }),
      ...(residual === null ? {} : { residual }),
    };
    return defined(
      runKernel('HicmaeGemm', inputs, { transposeA, transposeB, gelu })[0],
      'product',
    ) as Tensor2D;
  }
  let y: Tensor2D = matMul(a, b, transposeA, transposeB);
  // Not by tfjs' fused product: its wasm backend's gets the bias wrong when a factor is transposed.
  if (bias !== null) y = add(y, bias);
  if (gelu) y = geluForward(y);
  if (residual === null) return y;
  const [rows, width] = residual.shape;
  return reshape(add(reshape(y, [y.shape[0] / rows, rows, width]), residual), y.shape);
}

/** Sums over rows: [m, n] -> [n]. */
export function columnSum(x: Tensor2D): Tensor1D {
  if (hasKernel('HicmaeColumnSum')) {
    return defined(runKernel('HicmaeColumnSum', { x })[0], 'sum') as Tensor1D;
  }
  return sum(x, 0);
}

/** [..., n] -> [m, n]. */
export function toRows(x: Tensor): Tensor2D {
  const width = defined(x.shape.at(-1), 'last dimension');
  return reshape(x, [x.size / width, width]);
}
