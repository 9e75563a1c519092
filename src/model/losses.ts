// Losses of fine-tuning and the targets they read, with hand-written gradients.
import {
  add,
  addN,
  div,
  exp,
  eye,
  logSoftmax,
  matMul,
  mean,
  mul,
  neg,
  sqrt,
  square,
  sub,
  sum,
  tidy,
  transpose,
} from '@tensorflow/tfjs-core';
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
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

/** Mean of squared differences over all elements; no gradient flows to the targets. The same shape, any */
export function meanSquaredError(outputs: Tensor, targets: Tensor): Scalar {
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
 * 1 - the concordance correlation coefficient, mean over outputs, with the moments of the population; no gradient flows
 * to the targets. [B, E] each, B at least 2.
 */
export function concordanceLoss(outputs: Tensor2D, targets: Tensor2D): Scalar {
  const moments = (x: Tensor2D, y: Tensor2D) => {
    const xMean = mean(x, 0, true);
    const yMean = mean(y, 0, true);
    const xd = sub(x, xMean);
    const yd = sub(y, yMean);
    const spread = add(mean(square(xd), 0, true), mean(square(yd), 0, true));
    return {
      yd,
      fromTarget: sub(x, yMean),
      numerator: mul(2, mean(mul(xd, yd), 0, true)),
      denominator: add(spread, square(sub(xMean, yMean))),
    };
  };
  return differentiable<Scalar>(
    [outputs],
    () => {
      const { numerator, denominator } = moments(outputs, targets);
      return sub<Scalar>(1, mean(div(numerator, denominator)));
    },
    [outputs, targets],
    (dy, [x, y]) => {
      assert(x !== undefined && y !== undefined, 'concordance lost its inputs');
      const { yd, fromTarget, numerator, denominator } = moments(x as Tensor2D, y as Tensor2D);
      // d(num/den) = (dnum den - num dden) / den^2, with dnum = 2 yd / B and dden = 2 (x - mean of y) / B.
      const slope = sub(div(yd, denominator), div(mul(numerator, fromTarget), square(denominator)));
      return [mul(slope, mul(dy, -2 / outputs.size))];
    },
  );
}

/**
 * How alike each clip's video and each clip's audio are: cosines / temperature.
 * @param video [B, D]
 * @param audio [B, D]
 * @returns [B, B], row: the video's clip, column: the audio's
 */
export function contrastiveLogits(video: Tensor2D, audio: Tensor2D, temperature: number): Tensor2D {
  const normsOf = (x: Tensor): Tensor => sqrt(sum(square(x), 1, true));
  return differentiable<Tensor2D>(
    [video, audio],
    () =>
      div(
        matMul<Tensor2D>(
          div<Tensor2D>(video, normsOf(video)),
          div<Tensor2D>(audio, normsOf(audio)),
          false,
          true,
        ),
        temperature,
      ),
    [video, audio],
    (dy, saved) => {
      const [v, a] = [defined(saved[0], 'video'), defined(saved[1], 'audio')];
      const [vNorms, aNorms] = [normsOf(v), normsOf(a)];
      const [vUnit, aUnit] = [div(v, vNorms), div(a, aNorms)];
      const slope = (dUnit: Tensor, unit: Tensor, norms: Tensor): Tensor =>
        div(sub(dUnit, mul(unit, sum(mul(dUnit, unit), 1, true))), norms);
      const scaled = div(dy, temperature);
      return [slope(matMul(scaled, aUnit), vUnit, vNorms), slope(matMul(scaled, vUnit, true), aUnit, aNorms)];
    },
  );
}

/**
 * Cross entropy of a square of logits with its diagonal: of each row's softmax, of each column's.
 * @param logits [B, B]
 */
export function diagonalCrossEntropies(logits: Tensor2D): {
  readonly rows: Scalar;
  readonly columns: Scalar;
} {
  return tidy(() => {
    const along = (x: Tensor2D): Scalar => {
      const diagonal = eye(x.shape[0]);
      return div(neg(sum(mul(diagonal, logSoftmax(x)))), x.shape[0]);
    };
    return { rows: along(logits), columns: along(transpose(logits)) };
  });
}

/** Half of both {@link diagonalCrossEntropies}, with a gradient. */
export function diagonalCrossEntropy(logits: Tensor2D): Scalar {
  const batch = logits.shape[0];
  return differentiable<Scalar>(
    [logits],
    () => {
      const { rows, columns } = diagonalCrossEntropies(logits);
      return mul(add(rows, columns), 0.5);
    },
    [logits],
    (dy, saved) => {
      const x = defined(saved[0], 'logits') as Tensor2D;
      const both = add(exp(logSoftmax(x)), transpose(exp(logSoftmax(transpose(x)))));
      return [mul(sub(both, mul(eye(batch), 2)), div(dy, 2 * batch))];
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
