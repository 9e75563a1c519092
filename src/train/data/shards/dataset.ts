// The file beside the shards that says what they are: dataset.json, or one for each part when the work was split.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../../base/errors.ts';

/** A part's number and how many there are, both from 1. */
export interface Part {
  readonly index: number;
  readonly count: number;
}

/** What was not taken in, or not wholly. */
export interface Remark {
  /** The file, relative to the corpus' folder. */
  readonly source: string;
  readonly why: string;
}

/** One finished job's account. */
export interface Dataset {
  readonly format: 'emotion-recognizer dataset 1';
  readonly corpus: string;
  /** The corpus' classes in its order. */
  readonly classes: readonly string[];
  readonly dimensions: readonly string[];
  readonly part: Part;
  /** Names of this part's shards, in order. */
  readonly shards: readonly string[];
  /** Hash of the part's keys and sources. */
  readonly listing: string;
  readonly counts: {
    /** Items of this part. */
    readonly items: number;
    readonly samples: number;
    readonly withFace: number;
    readonly withSound: number;
    readonly frames: number;
    /** Frames in which the face was found. */
    readonly found: number;
    readonly soundSeconds: number;
    readonly byLabel: Readonly<Record<string, number>>;
  };
  /** Rows and files that the corpus' labels leave out; the first part alone tells of them. */
  readonly notListed: readonly Remark[];
  /** Unreadable, or nothing in it that was wanted. */
  readonly leftOut: readonly Remark[];
  /** Taken, but not as it was hoped: cut, damaged inside, without its sound. */
  readonly notes: readonly Remark[];
  /** What was asked for: the same options on the same folder are the same work. */
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
}

/** Endings of a part's files: '' for work that was not split. */
export function partName(stem: string, { index, count }: Part): string {
  if (count === 1) return stem;
  const digits = Math.max(4, String(count).length);
  const pad = (value: number): string => String(value).padStart(digits, '0');
  return `${stem}-${pad(index)}-of-${pad(count)}`;
}

export const datasetName = (part: Part): string => `${partName('dataset', part)}.json`;
/** What a job has done so far; it is there only while the job is not finished. */
export const journalName = (part: Part): string => `${partName('journal', part)}.jsonl`;

/**
 * The accounts in a folder, by part; none when the shards were made elsewhere.
 * @throws Problem when one is unreadable, parts are missing, or a job is not finished
 */
export function readDatasets(folder: string): Dataset[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    throw new Problem('unsupported-file', `Cannot read the folder ${folder}: ${String(error)}`, {
      cause: error,
    });
  }
  const unfinished = names.find((name) => /^journal(-\d+-of-\d+)?\.jsonl$/.test(name));
  if (unfinished !== undefined) {
    throw new Problem(
      'unsupported-file',
      `${folder} is not wholly prepared (${unfinished} is there): run the same prepare command again to finish it.`,
    );
  }
  const datasets = names
    .filter((name) => /^dataset(-\d+-of-\d+)?\.json$/.test(name))
    .map((name) => readDataset(join(folder, name)));
  const count = datasets[0]?.part.count ?? 0;
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter(
    (index) => !datasets.some(({ part }) => part.index === index && part.count === count),
  );
  if (missing.length > 0 || datasets.length > count) {
    const what =
      missing.length > 0
        ? `lacks part ${missing.join(', ')} of ${String(count)}: run prepare with --shard ${String(missing[0])}/${String(count)}`
        : 'holds parts of differently split work: prepare into an empty folder';
    throw new Problem('unsupported-file', `${folder} ${what}.`);
  }
  return datasets;
}

/** @throws Problem when it cannot be read or is something else */
export function readDataset(path: string): Dataset {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<Dataset>;
    if (value.format !== 'emotion-recognizer dataset 1')
      throw new Error(`its format is ${String(value.format)}`);
    return value as Dataset;
  } catch (error) {
    throw new Problem(
      'unsupported-file',
      `${path} is not a data set's description by prepare (${String(error)}). Take it away if the shards were made elsewhere.`,
      { cause: error },
    );
  }
}
