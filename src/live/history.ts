// The last minute of readings, for the timeline. Pure.
import type { Reading } from './state.ts';

export const historyMs = 60_000;

/** A new, frozen history with `reading` at its end and nothing older than a minute before it. */
export function remember(history: readonly Reading[], reading: Reading): readonly Reading[] {
  const oldest = reading.timeMs - historyMs;
  return Object.freeze([
    ...history.filter((past) => past.timeMs >= oldest && past.timeMs < reading.timeMs),
    reading,
  ]);
}
