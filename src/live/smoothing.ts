// Steadies the readout: single clips flicker more than a face does. Pure, so that a test can say what it promises.
import type { Reading } from './state.ts';

/** Time constant of the readout: with a longer one a real change would not show within a second (verdict.test.ts). */
export const smoothingTimeConstantMs = 500;

/** After a longer silence the past says nothing about the present. */
export const smoothingGapMs = 3000;

/**
 * The next smoothed reading: probabilities move toward `raw` by 1 - exp(-dt / 0.5 s), dt from the readings' own times, so
 * that the result does not depend on the hop. Starts anew without a past, when the modalities or the labels differ, when
 * time ran backward, and after a gap of more than 3 s. The probabilities sum to 1.
 * @param previous the last smoothed reading, or null
 */
export function smooth(previous: Reading | null, raw: Reading): Reading {
  if (previous === null || !continues(previous, raw)) return raw;
  const weight = 1 - Math.exp(-(raw.timeMs - previous.timeMs) / smoothingTimeConstantMs);
  const probabilities: Record<string, number> = {};
  let sum = 0;
  for (const [label, probability] of Object.entries(raw.probabilities)) {
    const past = previous.probabilities[label] ?? 0;
    const value = past + weight * (probability - past);
    probabilities[label] = value;
    sum += value;
  }
  if (sum > 0)
    for (const label of Object.keys(probabilities)) probabilities[label] = (probabilities[label] ?? 0) / sum;
  return Object.freeze({ ...raw, probabilities: Object.freeze(probabilities) });
}

function continues(previous: Reading, raw: Reading): boolean {
  const gapMs = raw.timeMs - previous.timeMs;
  return (
    gapMs >= 0 &&
    gapMs <= smoothingGapMs &&
    previous.modalities.face === raw.modalities.face &&
    previous.modalities.voice === raw.modalities.voice &&
    Object.keys(raw.probabilities).every((label) => label in previous.probabilities)
  );
}
