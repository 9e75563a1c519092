// Losses of fine-tuning and the targets they read, with hand-written gradients.
import { add, addN, div, exp, logSoftmax, mean, mul, neg, square, sub, sum } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { assert } from '../base/assert.ts';
import { differentiable } from '../ops/differentiable.ts';

/** Added to an excluded class's logit: its probability is then exactly 0 in float32. */
const excludedLogit = -1e4;

/**
 * Mean over clips of -sum(target * log softmax(logits)).
 * @param logits [B, E]
 * @param targets [B, E]; each row sums to 1; no gradient flows to it
 * @param excluded [B, E], 1 where the row's softmax leaves the class out (data that cannot have it), else 0; such a
 *   class's target must be 0
 */
export function softTargetCrossEntropy(
  logits: Tensor2D,
  targets: Tensor2D,
  excluded: Tensor2D | null = null,
): Scalar {
  const batch = logits.shape[0];
  const logProbabilities = (x: Tensor): Tensor =>
    logSoftmax(excluded === null ? x : add(x, mul(excluded, excludedLogit)));
  return differentiable<Scalar>(
    [logits],
    () => div(neg(sum(mul(targets, logProbabilities(logits)))), batch),
    [logits, targets, ...(excluded === null ? [] : [excluded])],
    (dy, [savedLogits, savedTargets, savedExcluded]) => {
      assert(savedLogits !== undefined && savedTargets !== undefined, 'cross entropy lost its inputs');
      const x =
        savedExcluded === undefined ? savedLogits : add(savedLogits, mul(savedExcluded, excludedLogit));
      const weights = sum(savedTargets, 1, true);
      return [mul(sub(mul(exp(logSoftmax(x)), weights), savedTargets), div(dy, batch))];
    },
  );
}

/** Mean of squared differences over all elements; no gradient flows to the targets. [B, E] each */
export function meanSquaredError(outputs: Tensor2D, targets: Tensor2D): Scalar {
  return differentiable<Scalar>(
    [outputs],
    () => mean(square(sub(outputs, targets))),
    [outputs, targets],
    (dy, [savedOutputs, savedTargets]) => {
      assert(savedOutputs !== undefined && savedTargets !== undefined, 'squared error lost its inputs');
      return [mul(sub(savedOutputs, savedTargets), mul(dy, 2 / outputs.size))];
    },
  );
}

/**
 * One-hot targets, smoothed: 1 - smoothing + smoothing / E for the label, smoothing / E elsewhere.
 * @param labels B class numbers
 * @param smoothing 0..1; 0.1 in the official classification recipes, 0 for none
 * @param kept E flags, for data that lacks classes: smoothing is shared by the kept ones only; null keeps all
 * @returns [B, E], row-major
 */
export function smoothTargets(
  labels: readonly number[],
  classCount: number,
  smoothing: number,
  kept: readonly boolean[] | null = null,
): Float32Array {
  const keptCount = kept === null ? classCount : kept.filter(Boolean).length;
  const targets = new Float32Array(labels.length * classCount);
  labels.forEach((label, row) => {
    assert(
      label >= 0 && label < classCount && kept?.[label] !== false,
      `smoothTargets: label ${String(label)}`,
    );
    for (let c = 0; c < classCount; c++) {
      if (kept?.[c] === false) continue;
      targets[row * classCount + c] = smoothing / keptCount + (c === label ? 1 - smoothing : 0);
    }
  });
  return targets;
}

/**
 * Targets of mixed clips: lambda * own + (1 - lambda) * partner's. The official code's partner is the batch reversed.
 * @param targets [B, E], row-major
 * @param partners B row numbers
 * @param lambda share of the clip's own, 0..1
 */
export function mixTargets(
  targets: Float32Array,
  classCount: number,
  partners: readonly number[],
  lambda: number,
): Float32Array {
  return targets.map((own, i) => {
    const partner = partners[Math.floor(i / classCount)] ?? NaN;
    return lambda * own + (1 - lambda) * (targets[partner * classCount + (i % classCount)] ?? NaN);
  });
}

/** The weighted sum of a loss's parts, for a step over batches of several kinds. */
export function weightedSum(parts: readonly { readonly loss: Scalar; readonly weight: number }[]): Scalar {
  return differentiable<Scalar>(
    parts.map(({ loss }) => loss),
    () => addN(parts.map(({ loss, weight }) => mul<Scalar>(loss, weight))),
    [],
    (dy) => parts.map(({ weight }) => mul(dy, weight)),
  );
}
