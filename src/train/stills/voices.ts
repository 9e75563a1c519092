// Spoken clips laid out as CREMA-D: clips.csv and audio/CLIP.opus.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/errors.ts';
import { logFloor } from '../../clip/log-mel.ts';
import { emotions } from '../../model/labels.ts';
import { readCache, sha256, writeCache } from '../cache.ts';
import { readCsv } from '../csv.ts';
import { sharedBytes, sharedFloats, sharedInts, sharedShorts } from '../shared-array.ts';
import type { SharedBytes, SharedFloats, SharedInts, SharedShorts } from '../shared-array.ts';
import { spread, startThread } from '../threads.ts';
import { levelGains, perDb, usualLevels } from './voice-level.ts';
import type { VoiceLeveling } from './voice-level.ts';

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
  /** How far each clip is above its speaker's usual level, dB; 0 where levels are not known. */
  readonly aboveUsualDb: SharedFloats;
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
  /** Level of each file's speech, dB re full scale; NaN: no speech. */
  readonly levelsDb: readonly number[];
  readonly mel: Int16Array;
}

/** How a model hears, and how voices are leveled for it. */
export interface VoiceWish {
  readonly bandLimitHz: number | null;
  readonly melBins: number;
  /** A speaker's usual level is brought to this, dB re full scale; null: voices are as they are. */
  readonly speechLevelDb: number | null;
  readonly leveling: VoiceLeveling;
}

/** Log-mel frames of every clip, from .cache/ or decoded by all threads, and leveled. */
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
  const levelsDb = new Float32Array(count);
  clips.forEach(({ label }, i) => (labels[i] = label));
  const place = (): number => {
    let total = 0;
    frames.forEach((length, i) => {
      start[i] = total;
      total += length;
    });
    return total;
  };
  const finished = (mel: SharedShorts): VoiceSet => {
    const speakers = clips.map(({ speaker }) => speaker);
    const usualDb = usualLevels(levelsDb, speakers);
    const aboveUsualDb = sharedFloats(count);
    usualDb.forEach((usual, i) => (aboveUsualDb[i] = levelsDb[i]! - usual || 0));
    const set = { count, melBins, mel, start, frames, labels, aboveUsualDb };
    if (wish.speechLevelDb !== null)
      amplify(set, levelGains(levelsDb, speakers, wish.speechLevelDb, wish.leveling));
    return set;
  };
  const cachedFrames = readCache(`${name}.frames`, count * 4);
  const cachedLevels = readCache(`${name}.levels`, count * 4);
  if (cachedFrames && cachedLevels) {
    frames.set(new Int32Array(cachedFrames.slice().buffer));
    levelsDb.set(new Float32Array(cachedLevels.slice().buffer));
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
  levelsDb.set(replies.flatMap((reply) => reply.levelsDb));
  const mel = sharedShorts(place() * melBins);
  let at = 0;
  for (const reply of replies) {
    mel.set(reply.mel, at);
    at += reply.mel.length;
  }
  writeCache(`${name}.mel`, new Uint8Array(mel.buffer));
  writeCache(`${name}.frames`, new Uint8Array(frames.buffer));
  writeCache(`${name}.levels`, new Uint8Array(levelsDb.buffer));
  return finished(mel);
}

/** Makes each clip louder by so many dB, in place; digital silence stays. */
function amplify({ count, melBins, mel, start, frames }: VoiceSet, gainsDb: Float32Array): void {
  const floor = logFloor * melSteps;
  for (let i = 0; i < count; i++) {
    const gain = gainsDb[i]! * perDb * melSteps;
    const begin = start[i]! * melBins;
    for (let at = begin; at < begin + frames[i]! * melBins; at++)
      if (mel[at]! > floor) mel[at] = Math.max(floor, mel[at]! + gain);
  }
}

/** The set without its silent clips: nothing of theirs rises clearly above the floor. */
export function withoutSilence(set: VoiceSet): VoiceSet {
  const { melBins } = set;
  const loud = Array.from({ length: set.count }, (_, i) => i).filter((i) => {
    const from = set.start[i]! * melBins;
    return set.mel
      .subarray(from, from + set.frames[i]! * melBins)
      .some((value) => value > (logFloor + 3) * melSteps);
  });
  if (loud.length === set.count) return set;
  const start = sharedInts(loud.length);
  const frames = sharedInts(loud.length);
  const labels = sharedBytes(loud.length);
  const aboveUsualDb = sharedFloats(loud.length);
  loud.forEach((from, i) => {
    start[i] = set.start[from]!;
    frames[i] = set.frames[from]!;
    labels[i] = set.labels[from]!;
    aboveUsualDb[i] = set.aboveUsualDb[from]!;
  });
  return { count: loud.length, melBins, mel: set.mel, start, frames, labels, aboveUsualDb };
}

/** Reads a whole file or says which one cannot be read. */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Problem('unsupported-file', `Cannot read ${path}: ${String(error)}`, { cause: error });
  }
}
