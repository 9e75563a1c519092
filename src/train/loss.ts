// Soft-target cross-entropy with its gradient, computed in plain JavaScript: the logits are few.
import { scalar, tensor2d } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
import { assert } from '../base/assert.ts';
import { differentiable } from '../ops/differentiable.ts';

/**
 * sum_i weight_i * -sum_c target_ic log softmax(logits_i)_c / sum_i weight_i.
 * @param logits [B, E]
 * @param targets probabilities, B * E
 * @param weights per row; null is 1
 */
export function crossEntropy(logits: Tensor2D, targets: Float32Array, weights: Float32Array | null): Scalar {
  const [batch, classes] = logits.shape;
  assert(targets.length === batch * classes, 'crossEntropy: targets do not fit');
  const slope = new Float32Array(batch * classes);
  return differentiable(
    [logits],
    () => {
      const values = logits.dataSync<'float32'>();
      let total = 0;
      for (let i = 0; i < batch; i++) total += weights?.[i] ?? 1;
      let loss = 0;
      for (let i = 0; i < batch; i++) {
        const row = i * classes;
        const weight = (weights?.[i] ?? 1) / total;
        let max = -Infinity;
        for (let c = 0; c < classes; c++) max = Math.max(max, values[row + c]!);
        let sum = 0;
        for (let c = 0; c < classes; c++) sum += Math.exp(values[row + c]! - max);
        const logSum = max + Math.log(sum);
        let mass = 0;
        for (let c = 0; c < classes; c++) mass += targets[row + c]!;
        for (let c = 0; c < classes; c++) {
          const logP = values[row + c]! - logSum;
          loss -= weight * targets[row + c]! * logP;
          slope[row + c] = weight * (mass * Math.exp(logP) - targets[row + c]!);
        }
      }
      return scalar(loss);
    },
    [],
    (dy) => {
      const factor = dy.dataSync()[0] ?? 0;
      return [tensor2d(factor === 1 ? slope : slope.map((value) => value * factor), [batch, classes])];
    },
  );
}

/**
 * One-hot targets, smoothed over the classes allowed.
 * @param smoothing taken from the label and spread evenly over `allowed` classes, the label among them
 */
export function smoothTargets(
  labels: ArrayLike<number>,
  classCount: number,
  smoothing: number,
  allowed: readonly boolean[],
): Float32Array {
  const targets = new Float32Array(labels.length * classCount);
  const spreadOver = allowed.filter(Boolean).length;
  for (let i = 0; i < labels.length; i++) {
    for (let c = 0; c < classCount; c++) if (allowed[c] === true) targets[i * classCount + c] = smoothing / spreadOver;
    targets[i * classCount + labels[i]!]! += 1 - smoothing;
  }
  return targets;
}

/** The sum of losses. */
export function sumLosses(parts: readonly Scalar[]): Scalar {
  return differentiable(
    parts,
    () => scalar(parts.reduce((sum, part) => sum + (part.dataSync()[0] ?? NaN), 0)),
    [],
    (dy) => parts.map(() => scalar(dy.dataSync()[0] ?? NaN)),
  );
}
