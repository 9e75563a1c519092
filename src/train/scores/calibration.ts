// How far a model's probabilities can be trusted: expected calibration error, negative log-likelihood, and one temperature.
// Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017).
import { assert } from '../../base/assert.ts';
import { argmax, softmax } from './metrics.ts';

export const reliabilityBins = 15;
/** Probabilities below this count as it, so that one sure mistake does not make the mean infinite. */
const leastProbability = 1e-12;
/** A temperature outside of these says that the probabilities tell nothing, or everything. */
const temperatureRange = { least: 0.05, most: 20 } as const;

/** Samples whose greatest probability lies in (low, high]. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly n: number;
  /** Mean of the greatest probabilities, 0..1; null: no sample. */
  readonly confidence: number | null;
  /** Share that was right, 0..1; null: no sample. */
  readonly accuracy: number | null;
}

export interface Calibration {
  /** Expected calibration error, 0..1: |accuracy - confidence| of each bin, weighted by its samples. */
  readonly ece: number;
  /** Mean negative log-likelihood of the true labels, in nats. */
  readonly nll: number;
  readonly bins: readonly ReliabilityBin[];
}

const logOf = (probability: number): number => Math.log(Math.max(probability, leastProbability));

/** Negative log-likelihood of one row's true label, in nats. */
export const surprisal = (row: readonly number[], label: number): number => -logOf(row[label] ?? 0);

/** Number of the bin that a greatest probability falls into. */
export function binOf(confidence: number, bins = reliabilityBins): number {
  return Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1));
}

/**
 * Calibration of class probabilities.
 * @param probabilities one row per sample, each summing to 1
 * @param labels the true class of each sample
 */
export function calibrate(
  probabilities: readonly (readonly number[])[],
  labels: readonly number[],
  bins = reliabilityBins,
): Calibration {
  assert(probabilities.length === labels.length, 'as many predictions as labels');
  const count = new Float64Array(bins);
  const right = new Float64Array(bins);
  const confidence = new Float64Array(bins);
  let nll = 0;
  probabilities.forEach((row, i) => {
    const label = labels[i] ?? 0;
    const best = argmax(row);
    const bin = binOf(row[best] ?? 0, bins);
    count[bin]!++;
    confidence[bin]! += row[best] ?? 0;
    if (best === label) right[bin]!++;
    nll += surprisal(row, label);
  });
  const n = labels.length;
  let ece = 0;
  for (let b = 0; b < bins; b++) ece += Math.abs(right[b]! - confidence[b]!) / Math.max(n, 1);
  return {
    ece,
    nll: n === 0 ? 0 : nll / n,
    bins: Array.from(count, (inBin, b) => ({
      low: b / bins,
      high: (b + 1) / bins,
      n: inBin,
      confidence: inBin === 0 ? null : confidence[b]! / inBin,
      accuracy: inBin === 0 ? null : right[b]! / inBin,
    })),
  };
}

/** Probabilities at a temperature: softmax(ln p / T); 1 leaves them, more makes them less sure. */
export function atTemperature(row: readonly number[], temperature: number): number[] {
  return softmax(row.map((p) => logOf(p) / temperature));
}

/**
 * The temperature with the least negative log-likelihood. Fit it on samples that are not scored.
 * Merged views have no logits of their own, so it works on ln p, which for a single view is the same.
 * @returns within 0.05..20
 */
export function fitTemperature(
  probabilities: readonly (readonly number[])[],
  labels: readonly number[],
): number {
  assert(probabilities.length === labels.length && labels.length > 0, 'samples to fit a temperature on');
  const logits = probabilities.map((row) => row.map(logOf));
  // The likelihood is convex in 1 / T: its slope there rises through 0 once.
  const slope = (inverse: number): number =>
    logits.reduce((sum, row, i) => {
      const p = softmax(row.map((z) => z * inverse));
      return sum + row.reduce((mean, z, c) => mean + z * (p[c] ?? 0), 0) - (row[labels[i] ?? 0] ?? 0);
    }, 0);
  let low = 1 / temperatureRange.most;
  let high = 1 / temperatureRange.least;
  for (let round = 0; round < 50; round++) {
    const middle = (low + high) / 2;
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
  return 2 / (low + high);
}
