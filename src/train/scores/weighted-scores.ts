// The same scores as metrics.ts with a weight for each sample, quick enough to be taken thousands of times: what the
// bootstrap resamples.
import { binOf, reliabilityBins, surprisal } from './calibration.ts';
import { argmax } from './metrics.ts';

/** Scores by name from weights (how often each sample counts); NaN where a score has no meaning. */
export interface WeightedScores {
  readonly names: readonly string[];
  readonly of: (weights: Float64Array) => Float64Array;
}

/** The scores of a classification that carry an interval; `recall LABEL` and `precision LABEL` follow them. */
export const classScoreNames = ['war', 'uar', 'macroF1', 'weightedF1', 'top2', 'top3', 'ece', 'nll'] as const;

/**
 * Weighted scores of class probabilities.
 * @param probabilities one row per sample, each summing to 1
 * @param truth the true class of each sample
 */
export function weightedClassScores(
  probabilities: readonly (readonly number[])[],
  truth: readonly number[],
  labels: readonly string[],
): WeightedScores {
  const classes = labels.length;
  const read = Int32Array.from(probabilities, argmax);
  const sure = Float64Array.from(probabilities, (row, i) => row[read[i]!] ?? 0);
  const bin = Int32Array.from(sure, (value) => binOf(value));
  const loss = Float64Array.from(probabilities, (row, i) => surprisal(row, truth[i] ?? 0));
  const rank = Int32Array.from(probabilities, (row, i) => {
    const own = row[truth[i] ?? 0] ?? 0;
    return row.filter((value) => value > own).length;
  });
  const fixed = classScoreNames.length;
  const names = [
    ...classScoreNames,
    ...labels.map((label) => `recall ${label}`),
    ...labels.map((label) => `precision ${label}`),
  ];
  const hits = new Float64Array(classes);
  const support = new Float64Array(classes);
  const readCount = new Float64Array(classes);
  const gap = new Float64Array(reliabilityBins);
  return {
    names,
    of: (weights) => {
      for (const sums of [hits, support, readCount, gap]) sums.fill(0);
      let n = 0;
      let nll = 0;
      let top2 = 0;
      let top3 = 0;
      for (let i = 0; i < weights.length; i++) {
        const weight = weights[i]!;
        if (weight === 0) continue;
        const label = truth[i]!;
        const best = read[i]!;
        n += weight;
        support[label]! += weight;
        readCount[best]! += weight;
        if (best === label) hits[label]! += weight;
        gap[bin[i]!]! += weight * ((best === label ? 1 : 0) - sure[i]!);
        nll += weight * loss[i]!;
        if (rank[i]! < 2) top2 += weight;
        if (rank[i]! < 3) top3 += weight;
      }
      const out = new Float64Array(names.length);
      let right = 0;
      let present = 0;
      let recalls = 0;
      let f1s = 0;
      let weighted = 0;
      for (let c = 0; c < classes; c++) {
        right += hits[c]!;
        out[fixed + c] = hits[c]! / support[c]!;
        out[fixed + classes + c] = hits[c]! / readCount[c]!;
        if (support[c] === 0) continue;
        present++;
        recalls += hits[c]! / support[c]!;
        const f1 = (2 * hits[c]!) / (support[c]! + readCount[c]!);
        f1s += f1;
        weighted += f1 * support[c]!;
      }
      const ece = gap.reduce((sum, value) => sum + Math.abs(value), 0) / n;
      out.set([right / n, recalls / present, f1s / present, weighted / n, top2 / n, top3 / n, ece, nll / n]);
      return out;
    },
  };
}

/** The scores of continuous outputs, each for the mean of the dimensions and for every one. */
export const dimensionScoreNames = ['ccc', 'pcc', 'mse', 'mae'] as const;

/**
 * Weighted scores of continuous outputs; rows are samples, columns dimensions. Moments are unbiased (n - 1), as official.
 * Names are `ccc`, `pcc`, `mse`, `mae` (means), then `ccc valence` and so on.
 */
export function weightedDimensionScores(
  predicted: readonly (readonly number[])[],
  actual: readonly (readonly number[])[],
  dimensions: readonly string[],
): WeightedScores {
  const columns = dimensions.map((_, d) => ({
    p: Float64Array.from(predicted, (row) => row[d] ?? 0),
    a: Float64Array.from(actual, (row) => row[d] ?? 0),
  }));
  const kinds = dimensionScoreNames.length;
  const names = [
    ...dimensionScoreNames,
    ...dimensions.flatMap((dimension) => dimensionScoreNames.map((name) => `${name} ${dimension}`)),
  ];
  return {
    names,
    of: (weights) => {
      const out = new Float64Array(names.length);
      let n = 0;
      for (const weight of weights) n += weight;
      columns.forEach(({ p, a }, d) => {
        let meanP = 0;
        let meanA = 0;
        for (let i = 0; i < weights.length; i++) {
          meanP += (weights[i]! * p[i]!) / n;
          meanA += (weights[i]! * a[i]!) / n;
        }
        let pp = 0;
        let aa = 0;
        let pa = 0;
        let squares = 0;
        let absolutes = 0;
        for (let i = 0; i < weights.length; i++) {
          const weight = weights[i]!;
          if (weight === 0) continue;
          const x = p[i]! - meanP;
          const y = a[i]! - meanA;
          pp += weight * x * x;
          aa += weight * y * y;
          pa += weight * x * y;
          squares += weight * (p[i]! - a[i]!) ** 2;
          absolutes += weight * Math.abs(p[i]! - a[i]!);
        }
        const rest = n - 1;
        out.set(
          [
            (2 * pa) / (pp + aa + rest * (meanP - meanA) ** 2),
            pa / Math.sqrt(pp * aa),
            squares / n,
            absolutes / n,
          ],
          kinds * (d + 1),
        );
      });
      for (let k = 0; k < kinds; k++) {
        let sum = 0;
        for (let d = 1; d <= columns.length; d++) sum += out[d * kinds + k]!;
        out[k] = sum / columns.length;
      }
      return out;
    },
  };
}
