// How often to read: as often as the machine can while it stays responsive. Pure.

/** Faster than this only repeats nearly the same 2.56 s. */
export const minHopMs = 250;

/** Slower than this no longer feels live; only a machine that needs longer for one prediction goes beyond. */
export const maxHopMs = 2000;

/** Leaves the recognizer idle a third of the time, for the page, the face tracker and the machine's other work. */
const rest = 1.5;

/** Weight of the newest prediction in the running mean of their times: a few predictions to follow a change. */
const newest = 0.3;

/**
 * The hop for a machine that takes `predictionMs` for a clip: 1.5 times that, between 250 and 2000 ms, in steps of 10 ms;
 * where one prediction takes more than 2000 ms, just that time.
 */
export function hopFor(predictionMs: number): number {
  const wanted = Math.min(predictionMs * rest, Math.max(maxHopMs, predictionMs));
  return Math.max(minHopMs, Math.ceil(wanted / 10) * 10);
}

/** Running mean of prediction times in milliseconds; `mean` is null before the first. */
export function meanPredictionMs(mean: number | null, latestMs: number): number {
  return mean === null ? latestMs : mean + newest * (latestMs - mean);
}
