// The work of `prepare`: a part of a corpus to shards, side by side, in an order that does not depend on it, and so that
// a killed run goes on where it was.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Problem } from '../../../base/errors.ts';
import { sampleRateHz } from '../../../clip/log-mel.ts';
import { sha256, writeWhole } from '../../base/cache.ts';
import type { Corpus, CorpusItem, CorpusListing } from '../corpora/corpus.ts';
import { openFaceFinder } from '../../../face-points/face-points.ts';
import { inOrder } from './in-order.ts';
import { openCropper } from './crop.ts';
import { openDecoders } from './decode.ts';
import { prepareItem } from './prepare-item.ts';
import type { ItemTools, ItemWish } from './prepare-item.ts';
import { progress } from '../../base/progress.ts';
import { datasetName, partName } from '../shards/dataset.ts';
import type { Dataset, Part, Remark } from '../shards/dataset.ts';
import { finishedPart, openJournal, positionAfter } from '../shards/journal.ts';
import type { JournalEntry, WorkOrder } from '../shards/journal.ts';
import { longestKey, openShardWriter } from '../shards/write.ts';

export interface PrepareOptions extends Omit<ItemWish, 'corpus'> {
  readonly out: string;
  readonly part: Part;
  /** How many samples are worked on at a time. */
  readonly jobs: number;
  /** Only so many of the corpus, chosen evenly; absent: all. */
  readonly limit?: number | undefined;
  readonly shardMb: number;
  readonly shardSamples: number;
  /** Longest wait for a file's next frames, seconds. */
  readonly patience: number;
  readonly corpusOptions: Readonly<Record<string, string>>;
}

/** Order of the shards: that of the keys' hashes, so that a reader who goes through them in order meets all kinds. */
function shuffled(corpus: string, items: readonly CorpusItem[]): CorpusItem[] {
  return items
    .map((item) => {
      const hash = sha256(corpus, '/', item.key);
      const key =
        item.key.length > longestKey
          ? `${item.key.slice(0, longestKey - 17)}-${hash.slice(0, 16)}`
          : item.key;
      return { hash, item: { ...item, key } };
    })
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ item }) => item);
}

function workOrder(corpus: Corpus, items: readonly CorpusItem[], options: PrepareOptions): WorkOrder {
  const { cropPx, fps, frames, align, faceless, only, maxSeconds, lookMs, limit, shardMb, shardSamples } =
    options;
  return {
    options: {
      corpus: corpus.name,
      parts: options.part.count,
      ...{ cropPx, fps, frames, align, faceless, only, maxSeconds, lookMs, shardMb, shardSamples },
      limit: limit ?? null,
      ...options.corpusOptions,
    },
    items: items.length,
    listing: sha256(...items.map(({ key, source }) => `${key}\t${source}\n`)).slice(0, 32),
  };
}

/**
 * Prepares a part of a corpus, going on where an earlier run stopped.
 * @param stop ends the work early when aborted; what is done is kept
 * @returns the part's account; null when it was stopped
 * @throws Problem when the corpus is not laid out as it should be, the folder holds other work, or a tool fails
 */
export async function prepare(
  corpus: Corpus,
  folder: string,
  options: PrepareOptions,
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<Dataset | null> {
  const { out, part } = options;
  const listing = await corpus.list(folder, options.corpusOptions);
  const all = shuffled(corpus.name, listing.items).slice(0, options.limit);
  const items = all.filter((_, i) => i % part.count === part.index - 1);
  const order = workOrder(corpus, items, options);
  const finished = finishedPart(out, part, order);
  if (finished) {
    say(`${out} is prepared already; nothing is to be done.`);
    return finished;
  }
  const isStopped = (): boolean => stop.aborted;
  if (isStopped()) return null;
  mkdirSync(out, { recursive: true });
  const prefix = partName('shard', part);
  const journal = openJournal(out, part, prefix, order);
  const limits = { shardBytes: options.shardMb * 1e6, shardSamples: options.shardSamples };
  const writer = openShardWriter(out, prefix, limits, positionAfter(journal.entries));
  try {
    const begun = journal.entries.length;
    if (begun > 0) say(`Going on after ${String(begun)} of ${String(items.length)}.`);
    const tell = progress('preparing', say);
    const relative = (why: string, source: string): string => {
      const short = why.replaceAll(`${resolve(folder)}/`, '').replaceAll(`${folder}/`, '');
      return short.startsWith(`${source} `) ? short.slice(source.length + 1) : short;
    };
    await withTools(items.slice(begun), options, stop, (tools) =>
      inOrder(
        { from: begun, to: items.length, jobs: tools.length },
        (i, job) => prepareItem(items[i]!, { ...options, corpus: corpus.name }, tools[job]!),
        (i, result) => {
          const { source } = items[i]!;
          if ('why' in result) journal.add({ source, why: relative(result.why, source) });
          else {
            const { frameCount, foundCount, sampleCount, label } = result.sample.meta;
            journal.add({
              source,
              at: writer.add(result.sample),
              label,
              frames: frameCount,
              found: foundCount,
              soundSamples: sampleCount,
              notes: result.notes.map((note) => relative(note, source)),
            });
          }
          tell(i + 1, items.length);
        },
        isStopped,
      ),
    );
    if (isStopped()) {
      say(
        `Stopped after ${String(journal.entries.length)} of ${String(items.length)}; the same command goes on from there.`,
      );
      return null;
    }
    const account = accountOf(corpus, listing, order, part, writer.finish(), journal.entries);
    if (items.length > 0 && account.counts.samples === 0) {
      // Not called done: whatever was missing may be there next time.
      journal.remove();
      tellOf('Left out', account.leftOut, say);
      throw new Problem(
        'unsupported-file',
        `None of ${String(items.length)} samples of ${folder} could be prepared.`,
      );
    }
    writeWhole(`${out}/${datasetName(part)}`, `${JSON.stringify(account, null, 2)}\n`);
    journal.remove();
    return account;
  } finally {
    writer.close();
    journal.close();
  }
}

/** Opens what the work needs, as often as there are jobs, and closes it whatever happens. */
async function withTools(
  items: readonly CorpusItem[],
  { jobs, align, only, patience }: PrepareOptions,
  stop: AbortSignal,
  work: (tools: readonly ItemTools[]) => Promise<void>,
): Promise<void> {
  const count = Math.min(jobs, items.length);
  if (count === 0) return;
  const closers: (() => Promise<unknown>)[] = [];
  const stopped = new Promise<void>((done) => {
    stop.addEventListener('abort', () => done(), { once: true });
  });
  try {
    const decoders = await openDecoders(count, patience * 1000);
    closers.push(...decoders.map((decoder) => () => decoder.close()));
    const needsFaces = align === 'detect' && only !== 'voice' && items.some(({ pictures }) => pictures);
    const finder = needsFaces ? await openFaceFinder(count) : null;
    if (finder) closers.push(() => finder.close());
    const tools = decoders.map((decoder, i) => {
      const cropper = openCropper();
      closers.push(() => cropper.close());
      return { decoder, lane: finder?.lanes[i] ?? null, cropper };
    });
    const working = work(tools);
    // After a stop nobody waits for what is under way: it fails when its tools are closed.
    working.catch(() => undefined);
    await Promise.race([working, stopped]);
  } finally {
    await Promise.all(closers.map((close) => close().catch(() => undefined)));
  }
}

function accountOf(
  corpus: Corpus,
  listing: CorpusListing,
  order: WorkOrder,
  part: Part,
  shards: readonly string[],
  entries: readonly JournalEntry[],
): Dataset {
  const samples = entries.flatMap((entry) => ('at' in entry ? [entry] : []));
  const byLabel: Record<string, number> = {};
  for (const { label } of samples) if (label !== null) byLabel[label] = (byLabel[label] ?? 0) + 1;
  const sum = (value: (entry: (typeof samples)[number]) => number): number =>
    samples.reduce((total, entry) => total + value(entry), 0);
  return {
    format: 'emotion-recognizer dataset 1',
    corpus: corpus.name,
    classes: listing.classes ?? corpus.classes,
    dimensions: listing.dimensions ?? corpus.dimensions,
    part,
    shards,
    listing: order.listing,
    counts: {
      items: order.items,
      samples: samples.length,
      withFace: sum(({ frames }) => Number(frames > 0)),
      withSound: sum(({ soundSamples }) => Number(soundSamples > 0)),
      frames: sum(({ frames }) => frames),
      found: sum(({ found }) => found),
      soundSeconds: Math.round((10 * sum(({ soundSamples }) => soundSamples)) / sampleRateHz) / 10,
      byLabel: Object.fromEntries(Object.entries(byLabel).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
    notListed: part.index === 1 ? listing.leftOut : [],
    leftOut: entries.flatMap((entry) => ('why' in entry ? [{ source: entry.source, why: entry.why }] : [])),
    notes: samples.flatMap(({ source, notes }) => notes.map((why) => ({ source, why }))),
    options: order.options,
  };
}

/** Remarks shown; the rest stands in the data set's file. */
const mostTold = 20;

function tellOf(what: string, remarks: readonly Remark[], say: (line: string) => void): void {
  if (remarks.length === 0) return;
  say(`${what}: ${String(remarks.length)}`);
  for (const { source, why } of remarks.slice(0, mostTold)) say(`  ${source}: ${why}`);
  if (remarks.length > mostTold) say(`  and ${String(remarks.length - mostTold)} more`);
}

/** The account in a few lines. */
export function summarize(
  { counts, shards, notListed, leftOut, notes, part }: Dataset,
  out: string,
  say: (line: string) => void,
): void {
  tellOf("Not in the corpus' listing", notListed, say);
  tellOf('Left out', leftOut, say);
  tellOf('Taken, with remarks', notes, say);
  const { items, samples, withFace, withSound, frames, found, soundSeconds } = counts;
  const share = frames > 0 ? ` (face found in ${((100 * found) / frames).toFixed(1)} %)` : '';
  say(
    `${out}: ${String(samples)} of ${String(items)} samples in ${String(shards.length)} shards; ${String(withFace)} with a face, ${String(withSound)} with sound; ${String(frames)} frames${share}, ${soundSeconds.toFixed(1)} s of sound.`,
  );
  say(`All remarks: ${out}/${datasetName(part)}`);
}
