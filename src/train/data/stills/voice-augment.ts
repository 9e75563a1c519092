// Voices to the model's tokens: a window of log-mel frames, in training stretched, shifted, relouded and noised.
import { logFloor, normalizeAndPad, usedBinCount } from '../../../clip/log-mel.ts';
import { equalizerOf, speechSpectrum, spokenSpan } from '../../../clip/usual-voice.ts';
import type { VoiceSpectrum } from '../../../clip/usual-voice.ts';
import type { EncoderConfig } from '../../../model/config.ts';
import type { Random } from '../../../base/random.ts';
import { perDb, usualVoice } from './equalize.ts';
import { scaledBy } from './scaled.ts';
import { addLogs, levelsOf, noiseAbout, subtractNoise } from './voice-noise.ts';
import type { VoiceLevels } from './voice-noise.ts';
import { melSteps, spectrumOf } from './voices.ts';
import type { VoiceSet } from './voices.ts';

/** Frames that 2.56 s of sound fill; the last two of 256 stay zero in the log domain, as in the live clip. */
export const soundFrames = 254;

/** How far a voice is changed; 0 everywhere leaves it as it is. */
export interface VoiceAugmentation {
  /** Largest change of level in decibels. */
  readonly gainDb: number;
  /** Probability that the speaker is hardly known: the usual voice is that of this clip and of up to three more. */
  readonly stranger: number;
  /** Largest tilt of the spectrum from its lowest to its highest bin, in decibels. */
  readonly tiltDb: number;
  /** Largest changes of speed upward and downward, in ln of it. */
  readonly speed: number;
  readonly slower: number;
  /** Largest shift of pitch and formants in mel bins. */
  readonly shiftBins: number;
  /** Probability of a noise floor, and of a window that cuts the clip's beginning or end. */
  readonly noise: number;
  readonly cut: number;
  /** Probability that a noise floor is a room's: the same whatever is said, and part of the usual voice. Else it follows the voice. */
  readonly steady: number;
  /** Probability that the recording's own noise is taken out, as a studio or a browser's noise suppression does. */
  readonly clean: number;
  /** Probability of a room: earlier sound that rings on. */
  readonly room: number;
  /** Probability that the window reaches into the pause before or after the clip, as a live one does: half of it at most. */
  readonly pause: number;
}

export const voiceAugmentation: VoiceAugmentation = {
  gainDb: 4,
  stranger: 0.6,
  tiltDb: 6,
  speed: 0.12,
  slower: 0.24,
  shiftBins: 3,
  noise: 0.5,
  cut: 0.2,
  steady: 0.5,
  clean: 0.6,
  room: 0.25,
  pause: 0.5,
};

/** A share of changes, in extent and in how often, 0..1; a window's place stays by chance. */
export function voiceChanges(share: number, usual = voiceAugmentation): VoiceAugmentation {
  // Of the noise there is, as much of it a room's as ever.
  const { steady, ...changes } = usual;
  return { ...scaledBy(share, changes), steady };
}

/** For pre-training, which is to predict the voice itself: no noise, no room and no pause, and no slower than quicker. */
export const gentleVoiceAugmentation: VoiceAugmentation = {
  ...voiceAugmentation,
  slower: voiceAugmentation.speed,
  stranger: 0,
  noise: 0,
  clean: 0,
  room: 0,
  pause: 0,
};

/** How much of a window may lie in a pause, as a share of what it could hear of its clip. */
const mostPause = 0.5;

/** How many other clips of the speaker a stranger's usual voice may be known from. */
const mostOthers = 3;

/** How many frames ago a room's echoes were said. */
const echoFrames = [3, 7, 13];

// x -> x * scale + bias, from the one place that knows the constants.
const bias = normalizeAndPad({ frames: new Float32Array([0]), frameCount: 1, melBins: 1 }, 1)[0]!;
const scale = normalizeAndPad({ frames: new Float32Array([1]), frameCount: 1, melBins: 1 }, 1)[0]! - bias;

/**
 * ln of the energy at frame t and mel bin s of a clip, both between their neighbors.
 * @param begin where the clip's frames begin in `mel`; it has `length`
 * @param outside what is there before and after the clip
 */
function energy(
  mel: Int16Array,
  begin: number,
  length: number,
  melBins: number,
  t: number,
  s: number,
  outside: number,
): number {
  const t0 = Math.floor(t);
  const ft = t - t0;
  const s0 = s | 0;
  const fs = s - s0;
  const at = begin + t0 * melBins + s0;
  const a = t0 >= 0 && t0 < length ? (mel[at]! + fs * (mel[at + 1]! - mel[at]!)) / melSteps : outside;
  if (ft === 0) return a;
  const next = at + melBins;
  const b =
    t0 + 1 >= 0 && t0 + 1 < length ? (mel[next]! + fs * (mel[next + 1]! - mel[next]!)) / melSteps : outside;
  return a + ft * (b - a);
}

export interface VoicePatcher {
  /**
   * Writes the patches at `positions` (flat indices over [time, mel]) of one voice.
   * @param patches the batch's [B, K, P]; this voice's begin at `offset`
   * @param place where an unaugmented window begins: 0 at the clip's start, 1 at its end, a shorter clip in the middle
   */
  fill(
    set: VoiceSet,
    index: number,
    positions: Int32Array,
    patches: Float32Array,
    offset: number,
    random: Random,
    augmentation: VoiceAugmentation | null,
    place?: number,
  ): void;
}

/** The frame at which a window of a clip begins when scored: place 0 the start, 1 the end; a short clip is centered. */
export function windowStart(clipFrames: number, place: number, windowFrames = soundFrames): number {
  const surplus = clipFrames - windowFrames;
  return surplus >= 0 ? Math.floor(surplus * place) : Math.ceil(surplus / 2);
}

export function voicePatcher(config: EncoderConfig, bandLimitHz: number | null): VoicePatcher {
  const { frameCount, melBins, patchSize } = config.audio;
  const perRow = melBins / patchSize;
  const used = usedBinCount(bandLimitHz, melBins);
  const lastFrame = Math.min(soundFrames, frameCount);
  const spread = (random: Random, limit: number): number => (random.uniform() * 2 - 1) * limit;
  const level = new Float32Array(melBins);
  const noise = new Float32Array(melBins);
  const known = new WeakMap<VoiceSet, Map<number, VoiceLevels>>();
  const levels = (set: VoiceSet, index: number): VoiceLevels => {
    let ofSet = known.get(set);
    if (!ofSet) known.set(set, (ofSet = new Map<number, VoiceLevels>()));
    let found = ofSet.get(index);
    if (!found) ofSet.set(index, (found = levelsOf(set, index, used)));
    return found;
  };
  const bySpeaker = new WeakMap<VoiceSet, number[][]>();
  const clipsOf = (set: VoiceSet, index: number): readonly number[] => {
    let clips = bySpeaker.get(set);
    if (!clips) {
      bySpeaker.set(set, (clips = []));
      for (const [i, speaker] of set.speakers.entries()) (clips[speaker] ??= []).push(i);
    }
    return clips[set.speakers[index]!]!;
  };
  /** The spectrum of a clip's speech in steady noise. */
  const spectrumIn = (floor: Float32Array, set: VoiceSet, index: number): VoiceSpectrum => {
    const begin = set.start[index]! * melBins;
    const mel = new Float32Array(set.frames[index]! * melBins);
    for (let at = 0; at < mel.length; at += melBins)
      for (let m = 0; m < used; m++) mel[at + m] = addLogs(set.mel[begin + at + m]! / melSteps, floor[m]!);
    return speechSpectrum(mel, melBins, used);
  };
  /**
   * Equalizes a voice, already equalized by all of its speaker's clips, as if only few of them were known.
   * @param floor noise that they are all recorded in, or none
   */
  const forget = (
    set: VoiceSet,
    index: number,
    random: Random,
    floor: Float32Array | null,
  ): Float32Array | null => {
    if (set.usualSpectrum === null) return null;
    const clips = clipsOf(set, index);
    const others = Array.from(
      { length: random.integer(mostOthers + 1) },
      () => clips[random.integer(clips.length)]!,
    );
    const spectra = [index, ...others].map((i) => (floor ? spectrumIn(floor, set, i) : spectrumOf(set, i)));
    return equalizerOf(usualVoice(spectra), set.usualSpectrum, used);
  };
  return {
    fill(set, index, positions, patches, offset, random, augmentation, place = 0.5) {
      const { mel } = set;
      let begin = set.start[index]! * melBins;
      let length = set.frames[index]!;
      let start = windowStart(length, place, lastFrame);
      if (set.speechOnly && !augmentation) {
        // A pause at either end of the window is left out too, as in the page.
        const first = Math.max(0, start);
        const frameCount = Math.min(length, start + lastFrame) - first;
        const window = { begin: begin + first * melBins, frameCount, steps: melSteps };
        const span = spokenSpan(mel, melBins, used, window) ?? [0, frameCount];
        begin = window.begin + span[0] * melBins;
        length = span[1] - span[0];
        start = windowStart(length, 0, lastFrame);
      }
      let speed = 1;
      let shift = 0;
      let noisy = false;
      let steady = false;
      let own: VoiceLevels | null = null;
      let depth = 0;
      let over = 0;
      /** How much fainter than the recording's own noise a pause is; null: digital silence. */
      let quieter: number | null = null;
      /** Per echo, ln of its power; none outside of a room. */
      let echoes: number[] = [];
      level.fill(0);
      if (augmentation) {
        const a = augmentation;
        const pace = spread(random, 1);
        speed = Math.exp(pace * (pace < 0 ? a.slower : a.speed));
        shift = spread(random, a.shiftBins);
        const span = lastFrame * speed;
        const cut = random.uniform() < a.cut ? 0.35 * Math.min(length, span) : 0;
        const paused = a.pause > 0 && random.uniform() < a.pause;
        const beyond = paused ? mostPause * Math.min(length, span) : cut;
        // Half of the pauses are digital silence, the others the recording's own noise or a fainter one.
        if (paused && random.uniform() < 0.5) quieter = random.uniform() * 30 * perDb;
        const low = Math.min(0, length - span) - beyond;
        const high = Math.max(0, length - span) + beyond;
        start = low + random.uniform() * (high - low);
        const gain = spread(random, a.gainDb) * perDb;
        const tilt = spread(random, a.tiltDb) * perDb;
        noisy = random.uniform() < a.noise;
        steady = noisy && set.usualSpectrum !== null && random.uniform() < a.steady;
        const noiseTilt = spread(random, 12) * perDb;
        const below = random.uniform() * 32 * perDb;
        own = levels(set, index);
        const usual = set.usualSpectrum?.reduce((sum, value) => sum + value, 0) ?? 0;
        const fillNoise = (loudness: number): void => {
          for (let m = 0; m < melBins; m++) noise[m] = loudness - below + noiseTilt * (m / melBins - 0.5);
        };
        // A room's noise is there before the microphone: what equalizes the voice has heard it, and raises or lowers it too.
        if (steady) fillNoise(usual / used - 3 * perDb);
        const stranger = steady || random.uniform() < a.stranger;
        const equalizer = stranger ? forget(set, index, random, steady ? noise : null) : null;
        if (!steady) {
          // Loud voices must not be known by how little noise they were recorded with: noise follows the voice here.
          const louder = equalizer ? equalizer.reduce((sum, value) => sum + value, 0) / used : 0;
          fillNoise(own.speech + gain + louder - 8 * perDb);
        }
        if (random.uniform() < a.clean) {
          depth = (5 + random.uniform() * 30) * perDb;
          over = random.uniform() * 6 * perDb;
        }
        if (random.uniform() < a.room) {
          // The first echo 4 to 14 dB below, then a decay by 60 dB in 0.3 to 1 s.
          const first = -(4 + random.uniform() * 10) * perDb;
          const perFrame = (-0.6 / (0.3 + random.uniform() * 0.7)) * perDb;
          echoes = echoFrames.map((frames) => first + perFrame * (frames - echoFrames[0]!));
        }
        for (let m = 0; m < melBins; m++)
          level[m] = gain + tilt * (m / melBins - 0.5) + (equalizer?.[m] ?? 0);
      }
      positions.forEach((position, k) => {
        const firstFrame = Math.floor(position / perRow) * patchSize;
        const firstBin = (position % perRow) * patchSize;
        let at = offset + k * patchSize * patchSize;
        for (let f = firstFrame; f < firstFrame + patchSize; f++) {
          const t = start + f * speed;
          for (let m = firstBin; m < firstBin + patchSize; m++) {
            let value = logFloor;
            if (f >= lastFrame) value = 0;
            else if (m < used) {
              const s = Math.min(used - 1.001, Math.max(0, m + shift));
              const outside =
                own && quieter !== null && (t < 0 || t > length - 1)
                  ? noiseAbout(own.noise[Math.round(s)]! - quieter, random)
                  : logFloor;
              value = energy(mel, begin, length, melBins, t, s, outside);
              if (own && depth > 0) value = subtractNoise(value, own.noise[Math.round(s)]! + over, depth);
              for (let i = 0; i < echoes.length; i++) {
                const echo = energy(mel, begin, length, melBins, t - echoFrames[i]!, s, logFloor);
                value = addLogs(value, echo + echoes[i]!);
              }
              if (steady) value = addLogs(value, noiseAbout(noise[m]!, random));
              value += level[m]!;
              if (noisy && !steady) value = addLogs(value, noiseAbout(noise[m]!, random));
              if (value < logFloor) value = logFloor;
            }
            patches[at++] = value * scale + bias;
          }
        }
      });
    },
  };
}
