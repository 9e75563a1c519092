// Which prepared samples a run trains on and looks at, and what is wanted of each.
import { Problem } from '../../base/errors.ts';
import type { SampleMeta, SampleSet } from '../data/sample.ts';
import { permutation, streamOf } from '../tasks/sampler.ts';
import { sharedFloats, sharedInts } from '../base/shared-array.ts';
import type { SharedFloats, SharedInts } from '../base/shared-array.ts';

export interface SplitOptions {
  /** Cross-validation fold that is held out; null: none is. */
  readonly fold: number | null;
  /** Share of people (of samples, where nobody is named) held out where a corpus has neither folds nor splits, 0..1. */
  readonly validShare: number;
  readonly seed: number;
}

export interface Split {
  readonly trained: readonly number[];
  readonly validated: readonly number[];
  /** Samples in neither, by reason. */
  readonly leftOut: Readonly<Record<string, number>>;
}

/**
 * Splits samples: by fold where one is held out and the sample has one, else by the corpus' own split (its test samples
 * stand in where it has no validation samples, as in the official code), else by person.
 * @param usable why a sample cannot be used; null: it can
 */
export function splitSamples(
  samples: readonly SampleMeta[],
  usable: (sample: SampleMeta) => string | null,
  { fold, validShare, seed }: SplitOptions,
): Split {
  const trained: number[] = [];
  const validated: number[] = [];
  const leftOut: Record<string, number> = {};
  const corpora = new Map<string, SampleMeta[]>();
  for (const sample of samples) {
    const own = corpora.get(sample.corpus);
    if (own) own.push(sample);
    else corpora.set(sample.corpus, [sample]);
  }
  const roles = new Map(
    [...corpora].map(([corpus, all]) => [corpus, roleOf(all, { fold, validShare, seed })]),
  );
  samples.forEach((sample, i) => {
    const why = usable(sample);
    const role = why ?? roles.get(sample.corpus)!(sample);
    if (role === 'train') trained.push(i);
    else if (role === 'valid') validated.push(i);
    else leftOut[role] = (leftOut[role] ?? 0) + 1;
  });
  return { trained, validated, leftOut };
}

/** Of one corpus: `train`, `valid`, or why a sample is neither. */
function roleOf(
  samples: readonly SampleMeta[],
  { fold, validShare, seed }: SplitOptions,
): (sample: SampleMeta) => string {
  if (fold !== null && samples.some((sample) => sample.fold !== null)) {
    return (sample) => (sample.fold === null ? 'without a fold' : sample.fold === fold ? 'valid' : 'train');
  }
  if (samples.some((sample) => sample.split !== null)) {
    const held = samples.some(({ split }) => split === 'valid') ? 'valid' : 'test';
    return ({ split }) =>
      split === 'train'
        ? 'train'
        : split === held
          ? 'valid'
          : split === null
            ? 'without a split'
            : 'of the test split';
  }
  const who = ({ identity, key }: SampleMeta): string => identity ?? key;
  const people = [...new Set(samples.map(who))].sort();
  const order = permutation(people.length, streamOf(seed, 0, 3));
  const held = new Set(
    Array.from(order.subarray(0, Math.round(validShare * people.length)), (i) => people[i]!),
  );
  return (sample) => (held.has(who(sample)) ? 'valid' : 'train');
}

/** What a run's head is to say of every sample. */
export interface Wanted {
  /** Classes, or dimensions. */
  readonly labels: readonly string[];
  /** Shape [samples, labels]; samples that are not used hold zeros. */
  readonly targets: SharedFloats;
  /** Each sample's weight in the loss. */
  readonly weights: SharedFloats;
}

export interface ClassOptions {
  /** Null: those of the data. */
  readonly classes: readonly string[] | null;
  readonly smoothing: number;
  /** Crowd votes as targets where there are any. */
  readonly softLabels: boolean;
  /** `none`, `balanced` (inverse to the classes' sizes), or a weight by class. */
  readonly classWeights: 'none' | 'balanced' | Readonly<Record<string, number>>;
}

/** Why a sample cannot teach classes. */
export function usableClass(classes: readonly string[]): (sample: SampleMeta) => string | null {
  return ({ label }) =>
    label === null
      ? 'without a label'
      : classes.includes(label)
        ? null
        : `labeled ${label}, which is no class of this run`;
}

/** Distributions over classes. @param trained whose sizes balance the weights */
export function wantedClasses(
  samples: readonly SampleMeta[],
  trained: readonly number[],
  classes: readonly string[],
  { smoothing, softLabels, classWeights }: ClassOptions,
): Wanted {
  const targets = sharedFloats(samples.length * classes.length);
  const weights = sharedFloats(samples.length).fill(1);
  samples.forEach(({ label, votes }, i) => {
    const own = classes.indexOf(label ?? '');
    if (own < 0) return;
    const counts = classes.map((name) => Math.max(0, votes?.[name] ?? 0));
    const sum = counts.reduce((a, b) => a + b, 0);
    classes.forEach((_, c) => {
      targets[i * classes.length + c] =
        softLabels && sum > 0
          ? counts[c]! / sum
          : smoothing / classes.length + (c === own ? 1 - smoothing : 0);
    });
  });
  if (classWeights === 'none') return { labels: classes, targets, weights };
  const sizes = classes.map((name) => trained.filter((i) => samples[i]?.label === name).length);
  const factors = classes.map((name, c) =>
    classWeights === 'balanced'
      ? trained.length / (classes.length * Math.max(1, sizes[c]!))
      : (classWeights[name] ?? 1),
  );
  samples.forEach(({ label }, i) => (weights[i] = factors[classes.indexOf(label ?? '')] ?? 1));
  return { labels: classes, targets, weights };
}

/** Dimensions' values as they are. */
export function wantedDimensions(samples: readonly SampleMeta[], dimensions: readonly string[]): Wanted {
  const targets = sharedFloats(samples.length * dimensions.length);
  samples.forEach((sample, i) => {
    dimensions.forEach((name, d) => (targets[i * dimensions.length + d] = sample.dimensions?.[name] ?? 0));
  });
  return { labels: dimensions, targets, weights: sharedFloats(samples.length).fill(1) };
}

/** Why a sample cannot teach dimensions. */
export function usableDimensions(dimensions: readonly string[]): (sample: SampleMeta) => string | null {
  return (sample) => {
    const missing = dimensions.filter((name) => !Number.isFinite(sample.dimensions?.[name]));
    return missing.length === 0 ? null : `without a value of ${missing.join(', ')}`;
  };
}

/** Dimensions that samples have, in the order of the first that has any. */
export function dimensionsOf({ samples }: SampleSet): string[] {
  return Object.keys(samples.find((sample) => sample.dimensions !== null)?.dimensions ?? {});
}

export function sharedIds(ids: readonly number[]): SharedInts {
  const shared = sharedInts(ids.length);
  shared.set(ids);
  return shared;
}

/** @throws Problem when there is too little to train on */
export function checkEnough(split: Split, batch: number): void {
  if (split.trained.length >= batch) return;
  const reasons = Object.entries(split.leftOut).map(([why, count]) => `${String(count)} ${why}`);
  throw new Problem(
    'unsupported-file',
    `${String(split.trained.length)} samples to train on, fewer than a batch of ${String(batch)} (${String(split.validated.length)} held out; left out: ${reasons.join(', ') || 'none'}). Give more --data or a smaller --batch.`,
  );
}
