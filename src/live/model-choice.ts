// Which of the listed models this machine can run: from what the running one takes. Pure.
import type { Prediction } from '../inference/protocol.ts';
import { hopFor } from './hop.ts';
import type { ListedModel } from './model-list.ts';

/** A model is fast enough when readings can come this often: two a second. The hop's rest is the margin of safety. */
export const promisedHopMs = 500;

/** From such a time for one reading on, twice the promised hop, a larger model is given up again. */
export const brokenPromiseMs = 2 * promisedHopMs;

/**
 * A larger model fills a machine better, so its time grows less than its multiply-adds. From docs/bench.md, nano against
 * tiny (multiply-adds 40.7 times as many): one thread 26.3 times as long, an exponent of 0.88; two threads 16.6 times,
 * 0.76. The more careful one counts.
 */
const growth = 0.88;

/** Readings that a median is taken of, after one that warms up. */
const wantedReadings = 5;

/** A face or a voice alone costs less; without both for so many readings, what was seen counts. */
const patience = 12;

export type Took = Pick<Prediction, 'inferenceMs' | 'modalities'>;

/** Why the running model runs; `other` names the model that is meant beside it. */
export type ModelStatus =
  | { readonly why: 'measuring' }
  | { readonly why: 'largest' }
  | { readonly why: 'by-hand' }
  | { readonly why: 'save-data' }
  | { readonly why: 'loading'; readonly other: string }
  /** `otherMs`: what one of its readings would take, or took. */
  | { readonly why: 'next-too-slow'; readonly other: string; readonly otherMs: number }
  | { readonly why: 'went-back'; readonly other: string; readonly otherMs: number }
  | { readonly why: 'failed'; readonly other: string; readonly message: string };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** What a reading of the running model takes, milliseconds; null while too few were seen. @param took since it runs */
export function measuredMs(took: readonly Took[]): number | null {
  const warm = took.slice(1);
  const whole = warm.filter(({ modalities }) => modalities.face && modalities.voice);
  if (whole.length >= wantedReadings)
    return median(whole.slice(-wantedReadings).map((each) => each.inferenceMs));
  return warm.length >= patience ? median(warm.map((each) => each.inferenceMs)) : null;
}

/** What a reading of `other` will take where one of `running` takes `runningMs`, milliseconds. */
export function predictedMs(running: ListedModel, runningMs: number, other: ListedModel): number {
  return runningMs * (other.multiplyAdds / running.multiplyAdds) ** growth;
}

/**
 * The largest model that can be read with twice a second; at least the smallest, which has to do on any machine.
 * @param models smallest first, without those that have proved too slow
 * @param runningMs what one reading of `running` takes
 */
export function suitedModel(
  models: readonly ListedModel[],
  running: ListedModel,
  runningMs: number,
): ListedModel {
  const fits = (model: ListedModel): boolean =>
    hopFor(predictedMs(running, runningMs, model)) <= promisedHopMs;
  return models.findLast(fits) ?? models[0] ?? running;
}
