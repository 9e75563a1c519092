// Scores told apart by what the corpus says of its people (sex, race, age), so that a model that serves some worse shows.
import { bootstrap, bootstrapDefaults, clustersOf } from './bootstrap.ts';
import type { BootstrapOptions, Interval } from './bootstrap.ts';
import type { WeightedScores } from './weighted-scores.ts';

/** The scores of the samples of one value of one group. */
export interface GroupScore {
  /** `sex`, `race`, `age`, ... */
  readonly group: string;
  readonly value: string;
  readonly n: number;
  /** People among them; null: the corpus names none. */
  readonly identities: number | null;
  /** By the score's name; a score that has no meaning here is null. */
  readonly scores: Readonly<Record<string, number | null>>;
  readonly intervals: Readonly<Record<string, Interval | null>>;
}

/** What is known of a scored sample. */
export interface Grouped {
  readonly identity: string | null;
  readonly groups: Readonly<Record<string, string>>;
}

/** More numbers than this are told by decades. */
const mostNumbers = 8;
const wholeNumber = /^\d{1,3}$/;

/** Each sample's value of a group, ages as decades where there are many; undefined: not told. */
function valuesOf(samples: readonly Grouped[], group: string): (string | undefined)[] {
  const values = samples.map((sample) => sample.groups[group]);
  const different = new Set(values.filter((value) => value !== undefined));
  if (different.size <= mostNumbers || ![...different].every((value) => wholeNumber.test(value)))
    return values;
  return values.map((value) => {
    if (value === undefined) return undefined;
    const decade = Math.floor(Number(value) / 10) * 10;
    return `${String(decade)}-${String(decade + 9)}`;
  });
}

/**
 * Scores of every value of every group, groups and values in alphabetical order.
 * @param scoresOf the scores of the chosen samples
 * @param names which of them to tell
 */
export function groupScores(
  samples: readonly Grouped[],
  scoresOf: (chosen: readonly number[]) => WeightedScores,
  names: readonly string[],
  options: BootstrapOptions = bootstrapDefaults,
): GroupScore[] {
  const groups = [...new Set(samples.flatMap((sample) => Object.keys(sample.groups)))].sort();
  return groups.flatMap((group) => {
    const values = valuesOf(samples, group);
    const different = [...new Set(values.filter((value) => value !== undefined))].sort();
    return different.map((value): GroupScore => {
      const chosen = Array.from(values.keys()).filter((i) => values[i] === value);
      const weighted = scoresOf(chosen);
      const clusters = clustersOf(chosen.map((i) => samples[i]?.identity ?? null));
      const point = weighted.of(new Float64Array(chosen.length).fill(1));
      const intervals = bootstrap(clusters, weighted.of, options);
      const pick = <T>(from: (k: number) => T): Record<string, T> =>
        Object.fromEntries(names.map((name) => [name, from(weighted.names.indexOf(name))]));
      return {
        group,
        value,
        n: chosen.length,
        identities: clusters.by === 'identity' ? clusters.count : null,
        scores: pick((k) => (Number.isFinite(point[k]) ? point[k]! : null)),
        intervals: pick((k) => intervals[k] ?? null),
      };
    });
  });
}
