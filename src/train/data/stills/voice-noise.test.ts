// A recording's own noise: found, taken out and put in. Training's noise follows the voice, so that it does not tell how loud it was.
import { expect, test } from 'vitest';
import { random } from '../../../base/random.ts';
import { logFloor, usedBinCount } from '../../../clip/log-mel.ts';
import { sizes } from '../../../model/config.ts';
import { voiceSetOf } from '../../../testing/made-voices.ts';
import { voiceAugmentation, voicePatcher } from './voice-augment.ts';
import { perDb } from './equalize.ts';
import { levelsOf, recorded } from './voice-noise.ts';
import { equalized, melSteps } from './voices.ts';
import type { VoiceSet } from './voices.ts';

const bandLimitHz = 5400;
const usedBins = usedBinCount(bandLimitHz, 128);

/** Two seconds whose second half is 40 dB louder than the first: a room, then speech in it. */
function recording(gain: number): Float32Array {
  const stream = random(5);
  return Float32Array.from({ length: 32000 }, (_, i) => gain * (i < 16000 ? 0.001 : 0.1) * stream.normal());
}

/** The same recording as it is, and 20 dB softer. */
const voices = (): VoiceSet =>
  voiceSetOf(
    [1, 0.1].map((gain) => recording(gain)),
    bandLimitHz,
  );

/** Mean ln of the energies of frames from..to of a clip, over the bins in use. */
function mean(set: VoiceSet, clip: number, from: number, to: number): number {
  let sum = 0;
  for (let t = from; t < to; t++)
    for (let m = 0; m < usedBins; m++) sum += set.mel[(set.start[clip]! + t) * 128 + m]! / melSteps;
  return sum / ((to - from) * usedBins);
}

test('the noise and the speech of a recording are told apart', () => {
  const set = voices();
  const { noise, speech } = levelsOf(set, 0, usedBins);
  const noiseMean = noise.subarray(0, usedBins).reduce((a, b) => a + b, 0) / usedBins;
  expect(Math.abs(noiseMean - mean(set, 0, 5, 90))).toBeLessThan(1.5);
  expect(Math.abs(speech - mean(set, 0, 105, 190))).toBeLessThan(1.5);
});

test('denoised and noisy recordings differ where nobody speaks, not where somebody does', () => {
  const set = voices();
  expect(recorded(set, 'as-is', bandLimitHz, 1)).toBe(set);
  for (const clip of [0, 1]) {
    const denoised = recorded(set, 'denoised', bandLimitHz, 1);
    const quieter = mean(set, clip, 5, 90) - mean(denoised, clip, 5, 90);
    // The softer room already lies near the floor: it cannot fall far.
    expect(quieter).toBeGreaterThan(clip === 0 ? 12 * perDb : 1 * perDb);
    expect(Math.abs(mean(set, clip, 105, 190) - mean(denoised, clip, 105, 190))).toBeLessThan(0.5 * perDb);
    const noisy = recorded(set, 'noisy', bandLimitHz, 1);
    const below = mean(noisy, clip, 105, 190) - mean(noisy, clip, 5, 90);
    expect(below).toBeGreaterThan(10 * perDb);
    expect(below).toBeLessThan(20 * perDb);
    expect([...denoised.mel].every((value) => value >= Math.floor(logFloor * melSteps))).toBe(true);
  }
  // A room's noise is one for both clips of the speaker, set by one of them.
  const room = recorded(set, 'noisy-room', bandLimitHz, 1);
  const [loud, soft] = [0, 1].map((clip) => mean(room, clip, 5, 90));
  expect(Math.abs(loud! - soft!)).toBeLessThan(1 * perDb);
  expect(mean(room, 0, 105, 190) - loud!).toBeGreaterThan(10 * perDb);
  const once = recorded(set, 'noisy', bandLimitHz, 1).mel;
  expect(recorded(set, 'noisy', bandLimitHz, 1).mel).toEqual(once);
});

test('pauses before and after a voice are silent, and no part of its usual spectrum', () => {
  const set = voices();
  const paused = recorded(set, 'paused', bandLimitHz, 1);
  const floor = Math.round(logFloor * melSteps);
  for (const clip of [0, 1]) {
    const spoken = set.frames[clip]!;
    expect(paused.frames[clip]).toBe(spoken + 200);
    const from = paused.start[clip]! * 128;
    const [before, voice, after] = [
      [0, 100],
      [100, 100 + spoken],
      [100 + spoken, 200 + spoken],
    ].map(([begin, end]) => paused.mel.subarray(from + begin! * 128, from + end! * 128));
    expect([...before!, ...after!].every((value) => value === floor)).toBe(true);
    expect(voice).toEqual(set.mel.subarray(set.start[clip]! * 128, (set.start[clip]! + spoken) * 128));
  }
  expect(paused.spectra).toEqual(set.spectra);
  expect(paused.speechFrames).toEqual(set.speechFrames);
});

/** How far the second half of a voice stands above its first in training; 1 is twice the log-mel's deviation. */
function rise(
  clip: number,
  { noise, clean, steady = 0 }: { noise: number; clean: number; steady?: number },
  set = voices(),
): number {
  const patches = new Float32Array(128 * 256);
  const positions = Int32Array.from({ length: 128 }, (_, i) => i);
  const plain = {
    ...voiceAugmentation,
    gainDb: 0,
    tiltDb: 0,
    speed: 0,
    slower: 0,
    shiftBins: 0,
    cut: 0,
    room: 0,
    pause: 0,
  };
  const patcher = voicePatcher({ ...sizes.nano }, bandLimitHz);
  let sum = 0;
  const draws = 8;
  for (let draw = 0; draw < draws; draw++) {
    patcher.fill(set, clip, positions, patches, 0, random(draw), { ...plain, noise, clean, steady });
    // Patches of 16 frames, the second of eight mel rows, in the middle of either half.
    const patch = (time: number): number =>
      patches.subarray((time * 8 + 1) * 256, (time * 8 + 2) * 256).reduce((x, y) => x + y, 0) / 256;
    sum += patch(12) - patch(4);
  }
  return sum / draws;
}

test('in training a soft voice is put into as much noise as a loud one', () => {
  const added = { noise: 1, clean: 0 };
  expect(Math.abs(rise(0, added) - rise(1, added))).toBeLessThan(0.1);
  // It is there at all: the quiet half does not stand as far below as in the recording.
  const own = { noise: 0, clean: 0 };
  expect(rise(0, own)).toBeGreaterThan(rise(0, added) + 0.1);
});

test("in training a room's noise is as loud for a soft voice as for a loud one, and equalized with it", () => {
  const target = Array.from({ length: 128 }, (_, m) => (m < usedBins ? -7 : 0));
  const usual = (): VoiceSet => equalized(voices(), target, bandLimitHz, 'usual');
  const [none, follows, steady] = [
    { noise: 0, clean: 0 },
    { noise: 1, clean: 0 },
    { noise: 1, clean: 0, steady: 1 },
  ].map((how) => [0, 1].map((clip) => rise(clip, how, usual())));
  expect(Math.abs(follows![0]! - follows![1]!)).toBeLessThan(0.1);
  // The soft voice hardly stands above it.
  expect(steady![1]!).toBeLessThan(steady![0]! - 0.1);
  expect(steady![0]!).toBeLessThan(none![0]! - 0.1);
});

test('in training the own noise is taken out', () => {
  expect(rise(0, { noise: 0, clean: 1 })).toBeGreaterThan(rise(0, { noise: 0, clean: 0 }) + 0.1);
});
