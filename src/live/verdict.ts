// Which word a reading gets: the most probable label, or `uncertain`; steadied, so that noise does not flicker and a real
// change shows within a second. Pure; verdict.test.ts says what it promises.

/** The word for a reading that no label stands out of. */
export const uncertain = 'uncertain';

/** A word, and what deciding on the next one needs to remember. */
export interface Verdict {
  /** A label, or {@link uncertain}. */
  readonly label: string;
  readonly timeMs: number;
  /** Time of the first decision. */
  readonly startedMs: number;
  /** Since when another word leads; null: none does. */
  readonly behindSinceMs: number | null;
}

/**
 * How far another word must lead to replace the present one at once. nano's probabilities of a neutral talking face move
 * by about a third of themselves from one reading to the next, so less would flicker.
 */
const leadAtOnce = 0.6;

/** After this long behind, half of that lead is enough; after n times as long, 1 / (n + 1) of it. */
const halfLeadMs = 6000;

/** The first readings are the worst: until this old, the word gives way more easily. */
const settleMs = 2000;

/** Probabilities near the threshold of `uncertain` are this much closer together than those of two labels. */
const thresholdWeight = 3;

/** After a longer pause the past says nothing about the present. */
const gapMs = 3000;

type Probabilities = Readonly<Record<string, number>>;

/**
 * The word for the next reading. Without a past it is the most probable label, or `uncertain` where that is below the
 * threshold. With one, the present word stays until another leads by 0.6, or by less for longer.
 * @param previous the last verdict, or null; one older than 3 s, or later than this reading, does not count
 * @param reading probabilities, smoothed; time in milliseconds
 * @param uncertainBelow 0..1; 0: never uncertain
 */
export function judge(
  previous: Verdict | null,
  { timeMs, probabilities }: { readonly timeMs: number; readonly probabilities: Probabilities },
  uncertainBelow: number,
): Verdict {
  const best = mostProbable(probabilities);
  const wanted = (probabilities[best] ?? 0) < uncertainBelow ? uncertain : best;
  const continues =
    previous !== null &&
    (previous.label === uncertain || previous.label in probabilities) &&
    timeMs >= previous.timeMs &&
    timeMs - previous.timeMs <= gapMs;
  if (!continues) return Object.freeze({ label: wanted, timeMs, startedMs: timeMs, behindSinceMs: null });
  const { label, startedMs } = previous;
  if (wanted === label) return Object.freeze({ label, timeMs, startedMs, behindSinceMs: null });
  const behindSinceMs = previous.behindSinceMs ?? timeMs;
  const settled = Math.min(1, (timeMs - startedMs) / settleMs) ** 2;
  const wantedLead = (settled * leadAtOnce) / (1 + (timeMs - behindSinceMs) / halfLeadMs);
  const gone = leadOf(wanted, label, probabilities, uncertainBelow) >= wantedLead;
  return Object.freeze({
    label: gone ? wanted : label,
    timeMs,
    startedMs,
    behindSinceMs: gone ? null : behindSinceMs,
  });
}

/** How far `wanted` leads the present word; the threshold stands for `uncertain`. */
function leadOf(
  wanted: string,
  present: string,
  probabilities: Probabilities,
  uncertainBelow: number,
): number {
  const of = (label: string): number => probabilities[label] ?? 0;
  if (present === uncertain) return thresholdWeight * (of(wanted) - uncertainBelow);
  if (wanted === uncertain) return thresholdWeight * (uncertainBelow - of(present));
  return of(wanted) - of(present);
}

/** The most probable label, the first of equals; empty without labels. */
export function mostProbable(probabilities: Probabilities): string {
  let best = '';
  for (const [label, probability] of Object.entries(probabilities))
    if (best === '' || probability > (probabilities[best] ?? 0)) best = label;
  return best;
}
