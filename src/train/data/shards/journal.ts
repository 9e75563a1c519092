// What a job has done so far, a line for each sample, so that it can be killed at any moment and go on.
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../../base/errors.ts';
import { datasetName, journalName, readDataset } from './dataset.ts';
import type { Dataset, Part } from './dataset.ts';
import { shardName } from './write.ts';
import type { ShardPosition } from './write.ts';

/** What the work is: the same again is the same work. */
export interface WorkOrder {
  readonly options: Dataset['options'];
  /** Items of this part. */
  readonly items: number;
  /** Hash of their keys and sources. */
  readonly listing: string;
}

/** What became of an item. */
export type JournalEntry =
  | {
      readonly source: string;
      /** Where the shards' writer stood after the sample. */
      readonly at: ShardPosition;
      readonly label: string | null;
      readonly frames: number;
      readonly found: number;
      readonly soundSamples: number;
      readonly notes: readonly string[];
    }
  | { readonly source: string; readonly why: string };

export interface Journal {
  /** Entries of earlier runs, then this one's, in the items' order. */
  readonly entries: readonly JournalEntry[];
  add(entry: JournalEntry): void;
  close(): void;
  /** The work is done and told of elsewhere. */
  remove(): void;
}

const textOf = (options: Dataset['options'], name: string): string => JSON.stringify(options[name] ?? null);

function differences(before: Dataset['options'], now: Dataset['options']): string {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((name) => textOf(before, name) !== textOf(now, name))
    .map((name) => `${name} ${textOf(before, name)} there, ${textOf(now, name)} now`)
    .join('; ');
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A file's text; '' when another job of the array has just finished and removed it. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

/**
 * @returns the finished part's account; null when it is not finished
 * @throws Problem when the folder holds work with other options, or on other files
 */
export function finishedPart(folder: string, part: Part, order: WorkOrder): Dataset | null {
  if (!existsSync(folder)) return null;
  for (const name of readdirSync(folder)) {
    let options: Dataset['options'] | undefined;
    if (/^dataset(-\d+-of-\d+)?\.json$/.test(name)) options = readDataset(join(folder, name)).options;
    else if (/^journal(-\d+-of-\d+)?\.jsonl$/.test(name)) {
      const [first = ''] = readIfThere(join(folder, name)).split('\n', 1);
      options = (parseLine(first) as WorkOrder | null)?.options;
    }
    const different = options && differences(options, order.options);
    if (different) {
      throw new Problem(
        'unsupported-file',
        `${folder} holds work with other options (${different}): choose another --out, or delete it.`,
      );
    }
  }
  const path = join(folder, datasetName(part));
  if (!existsSync(path)) return null;
  const done = readDataset(path);
  if (done.counts.items !== order.items || done.listing !== order.listing) throw changed(folder);
  const missing = done.shards.find((name) => !existsSync(join(folder, name)));
  if (missing !== undefined) {
    throw new Problem(
      'unsupported-file',
      `${path} names the shard ${missing}, which is not there: delete ${path} and run again.`,
    );
  }
  rmSync(join(folder, journalName(part)), { force: true });
  return done;
}

function changed(folder: string): Problem {
  return new Problem(
    'unsupported-file',
    `The corpus has changed since ${folder} was begun (other files or keys): choose another --out, or delete it.`,
  );
}

/** Opens the part's journal, or begins it. @throws Problem when it belongs to other work */
export function openJournal(folder: string, part: Part, prefix: string, order: WorkOrder): Journal {
  const path = join(folder, journalName(part));
  const entries: JournalEntry[] = [];
  if (existsSync(path)) {
    const lines = readFileSync(path, 'utf8').split('\n');
    const head = parseLine(lines[0] ?? '') as WorkOrder | null;
    if (head !== null && (head.items !== order.items || head.listing !== order.listing))
      throw changed(folder);
    let bytes = 0;
    for (const [n, line] of lines.entries()) {
      const value = parseLine(line);
      if (value === null || n === lines.length - 1) break;
      if (n > 0) {
        const entry = value as JournalEntry;
        // After a loss of power a line may be there whose sample is not.
        if ('at' in entry && !isThere(folder, prefix, entry.at)) break;
        entries.push(entry);
      }
      bytes += Buffer.byteLength(line) + 1;
    }
    truncateSync(path, bytes);
  }
  const file = openSync(path, 'a');
  const write = (value: unknown): void => {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    } catch (error) {
      throw new Problem('unsupported-file', `Cannot write ${path}: ${String(error)}. Is the disk full?`, {
        cause: error,
      });
    }
  };
  if (statSync(path).size === 0) {
    write(order);
    fsyncSync(file);
  }
  let open = true;
  const close = (): void => {
    if (open) closeSync(file);
    open = false;
  };
  return {
    entries,
    add: (entry) => {
      write(entry);
      entries.push(entry);
    },
    close,
    remove: () => {
      close();
      rmSync(path, { force: true });
    },
  };
}

function isThere(folder: string, prefix: string, at: ShardPosition): boolean {
  const path = join(folder, shardName(prefix, at.shard));
  if (existsSync(path)) return true;
  const draft = `${path}.part`;
  return existsSync(draft) && statSync(draft).size >= at.bytes;
}

/** Where to go on writing. */
export function positionAfter(entries: readonly JournalEntry[]): ShardPosition | undefined {
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i];
    if (entry && 'at' in entry) return entry.at;
  }
  return undefined;
}
