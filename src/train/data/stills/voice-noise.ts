// A recording's own noise, and other noise in its place. A loud voice stands further above the noise it was recorded with, so
// a model may take little noise for anger; training breaks that, and scoring shows whether it did.
import { random } from '../../../base/random.ts';
import type { Random } from '../../../base/random.ts';
import { logFloor, usedBinCount } from '../../../clip/log-mel.ts';
import { sharedInts, sharedShorts } from '../../base/shared-array.ts';
import { perDb } from './equalize.ts';
import { melSteps, spectraOf } from './voices.ts';
import type { VoiceSet } from './voices.ts';

/** Share of a clip's frames in which a bin holds no more than the recording's own noise, and those of loud speech. */
const noiseShare = 0.15;
const speechShare = 0.9;

export interface VoiceLevels {
  /** ln of the energy of the recording's own noise; shape [melBins], 0 above the band limit. */
  readonly noise: Float32Array;
  /** ln of the energy of loud speech, mean over the bins below the band limit. */
  readonly speech: number;
}

/** @param usedBins bins below the band limit */
export function levelsOf(
  { mel, melBins, start, frames }: VoiceSet,
  index: number,
  usedBins: number,
): VoiceLevels {
  const length = frames[index]!;
  const begin = start[index]! * melBins;
  const noise = new Float32Array(melBins);
  const sorted = new Int16Array(length);
  let speech = 0;
  for (let m = 0; m < usedBins; m++) {
    for (let t = 0; t < length; t++) sorted[t] = mel[begin + t * melBins + m]!;
    sorted.sort();
    noise[m] = sorted[Math.floor(noiseShare * length)]! / melSteps;
    speech += sorted[Math.floor(speechShare * length)]! / melSteps / usedBins;
  }
  return { noise, speech };
}

/** ln of what is left of an energy e^value when noise of e^noise is taken out; at most `depth` is taken. */
export function subtractNoise(value: number, noise: number, depth: number): number {
  return value + (value > noise ? Math.max(-depth, Math.log(1 - Math.exp(noise - value))) : -depth);
}

/** ln(e^a + e^b). */
export function addLogs(a: number, b: number): number {
  const high = Math.max(a, b);
  return high + Math.log(1 + Math.exp(Math.min(a, b) - high));
}

/** ln of the energy of one frame's noise in one bin, about its level: exponentially distributed (two or three degrees of freedom). */
export function noiseAbout(level: number, stream: Random): number {
  return level + Math.log(0.15 - Math.log(1 - stream.uniform()));
}

const suppressedDb = 26;
/** Noise suppression takes a little more than the noise. */
const marginDb = 4;
const noisyDb = 15;
/** Frames of silence before and after a clip: a second each. */
const pauseFrames = 100;

/** How voices can be made to seem recorded, each in words. */
export const voiceConditions = {
  'as-is': '',
  denoised: `The voices' own noise is suppressed, by up to ${String(suppressedDb)} dB.`,
  noisy: `Noise is added to the voices, ${String(noisyDb)} dB below the loud speech of each clip.`,
  'noisy-room': `Noise is added to the voices, the same for all clips of a speaker, ${String(noisyDb)} dB below the loud speech of the median clip.`,
  paused: 'A second of silence stands before and after each clip.',
} as const;
export type VoiceCondition = keyof typeof voiceConditions;

/** ln of the energy of each clip's loud speech, or with speakers of their median clip's. */
function loudSpeech(levels: readonly VoiceLevels[], speakers: ArrayLike<number> | null): number[] {
  if (speakers === null) return levels.map(({ speech }) => speech);
  const bySpeaker = new Map<number, number[]>();
  levels.forEach(({ speech }, i) => {
    const own = bySpeaker.get(speakers[i]!);
    if (own) own.push(speech);
    else bySpeaker.set(speakers[i]!, [speech]);
  });
  for (const own of bySpeaker.values()) own.sort((a, b) => a - b);
  return levels.map((_, i) => {
    const own = bySpeaker.get(speakers[i]!)!;
    return own[own.length >> 1]!;
  });
}

/** The voices, each between two pauses. */
function paused(set: VoiceSet, usedBins: number): VoiceSet {
  const { count, melBins } = set;
  const frames = sharedInts(count);
  const start = sharedInts(count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    start[i] = total;
    frames[i] = set.frames[i]! + 2 * pauseFrames;
    total += frames[i]!;
  }
  const mel = sharedShorts(total * melBins).fill(Math.round(logFloor * melSteps));
  for (let i = 0; i < count; i++) {
    const from = set.start[i]!;
    const clip = set.mel.subarray(from * melBins, (from + set.frames[i]!) * melBins);
    mel.set(clip, (start[i]! + pauseFrames) * melBins);
  }
  return { ...set, mel, start, frames, ...spectraOf({ ...set, mel, start, frames }, usedBins) };
}

/** The voices as if recorded otherwise. */
export function recorded(
  set: VoiceSet,
  condition: VoiceCondition,
  bandLimitHz: number | null,
  seed: number,
): VoiceSet {
  if (condition === 'as-is') return set;
  const { melBins, start, frames } = set;
  const stream = random(seed);
  const usedBins = usedBinCount(bandLimitHz, melBins);
  if (condition === 'paused') return paused(set, usedBins);
  const mel = sharedShorts(set.mel.length);
  mel.set(set.mel);
  const levels = Array.from({ length: set.count }, (_, i) => levelsOf(set, i, usedBins));
  const loud = loudSpeech(levels, condition === 'noisy-room' ? set.speakers : null);
  for (let i = 0; i < set.count; i++) {
    for (let t = start[i]!; t < start[i]! + frames[i]!; t++) {
      for (let m = 0; m < usedBins; m++) {
        const value = set.mel[t * melBins + m]! / melSteps;
        const changed =
          condition === 'denoised'
            ? subtractNoise(value, levels[i]!.noise[m]! + marginDb * perDb, suppressedDb * perDb)
            : addLogs(value, noiseAbout(loud[i]! - noisyDb * perDb, stream));
        mel[t * melBins + m] = Math.round(Math.max(logFloor, changed) * melSteps);
      }
    }
  }
  return { ...set, mel, ...spectraOf({ ...set, mel }, usedBins) };
}
