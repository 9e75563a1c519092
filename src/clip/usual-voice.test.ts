// A speaker's usual voice: what colors all that is said is taken out, what differs from usual stays.
import { expect, test } from 'vitest';
import { random } from '../base/random.ts';
import { kaldiFbank, logFloor, logMel, usedBinCount } from './log-mel.ts';
import { blendSpectra, equalizerOf, speechSpectrum } from './usual-voice.ts';
import type { VoiceSpectrum } from './usual-voice.ts';

const bandLimitHz = 5400;
const usedBins = usedBinCount(bandLimitHz, 128);

/** Syllables and pauses; `color` from one sample to the next as a microphone's: 0 is none. */
function speech(gain: number, color: number, seconds = 8, seed = 1): Float32Array {
  const stream = random(seed);
  let previous = 0;
  return Float32Array.from({ length: seconds * 16000 }, (_, i) => {
    const spoken = (i % 6400 < 3200 ? 0.1 : 0.0001) * stream.normal();
    const heard = gain * (spoken - color * previous);
    previous = spoken;
    return heard;
  });
}

function spectrum(samples: Float32Array): VoiceSpectrum {
  const { frames, melBins } = kaldiFbank(samples, { bandLimitHz });
  return speechSpectrum(frames, melBins, usedBins);
}

const apart = (a: Float32Array, b: Float32Array, from = 0): number =>
  Math.max(...a.subarray(from, usedBins).map((value, m) => Math.abs(value - b[from + m]!)));

test('bins are counted up to the band limit', () => {
  expect(usedBinCount(null, 128)).toBe(128);
  expect(usedBins).toBe(110);
  const { frames } = kaldiFbank(speech(1, 0, 1), { bandLimitHz });
  expect(frames[usedBins - 1]).toBeGreaterThan(logFloor);
  expect(frames[usedBins]).toBe(Math.fround(logFloor));
});

test('the spectrum is that of the syllables, whatever lies between; silence has none', () => {
  const whole = spectrum(speech(1, 0));
  const spoken = Float32Array.from(speech(1, 0).filter((_, i) => i % 6400 < 3200));
  expect(apart(whole.mean, spectrum(spoken).mean, 10)).toBeLessThan(0.4);
  expect(whole.frames).toBeGreaterThan(380);
  expect(whole.frames).toBeLessThan(480);
  expect(spectrum(new Float32Array(16000))).toEqual({ mean: new Float32Array(128), frames: 0 });
  expect(spectrum(new Float32Array(0)).frames).toBe(0);
  const { frames, melBins } = kaldiFbank(speech(1, 0), { bandLimitHz });
  const steps = Int16Array.from(frames, (value) => Math.round(value * 1024));
  expect(apart(whole.mean, speechSpectrum(steps, melBins, usedBins, { steps: 1024 }).mean)).toBeLessThan(
    0.01,
  );
});

test('after enough was heard gain and color are gone; after little the gain is', () => {
  const target = spectrum(speech(1, 0, 8, 2)).mean;
  const long = spectrum(speech(0.05, 0.8, 80));
  expect(apart(long.mean, target)).toBeGreaterThan(6);
  const equalizer = equalizerOf(long, target, usedBins);
  expect(
    apart(
      long.mean.map((value, m) => value + equalizer[m]!),
      target,
    ),
  ).toBeLessThan(0.06 * apart(long.mean, target));
  expect(equalizer.subarray(usedBins).every((value) => value === 0)).toBe(true);

  const short = { ...long, frames: 1 };
  const level = equalizerOf(short, target, usedBins);
  const mean = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / usedBins;
  expect(mean(level)).toBeCloseTo(mean(equalizer), 4);
  expect(Math.max(...level.subarray(0, usedBins)) - Math.min(...level.subarray(0, usedBins))).toBeLessThan(
    0.1,
  );
  expect(equalizerOf({ ...long, frames: 0 }, target, usedBins)).toEqual(new Float32Array(128));
});

test('the equalizer is added to what rises above the floor, before the model’s normalization', () => {
  const equalizer = new Float32Array(128).fill(1);
  const samples = speech(1, 0, 2.56);
  const plain = logMel(samples, { bandLimitHz });
  const louder = logMel(samples, { bandLimitHz, equalizer });
  expect(louder[5000 - (5000 % 128) + 40]! - plain[5000 - (5000 % 128) + 40]!).toBeCloseTo(
    1 / (2 * 4.5689974),
    4,
  );
  expect(louder[usedBins]).toBe(plain[usedBins]);
  const silence = new Float32Array(40960);
  expect(logMel(silence, { bandLimitHz, equalizer })).toEqual(logMel(silence, { bandLimitHz }));
});

test('a new speaker takes the place of the one before in half a minute', () => {
  const [one, other] = [spectrum(speech(1, 0)), spectrum(speech(0.1, 0.5, 2.56, 3))];
  let usual = one;
  for (let i = 0; i < 20; i++) usual = blendSpectra(usual, { ...one, frames: 150 });
  for (let i = 0; i < 13; i++) usual = blendSpectra(usual, { ...other, frames: 150 });
  expect(apart(usual.mean, other.mean)).toBeLessThan(0.5 * apart(one.mean, other.mean));
  for (let i = 0; i < 50; i++) usual = blendSpectra(usual, { ...other, frames: 150 });
  expect(apart(usual.mean, other.mean)).toBeLessThan(0.06 * apart(one.mean, other.mean));
  // All that is remembered is bounded.
  expect(usual.frames).toBeLessThan(3100);
  const none = { mean: new Float32Array(128), frames: 0 };
  expect(blendSpectra(one, none).mean).toEqual(one.mean);
  expect(blendSpectra(none, one).mean).toEqual(one.mean);
  expect(blendSpectra(none, none)).toEqual(none);
});
