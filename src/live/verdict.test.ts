// What the steadied word promises: no flicker on noise, a real change within a second, whatever the hop.
import { describe, expect, it } from 'vitest';
import { random } from '../base/random.ts';
import { smooth } from './smoothing.ts';
import type { Reading } from './state.ts';
import { judge, mostProbable, uncertain } from './verdict.ts';
import type { Verdict } from './verdict.ts';

const labels = ['angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise'];

/** Shares in the order of the labels; what is not told is shared by the rest. */
function row(...shares: number[]): number[] {
  const rest = (1 - shares.reduce((a, b) => a + b, 0)) / Math.max(1, labels.length - shares.length);
  return labels.map((_, i) => shares[i] ?? rest);
}

function readingAt(timeMs: number, shares: readonly number[]): Reading {
  return {
    timeMs,
    probabilities: Object.fromEntries(labels.map((label, i) => [label, shares[i] ?? 0])),
    label: '',
    modalities: { face: true, voice: true },
    faceBox: null,
    inferenceMs: 1,
  };
}

interface Shown {
  readonly timeMs: number;
  readonly label: string;
}

/** The words that the live path shows for raw readings, `hopMs` apart. */
function shownFor(raw: readonly (readonly number[])[], hopMs: number, uncertainBelow: number): Shown[] {
  let smoothed: Reading | null = null;
  let verdict: Verdict | null = null;
  return raw.map((shares, k) => {
    smoothed = smooth(smoothed, readingAt((k + 1) * hopMs, shares));
    verdict = judge(verdict, smoothed, uncertainBelow);
    return { timeMs: smoothed.timeMs, label: verdict.label };
  });
}

const changes = (shown: readonly Shown[]): number =>
  shown.filter(({ label }, k) => k > 0 && label !== shown[k - 1]?.label).length;

/** Readings around a mean: each probability is off by a factor exp(0.3 z), z normal; then they sum to 1 again. */
function noisy(mean: readonly number[], count: number, seed: number): number[][] {
  const stream = random(seed);
  return Array.from({ length: count }, () => {
    const off = mean.map((share) => share * Math.exp(0.3 * stream.normal()));
    const sum = off.reduce((a, b) => a + b, 0);
    return off.map((share) => share / sum);
  });
}

const means = {
  'one label': row(0.7, 0.1),
  'two nearly equal labels': row(0.46, 0.44),
  'three nearly equal labels': row(0.31, 0.3, 0.3),
  'a label at the threshold': row(0.5, 0.1),
  'two labels at the threshold': row(0.49, 0.48),
  'no label': row(),
};

describe.each([
  { hopMs: 250, most: 1 },
  { hopMs: 333, most: 1 },
  { hopMs: 500, most: 3 },
])('a minute of noise, readings $hopMs ms apart', ({ hopMs, most }) => {
  it.each(Object.entries(means))(
    `around %s: at most ${String(most)} changes, in four of five none`,
    (_, mean) => {
      const counts = [0, 0.5].flatMap((uncertainBelow) =>
        Array.from({ length: 20 }, (_, seed) =>
          // The first two seconds settle on a word.
          changes(
            shownFor(noisy(mean, 62_000 / hopMs, seed + 1), hopMs, uncertainBelow).filter(
              ({ timeMs }) => timeMs > 2000,
            ),
          ),
        ),
      );
      expect(Math.max(...counts)).toBeLessThanOrEqual(most);
      expect(counts.filter((count) => count === 0).length).toBeGreaterThanOrEqual(0.8 * counts.length);
    },
  );

  it('would flicker without steadying', () => {
    const raw = noisy(means['two nearly equal labels'], 60_000 / hopMs, 1);
    const alone = raw.map((shares, k) => ({
      timeMs: k * hopMs,
      label: judge(null, readingAt(0, shares), 0).label,
    }));
    expect(changes(alone)).toBeGreaterThan(30);
  });
});

/** Raw readings that are `before` for 5 s and `after` from then on. */
const flip = (before: readonly number[], after: readonly number[], hopMs: number): (readonly number[])[] =>
  Array.from({ length: 15_000 / hopMs }, (_, k) => ((k + 1) * hopMs <= 5000 ? before : after));

describe('a real change', () => {
  const angry = row(0.9);
  const happy = labels.map((label) => (label === 'happy' ? 0.9 : 0.1 / 6));

  it.each([125, 250, 500])('shows within a second of it, readings %i ms apart', (hopMs) => {
    for (const uncertainBelow of [0, 0.5]) {
      const shown = shownFor(flip(angry, happy, hopMs), hopMs, uncertainBelow);
      expect(shown.find(({ timeMs }) => timeMs === 5000)?.label).toBe('angry');
      // The last angry reading was at 5 s: however soon after it the face changed.
      expect(shown.find(({ timeMs }) => timeMs === 6000)?.label).toBe('happy');
      // At once, and not by way of `uncertain`.
      expect(changes(shown)).toBe(1);
    }
  });

  it.each([250, 500])(
    'between a label and nothing that stands out shows within a second, %i ms apart',
    (hopMs) => {
      expect(
        shownFor(flip(angry, row(), hopMs), hopMs, 0.5).find(({ timeMs }) => timeMs === 6000)?.label,
      ).toBe(uncertain);
      expect(
        shownFor(flip(row(), angry, hopMs), hopMs, 0.5).find(({ timeMs }) => timeMs === 6000)?.label,
      ).toBe('angry');
    },
  );

  it('shows at last however small it is', () => {
    const label = (after: readonly number[]): string | undefined =>
      shownFor([...flip(angry, after, 500), ...Array.from({ length: 60 }, () => after)], 500, 0.4).at(-1)
        ?.label;
    expect(label(row(0.4, 0.52))).toBe('disgust');
    expect(label(row(0.37, 0.3))).toBe(uncertain);
  });

  it('is shown at the same time whatever the hop', () => {
    const slow = row(0.2, 0.55);
    for (const [before, after] of [
      [angry, happy],
      [angry, slow],
      [angry, row()],
    ] as const) {
      const coarse = shownFor(flip(before, after, 500), 500, 0.5);
      for (const hopMs of [125, 250]) {
        const fine = new Map(
          shownFor(flip(before, after, hopMs), hopMs, 0.5).map(({ timeMs, label }) => [timeMs, label]),
        );
        // To the half second that the coarse one has.
        expect(coarse.filter(({ timeMs, label }) => fine.get(timeMs) !== label).length).toBeLessThanOrEqual(
          1,
        );
      }
    }
  });

  it('in the first seconds is not held back by a first impression', () => {
    const shown = shownFor([row(0.4, 0.3), ...Array.from({ length: 8 }, () => row(0.2, 0.45))], 250, 0);
    expect(shown[0]?.label).toBe('angry');
    expect(shown.find(({ timeMs }) => timeMs === 1000)?.label).toBe('disgust');
  });
});

describe('judge', () => {
  it('without a past names the most probable label, or none below the threshold', () => {
    const reading = readingAt(0, row(0.45, 0.3));
    expect(judge(null, reading, 0).label).toBe('angry');
    expect(judge(null, reading, 0.45).label).toBe('angry');
    expect(judge(null, reading, 0.46).label).toBe(uncertain);
  });

  it('forgets after more than 3 s, when time runs backward, and when the labels are others', () => {
    const past = judge(null, readingAt(10_000, row(0.5, 0.3)), 0);
    const near = row(0.4, 0.5);
    expect(judge(past, readingAt(13_000, near), 0).label).toBe('angry');
    expect(judge(past, readingAt(13_001, near), 0).label).toBe('disgust');
    expect(judge(past, readingAt(9000, near), 0).label).toBe('disgust');
    expect(judge(past, { timeMs: 10_100, probabilities: { calm: 0.6, bored: 0.4 } }, 0).label).toBe('calm');
  });
});

it('mostProbable: the first of equals; nothing without labels', () => {
  expect(mostProbable({ a: 0.2, b: 0.4, c: 0.4 })).toBe('b');
  expect(mostProbable({})).toBe('');
});
