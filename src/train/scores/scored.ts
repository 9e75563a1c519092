// What each way of reading data hands to the scores and the report.
import { Problem } from '../../base/errors.ts';
import type { ScoredSample, EvaluationContext, Predictions } from './evaluation.ts';

/** What a sample looks and sounds like, for the report. */
export interface SamplePicture {
  /** A face crop, RGB 0..255; shape [sidePx, sidePx, 3]. */
  readonly face: { readonly data: Uint8Array | Uint8ClampedArray; readonly sidePx: number } | null;
  /** A log-mel spectrogram, any unit; shape [frames, bins]. */
  readonly mel: {
    readonly data: Float32Array;
    readonly frames: number;
    readonly bins: number;
  } | null;
}

/** Data and a model to read them. */
export interface Scorable {
  readonly samples: readonly ScoredSample[];
  readonly context: EvaluationContext;
  /** Reads them all: the long part. */
  predict(): Promise<Predictions>;
  /** Of the i-th sample. */
  picture(i: number): Promise<SamplePicture>;
}

/** Data that are open, until they are closed. */
export interface Scored extends Scorable {
  close(): Promise<void>;
}

/** Several as one, in their order: folds of one corpus, each with a model of its own, all of the same outputs. A fold is a group too. */
export function pooled(parts: readonly Scorable[]): Scorable {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  const contexts = parts.map(({ context }) => context);
  // Folders that are read whole tell with every part what they leave out of all.
  const total = (a: number, b: number): number => (first.context.task === 'shards' ? a + b : Math.max(a, b));
  const dropped: Record<string, number> = {};
  for (const [why, count] of contexts.flatMap((context) => Object.entries(context.dropped)))
    dropped[why] = total(dropped[why] ?? 0, count);
  const undetected = contexts.flatMap(({ undetectedFaces }) => undetectedFaces ?? []);
  const distinct = (values: readonly (string | number | null)[]): string | number | null =>
    new Set(values).size === 1 ? values[0]! : [...new Set(values)].join(', ');
  const samples = parts.flatMap(({ context, samples }) =>
    samples.map((sample) => ({
      ...sample,
      groups: { ...sample.groups, fold: String(context.data['folds']) },
    })),
  );
  const places = parts.flatMap((part) => part.samples.map((_, i) => ({ part, i })));
  return {
    samples,
    predict: async () => {
      const found: Predictions[] = [];
      for (const part of parts) found.push(await part.predict());
      const { labels } = found[0]!;
      const rows = found.flatMap((each) => each.rows);
      const classes = found.flatMap((each) => (each.kind === 'classes' ? [each] : []));
      if (classes.length === 0) {
        const truth = found.flatMap((each) => (each.kind === 'dimensions' ? each.truth : []));
        return { kind: 'dimensions', labels, rows, truth, samples };
      }
      const views = {
        outputs: classes.flatMap((each) => each.views.outputs),
        kinds: classes.flatMap((each) => each.views.kinds),
      };
      return {
        kind: 'classes',
        labels,
        rows,
        views,
        truth: classes.flatMap((each) => each.truth),
        samples,
      };
    },
    context: {
      ...first.context,
      model: String(distinct(contexts.map(({ model }) => model))),
      protocol: `Each fold is read by a model of its own. ${first.context.protocol}`,
      dropped,
      undetectedFaces: undetected.length === 0 ? null : undetected.reduce(total),
      data: Object.fromEntries(
        Object.keys(first.context.data).map((key) => [
          key,
          distinct(contexts.map(({ data }) => data[key] ?? null)),
        ]),
      ),
    },
    picture: (i) => places[i]!.part.picture(places[i]!.i),
  };
}

/** Which part of the data. */
export interface Selection {
  readonly split: string | null;
  /** null: any. */
  readonly folds: readonly number[] | null;
  /** Prepared folders; null: those of `--data`. */
  readonly data: readonly string[] | null;
}

/** `split:valid`, `fold:2`, `data:DIR`; several folds and folders add up. @throws Problem when one is something else */
export function parseSelection(texts: readonly string[]): Selection {
  let split: string | null = null;
  const folds: number[] = [];
  const data: string[] = [];
  for (const text of texts) {
    const [kind, ...rest] = text.split(':');
    const value = rest.join(':');
    if (kind === 'split' && value !== '' && split === null) split = value;
    else if (kind === 'fold' && /^[1-9]\d*$/.test(value)) folds.push(Number(value));
    else if (kind === 'data' && value !== '') data.push(value);
    else {
      throw new Problem(
        'unsupported-file',
        `--calibrate-on ${text}: wanted split:NAME (once), fold:NUMBER or data:FOLDER.`,
      );
    }
  }
  return { split, folds: folds.length > 0 ? folds : null, data: data.length > 0 ? data : null };
}

/** A selection in words. */
export function describeSelection({ split, folds, data }: Selection): string {
  const parts = [
    ...(data ? [data.join(', ')] : []),
    ...(split === null ? [] : [`split ${split}`]),
    ...(folds ? [`fold ${folds.join(', ')}`] : []),
  ];
  return parts.join(', ') || 'all samples';
}

/**
 * Checks that nothing scored is also calibrated on.
 * @returns how many people are in both
 * @throws Problem when a sample is
 */
export function checkApart(scored: readonly ScoredSample[], held: readonly ScoredSample[]): number {
  const sources = new Set(scored.flatMap((sample) => sample.sources));
  const shared = held.filter((sample) => sample.sources.some((source) => sources.has(source)));
  if (shared.length > 0) {
    throw new Problem(
      'unsupported-file',
      `--calibrate-on names ${String(shared.length)} of the samples that are scored (${shared[0]?.name ?? ''}): a temperature fitted on them would flatter the score. Name a fold or split that is neither trained on nor scored.`,
    );
  }
  const people = new Set(scored.flatMap(({ identity }) => identity ?? []));
  return new Set(
    held.flatMap(({ identity }) => (identity !== null && people.has(identity) ? [identity] : [])),
  ).size;
}
