// What `calibrate` fits: a temperature for each kind of clip, and the threshold below which a reading is uncertain.
import { assert } from '../../base/assert.ts';
import { random } from '../../base/random.ts';
import type { InputKind } from '../../weights/calibration.ts';
import { clustersOf } from './bootstrap.ts';
import { calibrate, fitTemperature } from './calibration.ts';
import { argmax, meanOfRows, softmax } from './metrics.ts';

/** Samples of one kind. */
export interface KindViews {
  readonly kind: InputKind;
  /** The head's outputs: sample, view, class. */
  readonly outputs: readonly (readonly (readonly number[])[])[];
  /** Views that the page takes the mean of for one reading; they lie side by side. */
  readonly viewsPerReading: 1 | 2;
  readonly truth: readonly number[];
  /** Who each sample is of; null: not told. */
  readonly identities: readonly (string | null)[];
}

export interface FittedKind {
  readonly kind: InputKind;
  /** Rounded to 4 decimals. */
  readonly temperature: number;
  readonly samples: number;
  /** What the page reads at a time. */
  readonly readings: number;
  /** Expected calibration error, 0..1, of samples as `evaluate` scores them. */
  readonly ece: {
    readonly before: number;
    /** On the samples that the temperature was fitted on. */
    readonly after: number;
    /** Each half at a temperature fitted on the other; people are in one half only. Null: fewer than two of them. */
    readonly crossFitted: number | null;
  };
}

/** A reading's greatest probability, and whether it was right. */
export interface Outcome {
  readonly confidence: number;
  readonly right: boolean;
  readonly weight: number;
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;

/** One row for each view, whose outputs the page divides; a mean of two is a little less sure than either. */
function temperatureOf({ outputs, truth }: KindViews, chosen: readonly number[]): number {
  const rows = chosen.flatMap((i) => outputs[i]!.map((view) => softmax(view)));
  return round(
    fitTemperature(
      rows,
      chosen.flatMap((i) => outputs[i]!.map(() => truth[i]!)),
    ),
  );
}

function rowAt(views: readonly (readonly number[])[], temperature: number): number[] {
  return meanOfRows(views.map((view) => softmax(view.map((z) => z / temperature))));
}

/** Two halves of samples, people whole, drawn by the seed; null when there is but one. */
export function halves(identities: readonly (string | null)[], seed: number): [number[], number[]] | null {
  const clusters = clustersOf(identities);
  if (clusters.count < 2) return null;
  const stream = random(seed);
  const order = Array.from({ length: clusters.count }, (_, c) => ({ c, key: stream.normal() }));
  order.sort((a, b) => a.key - b.key);
  const first = new Set(order.slice(0, Math.floor(clusters.count / 2)).map(({ c }) => c));
  const all = identities.map((_, i) => i);
  return [all.filter((i) => first.has(clusters.of[i]!)), all.filter((i) => !first.has(clusters.of[i]!))];
}

/** A temperature and what it does. @param seed draws the halves */
export function fitKind(views: KindViews, seed: number): FittedKind {
  const { kind, outputs, viewsPerReading, truth, identities } = views;
  assert(outputs.length > 0 && outputs.length === truth.length, 'samples to fit a temperature on');
  const all = truth.map((_, i) => i);
  const temperature = temperatureOf(views, all);
  const ece = (at: (i: number) => number): number =>
    calibrate(
      all.map((i) => rowAt(outputs[i]!, at(i))),
      truth,
    ).ece;
  const parts = halves(identities, seed);
  let crossFitted: number | null = null;
  if (parts) {
    const [first, second] = parts;
    const of = new Map<number, number>();
    const [ofFirst, ofSecond] = [temperatureOf(views, first), temperatureOf(views, second)];
    for (const i of first) of.set(i, ofSecond);
    for (const i of second) of.set(i, ofFirst);
    crossFitted = ece((i) => of.get(i) ?? 1);
  }
  return {
    kind,
    temperature,
    samples: truth.length,
    readings: outputs.reduce((sum, of) => sum + of.length, 0) / viewsPerReading,
    ece: { before: ece(() => 1), after: ece(() => temperature), crossFitted },
  };
}

/** Every reading's outcome at a temperature; together they weigh 1, so that each kind counts alike. */
export function outcomesOf({ outputs, viewsPerReading, truth }: KindViews, temperature: number): Outcome[] {
  const readings = outputs.reduce((sum, of) => sum + of.length, 0) / viewsPerReading;
  return outputs.flatMap((views, i) =>
    Array.from({ length: views.length / viewsPerReading }, (_, k) => {
      const row = rowAt(views.slice(k * viewsPerReading, (k + 1) * viewsPerReading), temperature);
      const best = argmax(row);
      return { confidence: row[best] ?? 0, right: best === truth[i], weight: 1 / readings };
    }),
  );
}

/** A threshold outside of these says more of the data than of the model. */
export const thresholdRange = { least: 0.3, most: 0.6 } as const;

/**
 * The confidence from which on readings are right at least half of the time: where the isotonic regression of right on
 * confidence (pool adjacent violators) reaches 0.5.
 * @returns within 0.3..0.6, rounded to 2 decimals
 */
export function thresholdFor(outcomes: readonly Outcome[]): number {
  const sorted = [...outcomes].sort((a, b) => a.confidence - b.confidence);
  const blocks: { from: number; right: number; weight: number }[] = [];
  for (const { confidence, right, weight } of sorted) {
    let block = { from: confidence, right: right ? weight : 0, weight };
    for (;;) {
      const last = blocks.at(-1);
      if (last === undefined || last.right / last.weight < block.right / block.weight) break;
      blocks.pop();
      block = { from: last.from, right: last.right + block.right, weight: last.weight + block.weight };
    }
    blocks.push(block);
  }
  const reached = blocks.find(({ right, weight }) => right / weight >= 0.5)?.from ?? 1;
  return Math.round(100 * Math.min(thresholdRange.most, Math.max(thresholdRange.least, reached))) / 100;
}
