// How loud a speaker usually is, and that a recording's gain no longer tells anything once voices are leveled.
import { expect, test } from 'vitest';
import { random } from '../../base/random.ts';
import { kaldiFbank } from '../../clip/log-mel.ts';
import { speechLevelDb } from '../../clip/voice.ts';
import { sizes } from '../../model/config.ts';
import { sharedBytes, sharedFloats, sharedInts, sharedShorts } from '../shared-array.ts';
import { voiceAugmentation, voicePatcher } from './voice-augment.ts';
import { levelGains, usualLevels } from './voice-level.ts';
import { melSteps } from './voices.ts';

test('usual is the median of whoever speaks', () => {
  const levels = Float32Array.of(-30, -20, -50, NaN, -34, -28);
  const speakers = ['a', 'a', 'b', 'b', 'a', 'a'];
  expect([...usualLevels(levels, speakers)]).toEqual([-29, -29, -50, -50, -29, -29]);
  expect([...levelGains(levels, speakers, -31, 'usual')]).toEqual([-2, -2, 19, 19, -2, -2]);
  expect([...levelGains(levels, speakers, -31, 'own')]).toEqual([-1, -11, 19, 0, 3, -3]);
  expect([...levelGains(levels, speakers, -31, 'as-is')]).toEqual([0, 0, 0, 0, 0, 0]);
  expect([...levelGains(Float32Array.of(NaN), [''], -31, 'usual')]).toEqual([0]);
});

/** Two seconds of syllables in a quiet room. */
function speech(gain: number): Float32Array {
  const stream = random(3);
  return Float32Array.from(
    { length: 32000 },
    (_, i) => gain * (i % 6400 < 3200 ? 0.1 : 0.001) * stream.normal(),
  );
}

test('the level of speech follows its gain, however soft it is, when it is known to be speech', () => {
  const loud = speechLevelDb(speech(1), -Infinity)!;
  expect(speechLevelDb(speech(0.001), -Infinity)).toBeCloseTo(loud - 60, 4);
  expect(speechLevelDb(speech(0.001))).toBeNull();
});

test('in training a voice may count as usual by itself', () => {
  const { frames, frameCount } = kaldiFbank(speech(1), { bandLimitHz: 5400 });
  const mel = sharedShorts(frames.length);
  frames.forEach((value, i) => (mel[i] = Math.round(value * melSteps)));
  const set = {
    count: 1,
    melBins: 128,
    mel,
    start: sharedInts(1),
    frames: sharedInts(1).fill(frameCount),
    labels: sharedBytes(1),
    aboveUsualDb: sharedFloats(1).fill(10),
  };
  const unchanged = Object.fromEntries(Object.keys(voiceAugmentation).map((key) => [key, 0]));
  const patcher = voicePatcher(sizes.nano, 5400);
  const loudest = (ownLevel: number): number => {
    const patches = new Float32Array(256);
    const augmentation = { ...voiceAugmentation, ...unchanged, ownLevel };
    patcher.fill(set, 0, Int32Array.of(8 * 8 + 2), patches, 0, random(1), augmentation);
    return Math.max(...patches);
  };
  // 10 dB in the network's units: ln of the power, over twice its deviation.
  expect(loudest(0) - loudest(1)).toBeCloseTo(Math.LN10 / (2 * 4.5689974), 3);
});
