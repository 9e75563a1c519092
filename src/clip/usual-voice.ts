// What a speaker's voice usually is like, and how it is brought to the voices that a model was trained on: a microphone, a room
// and a throat color all that is said; what differs from that tells of emotion. Pure.
import { logFloor } from './log-mel.ts';

/** Mean log-mel spectrum of speech. */
export interface VoiceSpectrum {
  /** ln of the energy; shape [M]; 0 in bins that are not used. */
  readonly mean: Float32Array;
  /** 10 ms frames of speech that it is the mean of; 0: there was none. */
  readonly frames: number;
}

/** Frames are speech within this of the loudest one: 22 dB in ln of the power, mean over the bins. */
const speechDepth = 5;

/** A sound no frame of which rises this far above the floor is silent. */
const leastRise = 3;

/** Kept of the pauses around what is spoken. */
const marginFrames = 30;

/** After so many frames of speech half of a speaker's spectrum is trusted: a few words have their own vowels. */
const doubtFrames = 200;

/** Speech counts half after so much more of it, 20 s: another speaker, or another room, is soon known. */
const halfLifeFrames = 2000;

/** Which frames are speech: 1, else 0. @param place as of speechSpectrum */
function spokenFrames(
  mel: ArrayLike<number>,
  melBins: number,
  usedBins: number,
  { begin = 0, frameCount = mel.length / melBins, steps = 1 } = {},
): Uint8Array {
  const levels = new Float32Array(frameCount);
  let loudest = -Infinity;
  for (let t = 0; t < frameCount; t++) {
    const at = begin + t * melBins;
    let sum = 0;
    for (let m = 0; m < usedBins; m++) sum += mel[at + m]!;
    levels[t] = sum / usedBins / steps;
    loudest = Math.max(loudest, levels[t]!);
  }
  const least = loudest < logFloor + leastRise ? Infinity : loudest - speechDepth;
  return Uint8Array.from(levels, (level) => (level < least ? 0 : 1));
}

/**
 * What is between two pauses: the frames from the first speech to the last, and 0.3 s before and after, so that what is said
 * softly at the ends is heard. What rises above the loudest frame's level less 22 dB is no pause.
 * @param place as of speechSpectrum
 * @returns the first frame and one past the last, from the first of the place; null: all is silent
 */
export function spokenSpan(
  mel: ArrayLike<number>,
  melBins: number,
  usedBins: number,
  { begin = 0, frameCount = mel.length / melBins, steps = 1 } = {},
): readonly [first: number, end: number] | null {
  const spoken = spokenFrames(mel, melBins, usedBins, { begin, frameCount, steps });
  const first = spoken.indexOf(1);
  if (first < 0) return null;
  return [Math.max(0, first - marginFrames), Math.min(frameCount, spoken.lastIndexOf(1) + 1 + marginFrames)];
}

/**
 * The spectrum of the speech in some frames of a sound.
 * @param mel ln of the energy times `steps`; shape [frames, M], the first frame at `begin`
 * @param usedBins bins below the band limit; the rest hold the floor
 * @param from the first frame that counts; the earlier ones only help to tell speech from pauses
 */
export function speechSpectrum(
  mel: ArrayLike<number>,
  melBins: number,
  usedBins: number,
  { begin = 0, frameCount = mel.length / melBins, from = 0, steps = 1 } = {},
): VoiceSpectrum {
  const spoken = spokenFrames(mel, melBins, usedBins, { begin, frameCount, steps });
  const mean = new Float32Array(melBins);
  let frames = 0;
  for (let t = from; t < frameCount; t++) {
    if (spoken[t] === 0) continue;
    frames++;
    const at = begin + t * melBins;
    for (let m = 0; m < usedBins; m++) mean[m]! += mel[at + m]!;
  }
  for (let m = 0; m < usedBins && frames > 0; m++) mean[m]! /= frames * steps;
  return { mean, frames };
}

/** A speaker's spectrum after more has been heard. */
export function blendSpectra(before: VoiceSpectrum, heard: VoiceSpectrum): VoiceSpectrum {
  const kept = before.frames * 0.5 ** (heard.frames / halfLifeFrames);
  const frames = kept + heard.frames;
  if (frames === 0) return before;
  const share = heard.frames / frames;
  return { mean: before.mean.map((value, m) => value + share * (heard.mean[m]! - value)), frames };
}

/**
 * What has to be added to a speaker's log-mel energies to bring the usual voice to a model's: its level wholly, its shape the
 * more the longer it was heard.
 * @param target ClipSpec's usualSpectrum
 * @returns in ln of the energy; shape [M]; zeros when nothing was heard, and in bins that are not used
 */
export function equalizerOf(
  { mean, frames }: VoiceSpectrum,
  target: ArrayLike<number>,
  usedBins: number,
): Float32Array {
  const equalizer = new Float32Array(mean.length);
  if (frames === 0) return equalizer;
  let level = 0;
  for (let m = 0; m < usedBins; m++) level += (target[m]! - mean[m]!) / usedBins;
  const trust = frames / (frames + doubtFrames);
  for (let m = 0; m < usedBins; m++) equalizer[m] = level + trust * (target[m]! - mean[m]! - level);
  return equalizer;
}
