// Changes of sound that keep what it says of emotion, for our own small models; the official recipes have none of them.
import type { Random } from '../../../base/random.ts';
import { between } from './draw.ts';

/** How far sound is changed; probabilities 0..1, and 0 everywhere leaves it as it is. */
export interface SoundAugmentation {
  /** Largest change of level in decibels. */
  readonly gainDb: number;
  /** Largest relative change of speed (and with it of pitch). */
  readonly speed: number;
  /** Probability of noise, at a ratio to the sound drawn evenly from these decibels. */
  readonly noise: number;
  readonly noiseRatioDb: readonly [least: number, most: number];
  /** Masks of the spectrogram (SpecAugment, Park et al. 2019): how many, and their largest width. */
  readonly timeMasks: number;
  readonly timeMaskFrames: number;
  readonly melMasks: number;
  readonly melMaskBins: number;
}

/** Mild enough for a few thousand clips of acted speech. */
export const mildSound: SoundAugmentation = {
  gainDb: 6,
  speed: 0.1,
  noise: 0.3,
  noiseRatioDb: [10, 40],
  timeMasks: 2,
  timeMaskFrames: 24,
  melMasks: 2,
  melMaskBins: 12,
};

const decibels = (db: number): number => 10 ** (db / 20);

/** A span of a sound played faster or slower, by linear interpolation; faster reads on behind the span where it can. */
function changeSpeed(sound: Float32Array, begin: number, end: number, speed: number): Float32Array {
  const readable = Math.min(sound.length - begin, (end - begin) * Math.max(1, speed));
  const output = new Float32Array(Math.floor(readable / speed));
  const last = sound.length - 1;
  for (let i = 0; i < output.length; i++) {
    const at = begin + i * speed;
    const before = Math.min(Math.floor(at), last);
    const x = sound[before]!;
    output[i] = x + (at - before) * (sound[Math.min(before + 1, last)]! - x);
  }
  return output;
}

/** Adds noise of a color between white and brown. */
function addNoise(samples: Float32Array, ratioDb: number, color: number, stream: Random): void {
  let power = 0;
  for (const x of samples) power += x * x;
  const noise = new Float32Array(samples.length);
  let noisePower = 0;
  let previous = 0;
  for (let i = 0; i < noise.length; i++) {
    // A sum of two uniform draws is normal enough, and cheap.
    previous = color * previous + (stream.uniform() + stream.uniform() - 1);
    noise[i] = previous;
    noisePower += previous * previous;
  }
  if (power === 0 || noisePower === 0) return;
  const scale = Math.sqrt(power / noisePower) / decibels(ratioDb);
  for (let i = 0; i < samples.length; i++) samples[i]! += noise[i]! * scale;
}

/**
 * A span of a sound, changed: speed, level, noise.
 * @param sound 16 kHz mono; stays as it is
 * @returns a new array, whose length differs from the span's with the speed
 */
export function augmentSound(
  sound: Float32Array,
  [begin, end]: readonly [begin: number, end: number],
  { gainDb, speed, noise, noiseRatioDb }: SoundAugmentation,
  stream: Random,
): Float32Array {
  const samples = changeSpeed(sound, begin, end, Math.exp(between(stream, -speed, speed)));
  const gain = decibels(between(stream, -gainDb, gainDb));
  for (let i = 0; i < samples.length; i++) samples[i]! *= gain;
  if (stream.uniform() < noise) {
    addNoise(samples, between(stream, ...noiseRatioDb), between(stream, 0, 0.95), stream);
  }
  return samples;
}

/** Masks stretches of time and of frequency by the training data's mean, in place. @param mel normalized; shape [F, M] */
export function maskMel(
  mel: Float32Array,
  melBins: number,
  { timeMasks, timeMaskFrames, melMasks, melMaskBins }: SoundAugmentation,
  stream: Random,
): void {
  const frameCount = mel.length / melBins;
  for (let k = 0; k < timeMasks; k++) {
    const width = stream.integer(Math.min(timeMaskFrames, frameCount) + 1);
    const begin = stream.integer(frameCount - width + 1);
    mel.fill(0, begin * melBins, (begin + width) * melBins);
  }
  for (let k = 0; k < melMasks; k++) {
    const width = stream.integer(Math.min(melMaskBins, melBins) + 1);
    const begin = stream.integer(melBins - width + 1);
    for (let row = begin; row < mel.length; row += melBins) mel.fill(0, row, row + width);
  }
}
