// What is read of a sound with pauses: speech and a little around it, wherever it lies.
import { expect, test } from 'vitest';
import { random } from '../base/random.ts';
import { inSilence, spokenPart } from './spoken.ts';

/** A second of speech with a pause in its middle, after and before so many seconds of a room `floor` loud. */
function between(before: number, after: number, floor: number): Float32Array {
  const stream = random(4);
  const rate = 16000;
  const speech = Float32Array.from(
    { length: rate },
    (_, i) => (i > 0.4 * rate && i < 0.6 * rate ? floor : 0.1) * stream.normal(),
  );
  const samples = Float32Array.from({ length: (before + 1 + after) * rate }, () => floor * stream.normal());
  samples.set(speech, before * rate);
  return samples;
}

test('pauses around speech are left out but for 0.3 s, silent or faint; a pause within stays', () => {
  for (const floor of [0, 0.001]) {
    const sound = between(2, 1, floor);
    const part = spokenPart(sound, 5400);
    const begin = (part.byteOffset - sound.byteOffset) / 4;
    expect(Math.abs(begin - 1.7 * 16000)).toBeLessThan(480);
    expect(Math.abs(begin + part.length - 3.3 * 16000)).toBeLessThan(480);
    expect(spokenPart(part, 5400).length).toBe(part.length);
  }
});

test('noise that is as loud as soft speech is no pause, and silence is as it is', () => {
  const noisy = between(2, 1, 0.02);
  expect(spokenPart(noisy, 5400).length).toBe(noisy.length);
  const silent = new Float32Array(32000);
  expect(spokenPart(silent, 5400)).toBe(silent);
  expect(spokenPart(new Float32Array(100), null).length).toBe(100);
});

test('a short sound is put in the middle of silence', () => {
  const sound = Float32Array.of(1, 2, 3);
  expect(inSilence(sound, 7)).toEqual(Float32Array.of(0, 0, 1, 2, 3, 0, 0));
  expect(inSilence(sound, 3)).toBe(sound);
  expect(inSilence(sound, 2)).toBe(sound);
});
