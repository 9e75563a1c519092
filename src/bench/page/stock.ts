// What keeps stock tfjs-wasm a fair and a right peer. Its product is 10 to 50 times slower when a factor is transposed, and
// version 4.22's fused product with a transposed factor adds the wrong bias: so each transpose is made explicit, by its own
// kernels, as a careful user would. Nothing of ours computes here; attention stays batched products and a softmax.
import { add, fused, matMul, registerKernel, reshape, tidy, transpose } from '@tensorflow/tfjs-core';
import type { KernelFunc, Rank, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { defined } from '../../base/assert.ts';
import { geluForward } from '../../ops/gelu.ts';
import type { KernelName } from '../../ops/kernels.ts';

/** Gives stock tfjs' wasm backend the product of ops/kernels.ts, made of its own kernels. */
export function registerStockProduct(): void {
  const kernelName: KernelName = 'HicmaeGemm';
  registerKernel({ kernelName, backendName: 'wasm', kernelFunc: product as unknown as KernelFunc });
}

interface Call {
  readonly inputs: Partial<Record<'a' | 'b' | 'residual', Tensor2D>> & { readonly bias?: Tensor1D };
  readonly attrs: { readonly transposeA?: boolean; readonly transposeB?: boolean; readonly gelu?: boolean };
}

function product({ inputs, attrs }: Call): Tensor2D {
  return tidy(() => {
    const [a, b] = [defined(inputs.a, 'a'), defined(inputs.b, 'b')];
    const left = attrs.transposeA === true ? transpose(a) : a;
    const right = attrs.transposeB === true ? transpose(b) : b;
    const { bias, residual } = inputs;
    const sum = (bias ? fused.matMul({ a: left, b: right, bias }) : matMul(left, right)) as Tensor2D;
    const y = attrs.gelu === true ? geluForward(sum) : sum;
    if (!residual) return y;
    const [rows, width] = residual.shape;
    return reshape<Rank.R2>(add(reshape(y, [y.shape[0] / rows, rows, width]), residual), y.shape);
  });
}
