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

/** Data that are ready to be read by a model. */
export interface Scored {
  readonly samples: readonly ScoredSample[];
  readonly context: EvaluationContext;
  /** Reads them all: the long part. */
  predict(): Promise<Predictions>;
  /** Of the i-th sample. */
  picture(i: number): Promise<SamplePicture>;
  close(): Promise<void>;
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
