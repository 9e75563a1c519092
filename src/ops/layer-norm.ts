// Layer normalization over the last dimension.
import { add, mean, mul, reshape, rsqrt, square, sub } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import { differentiable, runKernel } from './differentiable.ts';
import { hasKernel } from './kernels.ts';
import { columnSum, toRows } from './matmul.ts';

/** HiCMAE's epsilon, everywhere. */
const layerNormEpsilon = 1e-6;

/**
 * (x - mean) / sqrt(variance + epsilon) * weight + bias over the last dimension (population variance).
 * @param x [..., D]
 * @param weight [D]
 * @param bias [D]
 */
export function layerNorm<T extends Tensor>(
  x: T,
  weight: Tensor,
  bias: Tensor,
  epsilon = layerNormEpsilon,
): T {
  const forward = (): T => {
    if (hasKernel('HicmaeLayerNorm')) {
      return defined(runKernel('HicmaeLayerNorm', { x, weight, bias }, { epsilon })[0], 'norm') as T;
    }
    const { normed } = normalize(toRows(x), epsilon);
    return reshape(add(mul(normed, weight), bias), x.shape) as T;
  };
  return differentiable<T>([x, weight, bias], forward, [x, weight], (dy, saved) => {
    const savedX = defined(saved[0], 'x');
    const savedWeight = defined(saved[1], 'weight');
    if (hasKernel('HicmaeLayerNormGrad')) {
      return runKernel('HicmaeLayerNormGrad', { x: savedX, weight: savedWeight, dy }, { epsilon });
    }
    const { normed, inverseDeviation } = normalize(toRows(savedX), epsilon);
    const dyRows = toRows(dy);
    const scaled = mul<Tensor2D>(dyRows, savedWeight);
    const along = mean(mul(scaled, normed), 1, true);
    const dx = mul(inverseDeviation, sub(sub(scaled, mean(scaled, 1, true)), mul(normed, along)));
    return [reshape(dx, x.shape), columnSum(mul(dyRows, normed)), columnSum(dyRows)];
  });
}

function normalize(rows: Tensor2D, epsilon: number): { normed: Tensor2D; inverseDeviation: Tensor2D } {
  const centered = sub<Tensor2D>(rows, mean(rows, 1, true));
  const variance = mean<Tensor2D>(square(centered), 1, true);
  const inverseDeviation = rsqrt(add<Tensor2D>(variance, epsilon));
  return { normed: mul(centered, inverseDeviation), inverseDeviation };
}
