// Spoken clips laid out as CREMA-D: clips.csv and audio/CLIP.opus.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../../base/errors.ts';
import { logFloor, usedBinCount } from '../../../clip/log-mel.ts';
import { speechSpectrum, spokenSpan } from '../../../clip/usual-voice.ts';
import type { VoiceSpectrum } from '../../../clip/usual-voice.ts';
import { emotions } from '../../../model/labels.ts';
import { readCache, sha256, writeCache } from '../../base/cache.ts';
import { readCsv } from '../../base/csv.ts';
import { sharedBytes, sharedFloats, sharedInts, sharedShorts } from '../../base/shared-array.ts';
import type { SharedBytes, SharedFloats, SharedInts, SharedShorts } from '../../base/shared-array.ts';
import { spread, startThread } from '../../base/threads.ts';
import { equalizersOf } from './equalize.ts';
import type { Equalizing } from './equalize.ts';

/** Log-mel energies are kept as 16-bit integers of this many steps per unit of ln: +-32, finer than any noise. */
export const melSteps = 1024;
/** Changes when the cached features would. */
const featureVersion = 'fbank-1';

/** Log-mel frames of clips, whole clips one after the other. */
export interface VoiceSet {
  readonly count: number;
  /** Mel bins of a frame. */
  readonly melBins: number;
  /** ln(energy) * melSteps; shape [frames of all clips, melBins]. */
  readonly mel: SharedShorts;
  /** First frame of each clip in `mel`. */
  readonly start: SharedInts;
  /** Frames of each clip, 10 ms apart. */
  readonly frames: SharedInts;
  readonly labels: SharedBytes;
  /** Who speaks in each clip, counted from 0; all whose name is not told are one. */
  readonly speakers: SharedInts;
  /** Mean log-mel spectrum of each clip's speech, as VoiceSpectrum; shape [clips, melBins]. */
  readonly spectra: SharedFloats;
  /** Frames of speech in each clip. */
  readonly speechFrames: SharedInts;
  /** Whether only what lies between pauses is read, of the clips and of windows in them. */
  readonly speechOnly: boolean;
  /** What speakers' usual voices were brought to; null: voices are as recorded. */
  readonly usualSpectrum: readonly number[] | null;
}

/** A row of clips.csv that can be used. */
export interface VoiceClip {
  readonly clip: string;
  readonly path: string;
  readonly label: number;
  /** Who speaks (column actor); empty: not told. */
  readonly speaker: string;
  /** null when the row has none. */
  readonly fold: number | null;
}

/** What clips.csv may call an emotion, in any case. */
const spellings: Readonly<Record<string, (typeof emotions)[number]>> = {
  ang: 'angry',
  anger: 'angry',
  angry: 'angry',
  dis: 'disgust',
  disgust: 'disgust',
  disgusted: 'disgust',
  fea: 'fear',
  fear: 'fear',
  fearful: 'fear',
  hap: 'happy',
  happy: 'happy',
  happiness: 'happy',
  joy: 'happy',
  neu: 'neutral',
  neutral: 'neutral',
  sad: 'sad',
  sadness: 'sad',
  sur: 'surprise',
  surprise: 'surprise',
  surprised: 'surprise',
};

const emotionOf = new Map(Object.entries(spellings));

/** The clips of a folder with a known emotion, and how many rows were left out and why. */
export function listVoices(
  folder: string,
  folds: 'any' | { readonly only: number } | { readonly except: number },
): { readonly clips: VoiceClip[]; readonly dropped: Record<string, number> } {
  const path = join(folder, 'clips.csv');
  const { rows, columns } = readCsv(path, ['clip', 'emotion']);
  if (folds !== 'any' && !columns.includes('fold')) {
    throw new Problem(
      'unsupported-file',
      `${path} has no column fold, so no fold can be chosen. Leave --fold out to take every clip.`,
    );
  }
  const clips: VoiceClip[] = [];
  const seenFolds = new Set<number>();
  const dropped: Record<string, number> = {};
  const drop = (why: string): void => {
    dropped[why] = (dropped[why] ?? 0) + 1;
  };
  for (const row of rows) {
    const clip = row['clip'] ?? '';
    const emotion = emotionOf.get((row['emotion'] ?? '').toLowerCase());
    const foldText = row['fold'] ?? '';
    const fold = foldText === '' ? null : Number(foldText);
    if (folds !== 'any') {
      if (fold === null) {
        drop('without a fold');
        continue;
      }
      if (!Number.isInteger(fold)) {
        throw new Problem(
          'unsupported-file',
          `${path}: the fold of ${clip} is "${foldText}"; wanted a whole number.`,
        );
      }
      seenFolds.add(fold);
      if ('only' in folds ? fold !== folds.only : fold === folds.except) continue;
    }
    if (emotion === undefined) {
      drop(`emotion "${row['emotion'] ?? ''}" is none of ours`);
      continue;
    }
    const file = ['opus', 'ogg']
      .map((extension) => join(folder, 'audio', `${clip}.${extension}`))
      .find((candidate) => existsSync(candidate));
    if (file === undefined) {
      throw new Problem(
        'unsupported-file',
        `${path} names the clip ${clip}, but ${join(folder, 'audio', `${clip}.opus`)} does not exist.`,
      );
    }
    const speaker = row['actor'] ?? '';
    clips.push({ clip, path: file, label: emotions.indexOf(emotion), speaker, fold });
  }
  if (clips.length === 0) {
    const chosen =
      folds === 'any'
        ? ''
        : ` ${'only' in folds ? `of fold ${String(folds.only)}` : `outside of fold ${String(folds.except)}`} (it has ${[...seenFolds].sort((a, b) => a - b).join(', ') || 'none'})`;
    const without = Object.entries(dropped).map(([why, count]) => `${String(count)} ${why}`);
    throw new Problem(
      'unsupported-file',
      `${path} leaves no clip${chosen}; left out: ${without.join(', ') || 'none'}.`,
    );
  }
  return { clips, dropped };
}

/** What the decoding worker is asked: whole files to log-mel frames. */
export interface DecodeRequest {
  readonly paths: readonly string[];
  readonly bandLimitHz: number | null;
  readonly melBins: number;
}
/** Frames of each file, joined. */
export interface DecodeReply {
  readonly frames: readonly number[];
  readonly mel: Int16Array;
}

/** How a model hears. */
export interface VoiceWish {
  readonly bandLimitHz: number | null;
  readonly melBins: number;
}

/** Log-mel frames of every clip as recorded, from .cache/ or decoded by all threads. */
export async function loadVoices(
  clips: readonly VoiceClip[],
  wish: VoiceWish,
  threadCount: number,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<VoiceSet> {
  // Names and sizes stand for the files: hashing every one would take longer than it is worth.
  const { bandLimitHz, melBins } = wish;
  const listing = clips.map(({ clip, path }) => `${clip} ${String(statSync(path).size)}\n`);
  const name = `voices-${sha256(featureVersion, String(bandLimitHz), melBins === 128 ? '' : String(melBins), ...listing).slice(0, 24)}`;
  const count = clips.length;
  const start = sharedInts(count);
  const frames = sharedInts(count);
  const labels = sharedBytes(count);
  clips.forEach(({ label }, i) => (labels[i] = label));
  const place = (): number => {
    let total = 0;
    frames.forEach((length, i) => {
      start[i] = total;
      total += length;
    });
    return total;
  };
  const names = [...new Set(clips.map(({ speaker }) => speaker))];
  const speakers = sharedInts(count);
  clips.forEach(({ speaker }, i) => (speakers[i] = names.indexOf(speaker)));
  const finished = (mel: SharedShorts): VoiceSet => {
    const set = {
      count,
      melBins,
      mel,
      start,
      frames,
      labels,
      speakers,
      speechOnly: false,
      usualSpectrum: null,
    };
    return { ...set, ...spectraOf(set, usedBinCount(bandLimitHz, melBins)) };
  };
  const cachedFrames = readCache(`${name}.frames`, count * 4);
  if (cachedFrames) {
    frames.set(new Int32Array(cachedFrames.slice().buffer));
    const mel = sharedShorts(place() * melBins);
    const cachedMel = readCache(`${name}.mel`, mel.byteLength);
    if (cachedMel) {
      new Uint8Array(mel.buffer).set(cachedMel);
      return finished(mel);
    }
  }
  const chunk = 64;
  const requests: DecodeRequest[] = [];
  for (let i = 0; i < count; i += chunk)
    requests.push({ paths: clips.slice(i, i + chunk).map(({ path }) => path), bandLimitHz, melBins });
  const threads = Array.from({ length: Math.min(threadCount, requests.length) }, () =>
    startThread<DecodeRequest, DecodeReply>(new URL('./voice-worker.ts', import.meta.url), null),
  );
  let replies: DecodeReply[];
  try {
    replies = await spread(threads, requests, (done) => {
      onProgress(Math.min(done * chunk, count), count);
    });
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
  frames.set(replies.flatMap((reply) => reply.frames));
  const mel = sharedShorts(place() * melBins);
  let at = 0;
  for (const reply of replies) {
    mel.set(reply.mel, at);
    at += reply.mel.length;
  }
  writeCache(`${name}.mel`, new Uint8Array(mel.buffer));
  writeCache(`${name}.frames`, new Uint8Array(frames.buffer));
  return finished(mel);
}

/** Spectra of the clips' speech. @param usedBins bins below the band limit */
export function spectraOf(
  { count, melBins, mel, start, frames }: Pick<VoiceSet, 'count' | 'melBins' | 'mel' | 'start' | 'frames'>,
  usedBins: number,
): Pick<VoiceSet, 'spectra' | 'speechFrames'> {
  const spectra = sharedFloats(count * melBins);
  const speechFrames = sharedInts(count);
  for (let i = 0; i < count; i++) {
    const place = { begin: start[i]! * melBins, frameCount: frames[i]!, steps: melSteps };
    const spectrum = speechSpectrum(mel, melBins, usedBins, place);
    spectra.set(spectrum.mean, i * melBins);
    speechFrames[i] = spectrum.frames;
  }
  return { spectra, speechFrames };
}

/** The spectrum of one clip's speech; it shares the set's memory. */
export function spectrumOf({ melBins, spectra, speechFrames }: VoiceSet, i: number): VoiceSpectrum {
  return { mean: spectra.subarray(i * melBins, (i + 1) * melBins), frames: speechFrames[i]! };
}

/**
 * The set with its voices equalized; the arrays of the one given are changed.
 * @param target ClipSpec's usualSpectrum
 */
export function equalized(
  set: VoiceSet,
  target: readonly number[] | null,
  bandLimitHz: number | null,
  how: Equalizing,
): VoiceSet {
  if (target === null || how === 'as-is') return set;
  const { count, melBins, mel, start, frames, spectra } = set;
  const usedBins = usedBinCount(bandLimitHz, melBins);
  const own = Array.from({ length: count }, (_, i) => spectrumOf(set, i));
  const equalizers = equalizersOf(own, Array.from(set.speakers, String), target, usedBins, how);
  const floor = logFloor * melSteps;
  equalizers.forEach((equalizer, i) => {
    const steps = equalizer.map((value) => value * melSteps);
    const begin = start[i]! * melBins;
    for (let t = 0; t < frames[i]!; t++) {
      const at = begin + t * melBins;
      for (let m = 0; m < usedBins; m++)
        if (mel[at + m]! > floor)
          mel[at + m] = Math.min(32767, Math.max(floor, Math.round(mel[at + m]! + steps[m]!)));
    }
    for (let m = 0; m < usedBins; m++) spectra[i * melBins + m]! += equalizer[m]!;
  });
  return { ...set, usualSpectrum: target };
}

/** The voices without what lies before the first and after the last speech; the arrays of mel are shared. */
export function betweenPauses(set: VoiceSet, bandLimitHz: number | null): VoiceSet {
  const { count, melBins, mel } = set;
  const usedBins = usedBinCount(bandLimitHz, melBins);
  const start = sharedInts(count);
  const frames = sharedInts(count);
  for (let i = 0; i < count; i++) {
    const place = { begin: set.start[i]! * melBins, frameCount: set.frames[i]!, steps: melSteps };
    const [first, end] = spokenSpan(mel, melBins, usedBins, place) ?? [0, set.frames[i]!];
    start[i] = set.start[i]! + first;
    frames[i] = end - first;
  }
  return { ...set, start, frames, speechOnly: true };
}

/** The set without its silent clips. */
export function withoutSilence(set: VoiceSet): VoiceSet {
  const { melBins } = set;
  const heard = Array.from(set.speechFrames.keys()).filter((i) => set.speechFrames[i]! > 0);
  const ints = (from: SharedInts): SharedInts => {
    const chosen = sharedInts(heard.length);
    heard.forEach((i, k) => (chosen[k] = from[i]!));
    return chosen;
  };
  const labels = sharedBytes(heard.length);
  const spectra = sharedFloats(heard.length * melBins);
  heard.forEach((i, k) => {
    labels[k] = set.labels[i]!;
    spectra.set(set.spectra.subarray(i * melBins, (i + 1) * melBins), k * melBins);
  });
  return {
    ...set,
    count: heard.length,
    start: ints(set.start),
    frames: ints(set.frames),
    labels,
    speakers: ints(set.speakers),
    spectra,
    speechFrames: ints(set.speechFrames),
  };
}

/** Reads a whole file or says which one cannot be read. */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Problem('unsupported-file', `Cannot read ${path}: ${String(error)}`, { cause: error });
  }
}
