// What counts as usual for a speaker, and that a recording's gain and color tell nothing once voices are equalized.
import { expect, test } from 'vitest';
import { random } from '../../../base/random.ts';
import { usedBinCount } from '../../../clip/log-mel.ts';
import { sizes } from '../../../model/config.ts';
import { voiceSetOf } from '../../../testing/made-voices.ts';
import { equalizersOf, usualSpectrumOf, usualVoice } from './equalize.ts';
import { voiceChanges, voicePatcher } from './voice-augment.ts';
import { equalized, spectrumOf, withoutSilence } from './voices.ts';
import type { VoiceSet } from './voices.ts';

const bandLimitHz = 5400;
const usedBins = usedBinCount(bandLimitHz, 128);

const flat = (value: number, frames = 100): { mean: Float32Array; frames: number } => ({
  mean: Float32Array.of(value, 2 * value),
  frames,
});

test('usual is the median of whoever speaks, silence left out; the target the mean of the speakers', () => {
  expect(usualVoice([flat(1), flat(5), flat(2)])).toEqual({ mean: Float32Array.of(2, 4), frames: 300 });
  expect(usualVoice([flat(1), flat(2), flat(9, 0)])).toEqual({ mean: Float32Array.of(1.5, 3), frames: 200 });
  expect(usualVoice([flat(9, 0)])).toEqual({ mean: new Float32Array(2), frames: 0 });
  const spectra = [flat(1), flat(5), flat(2), flat(7), flat(8, 0)];
  expect(usualSpectrumOf(spectra, ['a', 'a', 'a', 'b', 'c'])).toEqual([4.5, 9]);
  expect(usualSpectrumOf([flat(1, 0)], ['a'])).toBeNull();
  const many = [flat(1, 1e9), flat(5, 1e9), flat(2, 1e9), flat(7, 1e9)];
  const rows = (how: 'usual' | 'own'): number[] =>
    equalizersOf(many, ['a', 'a', 'a', 'b'], [4, 8], 2, how).map(
      ([first = NaN]) => Math.round(100 * first) / 100,
    );
  expect(rows('usual')).toEqual([2, 2, 2, -3]);
  expect(rows('own')).toEqual([3, -1, 2, -3]);
});

/** Two seconds of syllables in a quiet room. */
function speech(gain: number, seed: number): Float32Array {
  const stream = random(seed);
  return Float32Array.from(
    { length: 32000 },
    (_, i) => gain * (i % 6400 < 3200 ? 0.1 : 0.001) * stream.normal(),
  );
}

/** Two speakers of three clips, soft, usual and loud; the second is recorded with another gain. */
const voices = (gain: number): VoiceSet =>
  voiceSetOf(
    [0.3, 1, 3, 0.3 * gain, gain, 3 * gain].map((each, i) => speech(each, i)),
    bandLimitHz,
    [0, 0, 0, 1, 1, 1],
  );

const levelOf = (set: VoiceSet, i: number): number =>
  spectrumOf(set, i)
    .mean.subarray(0, usedBins)
    .reduce((a, b) => a + b, 0) / usedBins;

test('equalized voices keep what is louder than usual, and lose the recording’s gain', () => {
  const target = Array.from({ length: 128 }, (_, m) => (m < usedBins ? -7 : 0));
  const level = (set: VoiceSet): number[] => [0, 1, 2, 3, 4, 5].map((i) => levelOf(set, i));
  const [one, soft] = [1, 0.03].map((gain) => level(equalized(voices(gain), target, bandLimitHz, 'usual')));
  one!.forEach((value, i) => {
    expect(Math.abs(value - soft![i]!)).toBeLessThan(0.1);
  });
  expect(one![2]! - one![1]!).toBeGreaterThan(1.5);
  expect(one![1]).toBeCloseTo(-7, 0);
  const own = level(equalized(voices(0.03), target, bandLimitHz, 'own'));
  expect(Math.max(...own) - Math.min(...own)).toBeLessThan(0.1);
  const asIs = equalized(voices(0.03), target, bandLimitHz, 'as-is');
  expect(level(asIs)).toEqual(level(voices(0.03)));
  expect(asIs.usualSpectrum).toBeNull();
  expect(equalized(voices(1), null, bandLimitHz, 'usual').usualSpectrum).toBeNull();
});

test('digital silence stays, and silent clips are left out', () => {
  const set = voiceSetOf([new Float32Array(16000), speech(1, 4)], bandLimitHz, [3, 5]);
  const target = new Array<number>(128).fill(-5);
  const before = set.mel.slice(0, 128);
  const after = equalized(set, target, bandLimitHz, 'own');
  expect(after.mel.slice(0, 128)).toEqual(before);
  const heard = withoutSilence(after);
  expect(heard.count).toBe(1);
  expect([...heard.speakers]).toEqual([5]);
  expect(spectrumOf(heard, 0)).toEqual(spectrumOf(after, 1));
  expect(heard.mel[heard.start[0]! * 128]).toBe(after.mel[after.start[1]! * 128]);
});

test('in training a speaker may be hardly known', () => {
  const target = Array.from({ length: 128 }, (_, m) => (m < usedBins ? -7 : 0));
  const set = equalized(voices(1), target, bandLimitHz, 'usual');
  const patcher = voicePatcher(sizes.nano, bandLimitHz);
  // One band, at all times but the last: its frames behind the sound hold zeros.
  const places = Int32Array.from({ length: 15 }, (_, k) => 8 * k + 2);
  const levels = (stranger: number): number[] =>
    Array.from({ length: 40 }, (_, seed) => {
      const patches = new Float32Array(15 * 256);
      const augmentation = { ...voiceChanges(0), stranger };
      patcher.fill(set, 2, places, patches, 0, random(seed), augmentation);
      return Math.max(...patches);
    });
  // The loud clip stays loud where its speaker is known; by itself it is as loud as usual, and often something between.
  const spread = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
  expect(spread(levels(0))).toBeLessThan(0.06);
  const drawn = levels(1);
  const known = levels(0)[0]!;
  const difference = levelOf(set, 2) + 7;
  expect(spread(drawn)).toBeGreaterThan(0.1);
  expect(known - Math.min(...drawn)).toBeCloseTo(difference / (2 * 4.5689974), 1);
});
