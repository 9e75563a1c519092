// Scores of predictions against labels: pure arithmetic in double precision, as the official code merges and counts.
import { assert } from '../../base/assert.ts';

/** Counts of a classification; a label without a single true sample has no recall and stays out of the means. */
export interface ClassificationScores {
  /** Samples. */
  readonly n: number;
  /** Weighted average recall: the share of samples that were right (accuracy), 0..1. */
  readonly war: number;
  /** Unweighted average recall: the mean of the recalls of the labels present, 0..1. */
  readonly uar: number;
  /** Per label, 0..1; null when no sample has the label. */
  readonly recall: readonly (number | null)[];
  /** Rows are true labels, columns predictions. */
  readonly confusion: readonly (readonly number[])[];
  /** Per label, 0..1: the share of what was read as it that is it; null when nothing was read as it. */
  readonly precision: readonly (number | null)[];
  /** Per label, 0..1: harmonic mean of recall and precision; null when no sample has the label. */
  readonly f1: readonly (number | null)[];
  /** Share of samples whose true label is among the two, three and five most probable, 0..1. */
  readonly top2: number;
  readonly top3: number;
  readonly top5: number;
  /** Mean F1 of the labels present, 0..1. */
  readonly macroF1: number;
  /** F1 of each label weighted by its true count (as scikit-learn's `weighted`), 0..1. */
  readonly weightedF1: number;
}

/** Softmax of one row of logits, in double precision. */
export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const max = Math.max(...values);
  const exponentials = values.map((value) => Math.exp(value - max));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

/** Element-wise mean of rows of equal length: how the views of one clip are merged. */
export function meanOfRows(rows: readonly (readonly number[])[]): number[] {
  const first = rows[0];
  assert(first !== undefined, 'meanOfRows needs a row');
  return first.map((_, c) => rows.reduce((sum, row) => sum + (row[c] ?? 0), 0) / rows.length);
}

/** Index of the largest value; the first of equals. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  return best;
}

/**
 * Scores of class probabilities.
 * @param probabilities one row of classCount values per sample (any monotone score will do)
 * @param labels the true class of each sample
 */
export function scoreClassification(
  probabilities: readonly (readonly number[])[],
  labels: readonly number[],
  classCount: number,
): ClassificationScores {
  assert(probabilities.length === labels.length, 'as many predictions as labels');
  const confusion = Array.from({ length: classCount }, () => new Array<number>(classCount).fill(0));
  let right = 0;
  const within = new Float64Array(6);
  labels.forEach((label, i) => {
    const row = probabilities[i] ?? [];
    const predicted = argmax(row);
    const counts = confusion[label];
    assert(counts !== undefined, `label ${String(label)} is not a class`);
    counts[predicted] = (counts[predicted] ?? 0) + 1;
    if (predicted === label) right++;
    const rank = row.filter((value) => value > (row[label] ?? 0)).length;
    for (let k = rank + 1; k <= 5; k++) within[k]!++;
  });
  const support = confusion.map((row) => row.reduce((a, b) => a + b, 0));
  const recall = confusion.map((row, c) => {
    const count = support[c] ?? 0;
    return count === 0 ? null : (row[c] ?? 0) / count;
  });
  const present = recall.filter((value) => value !== null);
  const n = labels.length;
  const read = confusion.map((_, c) => confusion.reduce((total, row) => total + (row[c] ?? 0), 0));
  const precision = read.map((count, c) => (count === 0 ? null : (confusion[c]?.[c] ?? 0) / count));
  const f1 = confusion.map((row, c) => {
    const count = support[c] ?? 0;
    return count === 0 ? null : (2 * (row[c] ?? 0)) / (count + (read[c] ?? 0));
  });
  const topK = (k: number): number => (n === 0 ? 0 : (within[k] ?? 0) / n);
  return {
    n,
    war: n === 0 ? 0 : right / n,
    uar: present.length === 0 ? 0 : present.reduce((a, b) => a + b, 0) / present.length,
    recall,
    precision,
    f1,
    confusion,
    top2: topK(2),
    top3: topK(3),
    top5: topK(5),
    macroF1:
      present.length === 0 ? 0 : f1.reduce((sum: number, value) => sum + (value ?? 0), 0) / present.length,
    weightedF1:
      f1.reduce((sum: number, value, c) => sum + (value ?? 0) * (support[c] ?? 0), 0) / Math.max(n, 1),
  };
}

/** One value per dimension, and their mean. */
export interface PerDimension {
  readonly mean: number;
  readonly perDimension: readonly number[];
}

/** The official code's regression metrics. */
export interface RegressionScores {
  /** mean(1 - |difference|), the official "accuracy". */
  readonly acc: PerDimension;
  readonly mae: PerDimension;
  readonly mse: PerDimension;
  /** Its mean is the mean of the dimensions' roots. */
  readonly rmse: PerDimension;
  /** Pearson's correlation. */
  readonly pcc: PerDimension;
  /** Concordance correlation, with unbiased (n - 1) moments. */
  readonly ccc: PerDimension;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Unbiased (n - 1) covariance. */
function covariance(a: readonly number[], b: readonly number[]): number {
  const meanA = mean(a);
  const meanB = mean(b);
  return a.reduce((sum, value, i) => sum + (value - meanA) * ((b[i] ?? 0) - meanB), 0) / (a.length - 1);
}

/** Concordance correlation coefficient of two series: 2 cov / (var + var + (mean difference)^2), unbiased moments. */
function concordance(predicted: readonly number[], actual: readonly number[]): number {
  const difference = mean(predicted) - mean(actual);
  const spread = covariance(predicted, predicted) + covariance(actual, actual);
  return (2 * covariance(predicted, actual)) / (spread + difference ** 2);
}

/** Scores of continuous outputs; rows are samples, columns dimensions. */
export function scoreRegression(
  predicted: readonly (readonly number[])[],
  actual: readonly (readonly number[])[],
): RegressionScores {
  assert(predicted.length === actual.length && predicted.length > 1, 'at least two rows of each');
  const dimensions = (predicted[0] ?? []).map((_, d) => ({
    p: predicted.map((row) => row[d] ?? 0),
    a: actual.map((row) => row[d] ?? 0),
  }));
  const per = (score: (p: readonly number[], a: readonly number[]) => number): PerDimension => {
    const perDimension = dimensions.map(({ p, a }) => score(p, a));
    return { mean: mean(perDimension), perDimension };
  };
  const absolute = (p: readonly number[], a: readonly number[]): number =>
    mean(p.map((v, i) => Math.abs(v - (a[i] ?? 0))));
  const squared = (p: readonly number[], a: readonly number[]): number =>
    mean(p.map((v, i) => (v - (a[i] ?? 0)) ** 2));
  return {
    acc: per((p, a) => 1 - absolute(p, a)),
    mae: per(absolute),
    mse: per(squared),
    rmse: per((p, a) => Math.sqrt(squared(p, a))),
    pcc: per((p, a) => covariance(p, a) / Math.sqrt(covariance(p, p) * covariance(a, a))),
    ccc: per(concordance),
  };
}
