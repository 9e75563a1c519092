// The exact (erf) GELU, as PyTorch's default.
import { add, erf, exp, mul, square } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import { differentiable, runKernel } from './differentiable.ts';
import { hasKernel } from './kernels.ts';

/** x * Phi(x), Phi the standard normal distribution; any shape. */
export function gelu<T extends Tensor>(x: T): T {
  return differentiable<T>(
    [x],
    () => geluForward(x),
    [x],
    (dy, saved) => {
      const savedX = defined(saved[0], 'x');
      if (hasKernel('HicmaeGeluGrad')) return runKernel('HicmaeGeluGrad', { x: savedX, dy });
      const density = mul(exp(mul(square(savedX), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return [mul(dy, add(normalCdf(savedX), mul(savedX, density)))];
    },
  );
}

/** GELU without a gradient: for ops that build on it. */
export function geluForward<T extends Tensor>(x: T): T {
  if (hasKernel('HicmaeGelu')) return defined(runKernel('HicmaeGelu', { x })[0], 'gelu') as T;
  return mul(x, normalCdf(x));
}

function normalCdf<T extends Tensor>(x: T): T {
  return mul(add(erf(mul<T>(x, Math.SQRT1_2)), 1), 0.5);
}
