// How far a score could have come out otherwise: percentile bootstrap, whole people at a time where people are known.
import { random } from '../../base/random.ts';

/** Bounds of a percentile interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly resamples: number;
  readonly seed: number;
  /** Share of the resamples inside an interval, 0..1. */
  readonly confidence: number;
}

export const bootstrapDefaults: BootstrapOptions = { resamples: 2000, seed: 1, confidence: 0.95 };

/** What is drawn as a whole: samples of one person hang together, and an interval that takes them one by one is too narrow. */
export interface Clusters {
  /** Cluster of each sample. */
  readonly of: Int32Array;
  readonly count: number;
  /** `identity` where at least one sample names a person; samples that name none are drawn alone. */
  readonly by: 'identity' | 'sample';
}

/** @param identities who each sample is of; null: not told */
export function clustersOf(identities: readonly (string | null)[]): Clusters {
  const known = new Map<string, number>();
  let count = 0;
  const of = Int32Array.from(identities, (identity) => {
    if (identity === null) return count++;
    let cluster = known.get(identity);
    if (cluster === undefined) known.set(identity, (cluster = count++));
    return cluster;
  });
  return { of, count, by: known.size > 0 ? 'identity' : 'sample' };
}

/** Value below which `share` of the ascending values lie, linearly between neighbors (as NumPy's percentile). */
export function quantile(ascending: ArrayLike<number>, share: number): number {
  const at = share * (ascending.length - 1);
  const below = Math.floor(at);
  const a = ascending[below] ?? NaN;
  const b = ascending[Math.min(below + 1, ascending.length - 1)] ?? NaN;
  return a + (at - below) * (b - a);
}

/** Fewer clusters tell nothing of others: an interval from them would only look sure. */
export const leastClusters = 5;

/**
 * Percentile intervals of statistics.
 * @param statistics values of a resample, from how often each sample was drawn; NaN where a value has no meaning there
 * @returns one for each value; null where there are fewer than {@link leastClusters} clusters, or fewer
 *   than half of the resamples have it
 */
export function bootstrap(
  clusters: Clusters,
  statistics: (weights: Float64Array) => ArrayLike<number>,
  options: BootstrapOptions = bootstrapDefaults,
): (Interval | null)[] {
  const { of, count } = clusters;
  const stream = random(options.seed);
  const drawn = new Float64Array(count);
  const weights = new Float64Array(of.length);
  const values: number[][] = [];
  for (let round = 0; round < options.resamples; round++) {
    drawn.fill(0);
    for (let i = 0; i < count; i++) drawn[stream.integer(count)]!++;
    for (let i = 0; i < of.length; i++) weights[i] = drawn[of[i]!]!;
    const row = statistics(weights);
    for (let k = 0; k < row.length; k++) {
      const value = row[k]!;
      const into = (values[k] ??= []);
      if (Number.isFinite(value)) into.push(value);
    }
  }
  const tail = (1 - options.confidence) / 2;
  return values.map((found) => {
    if (count < leastClusters || found.length < options.resamples / 2) return null;
    const ascending = Float64Array.from(found).sort();
    return { low: quantile(ascending, tail), high: quantile(ascending, 1 - tail) };
  });
}
