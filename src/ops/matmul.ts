// Matrix products by the path that is fast on each backend. tfjs-wasm runs plain 2-D products 10 to 50 times faster
// than transposed or batched ones, so there a transpose is made explicit.
import { fused, getBackend, matMul, ones, reshape, sum, transpose } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import { runKernel } from './differentiable.ts';
import { hasKernel } from './kernels.ts';

export interface GemmOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** [n], added to every row. */
  readonly bias?: Tensor1D | null;
}

/** Whether only plain 2-D products are fast on the current backend. */
export function prefersPlainProducts(): boolean {
  return getBackend() === 'wasm';
}

/** op(a) @ op(b) + bias: [m, k] x [k, n] -> [m, n]. Not differentiable by itself: ops build on it. */
export function gemm(a: Tensor2D, b: Tensor2D, options: GemmOptions = {}): Tensor2D {
  const { transposeA = false, transposeB = false, bias = null } = options;
  if (hasKernel('HicmaeGemm')) {
    const inputs = bias === null ? { a, b } : { a, b, bias };
    return defined(runKernel('HicmaeGemm', inputs, { transposeA, transposeB })[0], 'product') as Tensor2D;
  }
  if (prefersPlainProducts()) {
    const left = transposeA ? transpose(a) : a;
    const right = transposeB ? transpose(b) : b;
    return bias === null ? matMul(left, right) : (fused.matMul({ a: left, b: right, bias }) as Tensor2D);
  }
  return bias === null
    ? matMul(a, b, transposeA, transposeB)
    : (fused.matMul({ a, b, transposeA, transposeB, bias }) as Tensor2D);
}

/** Sums over rows: [m, n] -> [n]. */
export function columnSum(x: Tensor2D): Tensor1D {
  if (hasKernel('HicmaeColumnSum')) {
    return defined(runKernel('HicmaeColumnSum', { x })[0], 'sum') as Tensor1D;
  }
  // tfjs-wasm transposes before it sums over rows; a product with a row of ones does not.
  return prefersPlainProducts() ? reshape(matMul(ones([1, x.shape[0]]), x), [x.shape[1]]) : sum(x, 0);
}

/** [..., n] -> [m, n]. */
export function toRows(x: Tensor): Tensor2D {
  const width = defined(x.shape.at(-1), 'last dimension');
  return reshape(x, [x.size / width, width]);
}
