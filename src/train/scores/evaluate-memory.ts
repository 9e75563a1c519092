// `evaluate` on folders that are read into memory whole: stills laid out as FER+, voices as CREMA-D's compact layout,
// and synthetic pairs of both.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/errors.ts';
import { emotions } from '../../model/labels.ts';
import type { Manifest } from '../../weights/manifest.ts';
import { loadFaces } from '../data/stills/align-faces.ts';
import type { FaceReport } from '../data/stills/align-faces.ts';
import { ageGroup, known, sexNamed } from '../data/corpora/names.ts';
import { readCsv } from '../base/csv.ts';
import { readItems } from './evaluate-threads.ts';
import type { Reader } from './evaluate-threads.ts';
import type { ScoredSample } from './evaluation.ts';
import type { FaceSet } from '../data/stills/faces.ts';
import { probabilitiesOf } from './class-views.ts';
import { progress } from '../base/progress.ts';
import { streamOf } from '../tasks/sampler.ts';
import type { SamplePicture, Scored, Selection } from './scored.ts';
import { soundFrames } from '../data/stills/voice-augment.ts';
import { equalizings } from '../data/stills/equalize.ts';
import type { Equalizing } from '../data/stills/equalize.ts';
import { recorded, voiceConditions } from '../data/stills/voice-noise.ts';
import type { VoiceCondition } from '../data/stills/voice-noise.ts';
import { betweenPauses, equalized, listVoices, loadVoices, melSteps } from '../data/stills/voices.ts';
import type { VoiceClip, VoiceSet } from '../data/stills/voices.ts';

export interface MemoryOptions {
  readonly faces?: string;
  readonly voices?: string;
  readonly pairs: boolean;
  readonly seed: number;
  readonly align: 'detect' | 'as-is';
  /** Default as-is. */
  readonly voiceNoise?: VoiceCondition;
  /** Default usual. */
  readonly equalize?: Equalizing;
}

const protocols = {
  faces:
    'Each still is a clip of identical frames, the voice absent. Rows whose most voted label is tied, or is unknown, not_a_face or contempt, are left out.',
  voices:
    'Mean of the probabilities of the first and the last 2.56 s of a clip, the face absent; a shorter clip is read once, in the middle of silence. All seven classes may be read, also those that the data lacks.',
  pairs:
    'Synthetic pairs: each voice with a still face of the same label, drawn by the seed; no synchrony, no facial motion, two different people. Voices are read as when alone.',
} as const;

const speechProtocol = 'What lies before the first and after the last speech is left out.';

const mirrorProtocol = 'Faces are read mirrored too, as the model wants it: the mean of both counts.';

/** A face of the voice's label for every voice, drawn by the seed; -1 where there is none. */
export function pairByLabel(faces: FaceSet, voices: VoiceSet, seed: number): Int32Array {
  const stream = streamOf(seed, 0, 2);
  const pools = emotions.map((_, c) => Array.from(faces.labels.keys()).filter((i) => faces.labels[i] === c));
  return Int32Array.from(voices.labels, (label) => {
    const pool = pools[label] ?? [];
    return pool.length === 0 ? -1 : (pool[stream.integer(pool.length)] ?? -1);
  });
}

const everyIndex = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

/** @throws Problem when the folders asked for do not make a task */
export function memoryTask({
  faces,
  voices,
  pairs,
  voiceNoise = 'as-is',
  equalize = 'usual',
}: MemoryOptions): 'faces' | 'voices' | 'pairs' {
  if (faces === undefined && voices === undefined) {
    throw new Problem(
      'unsupported-file',
      'Nothing to score on: give --data FOLDER with prepared samples, --faces DIR, --voices DIR, or --pairs with both.',
    );
  }
  if (pairs && (faces === undefined || voices === undefined)) {
    throw new Problem('unsupported-file', '--pairs needs both --faces DIR and --voices DIR.');
  }
  if (!pairs && faces !== undefined && voices !== undefined) {
    throw new Problem(
      'unsupported-file',
      'Got --faces and --voices: add --pairs to score them paired by label, or give one of them.',
    );
  }
  if (voices === undefined && voiceNoise !== 'as-is') {
    throw new Problem(
      'unsupported-file',
      `Got --voice-noise ${voiceNoise} without voices: give --voices DIR, or leave it out.`,
    );
  }
  if (voices === undefined && equalize !== 'usual') {
    throw new Problem(
      'unsupported-file',
      `Got --equalize ${equalize} without voices: give --voices DIR, or leave it out.`,
    );
  }
  return pairs ? 'pairs' : faces === undefined ? 'voices' : 'faces';
}

function checkModel(folder: string, manifest: Manifest, task: 'faces' | 'voices' | 'pairs'): void {
  if (manifest.labels.join() !== emotions.join()) {
    throw new Problem(
      'model-invalid',
      `${folder} names ${manifest.labels.join(', ')}; with --faces and --voices evaluate scores models of ${emotions.join(', ')}. Prepare the data and give --data.`,
    );
  }
  // These folders' faces are prepared in one way only; another model would be scored on what it never saw.
  if (task !== 'voices' && manifest.clip.color !== 'gray-standardized') {
    throw new Problem(
      'model-invalid',
      `${folder} reads frames as ${manifest.clip.color}; with --faces evaluate scores models of gray-standardized faces. Prepare the data and give --data.`,
    );
  }
}

/** Who speaks in each clip and what is known of them, where the folder tells (actors.csv). */
function speakersOf(
  folder: string,
  clips: readonly VoiceClip[],
): Pick<ScoredSample, 'identity' | 'groups'>[] {
  const groups = new Map<string, Record<string, string>>();
  const path = join(folder, 'actors.csv');
  if (existsSync(path)) {
    for (const row of readCsv(path, ['ActorID']).rows) {
      const told = {
        sex: sexNamed(row['Sex'] ?? ''),
        age: ageGroup(row['Age'] ?? ''),
        race: (row['Race'] ?? '').toLowerCase(),
        ethnicity: (row['Ethnicity'] ?? '').toLowerCase(),
      };
      groups.set(row['ActorID'] ?? '', known(told));
    }
  }
  return clips.map(({ speaker }) => ({
    identity: speaker === '' ? null : speaker,
    groups: groups.get(speaker) ?? {},
  }));
}

function facePicture(set: FaceSet, i: number): NonNullable<SamplePicture['face']> {
  const size = set.sidePx ** 2;
  const data = new Uint8Array(size * 3);
  for (let p = 0; p < size; p++) data.fill(set.gray[i * size + p]!, 3 * p, 3 * p + 3);
  return { data, sidePx: set.sidePx };
}

function melPicture(set: VoiceSet, i: number): NonNullable<SamplePicture['mel']> {
  const from = set.start[i]! * set.melBins;
  const part = set.mel.subarray(from, from + set.frames[i]! * set.melBins);
  return {
    data: Float32Array.from(part, (value) => value / melSteps),
    frames: set.frames[i]!,
    bins: set.melBins,
  };
}

interface Loaded {
  readonly faces: FaceSet | null;
  readonly voices: VoiceSet | null;
  readonly clips: readonly VoiceClip[];
  readonly report: FaceReport | null;
  readonly dropped: Record<string, number>;
}

async function load(
  options: MemoryOptions,
  { split, folds }: Selection,
  reader: Reader,
  say: (line: string) => void,
): Promise<Loaded> {
  const { config, clip, threads } = reader;
  const dropped: Record<string, number> = {};
  let faces: FaceSet | null = null;
  let report: FaceReport | null = null;
  if (options.faces !== undefined) {
    const { cropPx } = config.video;
    const wish = {
      folder: options.faces,
      split: split ?? 'valid',
      ties: 'drop',
      align: options.align,
    } as const;
    const loaded = await loadFaces({ ...wish, cropPx, sidePx: cropPx }, say);
    faces = loaded.set;
    report = loaded.report;
    for (const [why, count] of Object.entries(report.dropped)) dropped[`faces: ${why}`] = count;
  }
  let voices: VoiceSet | null = null;
  let clips: VoiceClip[] = [];
  if (options.voices !== undefined) {
    for (const fold of folds ?? ['any' as const]) {
      const list = listVoices(options.voices, fold === 'any' ? 'any' : { only: fold });
      // What is left out of the folder is told with every fold.
      for (const [why, count] of Object.entries(list.dropped))
        dropped[`voices: ${why}`] = Math.max(dropped[`voices: ${why}`] ?? 0, count);
      clips = [...clips, ...list.clips];
    }
    const { bandLimitHz, usualSpectrum } = clip;
    const wish = { bandLimitHz, melBins: config.audio.melBins };
    const asIs = await loadVoices(clips, wish, threads, progress('decoded', say));
    const heard = recorded(asIs, options.voiceNoise ?? 'as-is', bandLimitHz, options.seed);
    const speech = clip.shortSound === 'speech' ? betweenPauses(heard, bandLimitHz) : heard;
    voices = equalized(speech, usualSpectrum, bandLimitHz, options.equalize ?? 'usual');
  }
  return { faces, voices, clips, report, dropped };
}

/** Loads faces, voices or pairs for a model. @throws Problem when the model does not fit, or the data cannot be read */
export async function scoreMemory(
  options: MemoryOptions,
  selection: Selection,
  model: { readonly folder: string; readonly manifest: Manifest },
  reader: Reader,
  say: (line: string) => void,
): Promise<Scored> {
  const task = memoryTask(options);
  checkModel(model.folder, model.manifest, task);
  const { faces, voices, clips, report, dropped } = await load(options, selection, reader, say);
  let faceIds = faces && everyIndex(faces.count);
  let voiceIds = voices && everyIndex(voices.count);
  if (faces && voices) {
    const partners = pairByLabel(faces, voices, options.seed);
    const kept = everyIndex(voices.count).filter((i) => partners[i] !== -1);
    if (kept.length < voices.count) dropped['voices: no face with their label'] = voices.count - kept.length;
    if (kept.length === 0) {
      throw new Problem(
        'unsupported-file',
        `No face in ${options.faces ?? ''} (${selection.split ?? 'valid'}) has the label of any voice: nothing can be paired.`,
      );
    }
    faceIds = kept.map((i) => partners[i]!);
    voiceIds = kept;
  }
  const count = (voiceIds ?? faceIds)?.length ?? 0;
  const all = Array.from({ length: count }, (_, i) => i);
  const windowFrames = Math.min(soundFrames, reader.config.audio.frameCount);
  // Clips longer than a window are read a second time, at their end.
  const long = all.filter((i) => voices && voiceIds && voices.frames[voiceIds[i]!]! > windowFrames);
  const mirrors = faces && model.manifest.clip.mirrorView ? [false, true] : [false];
  const speakers = options.voices === undefined ? [] : speakersOf(options.voices, clips);
  const split = selection.split ?? 'valid';
  const samples = all.map((i): ScoredSample => {
    const voice = voiceIds?.[i];
    const face = faceIds?.[i];
    const sources = [
      ...(voice === undefined ? [] : [clips[voice]!.clip]),
      ...(face === undefined ? [] : [`${split} face ${String(face + 1)}`]),
    ];
    const speaker = voice === undefined ? { identity: null, groups: {} } : speakers[voice]!;
    return { name: sources.join(' with '), sources, ...speaker };
  });
  return {
    samples,
    predict: async () => {
      const outputs = await readItems(
        reader,
        { faces, voices },
        { faces: faceIds, voices: voiceIds },
        // What is one reading in the page, a face as seen and mirrored, lies side by side.
        [
          ...mirrors.map((mirrored) => ({ place: 0, mirrored, which: all })),
          ...mirrors.map((mirrored) => ({ place: 1, mirrored, which: long })),
        ],
        progress('scored', say),
      );
      const kind = ({ faces: 'face', voices: 'voice', pairs: 'both' } as const)[task];
      const views = { outputs, kinds: outputs.map(() => kind) };
      return {
        kind: 'classes',
        labels: emotions,
        rows: probabilitiesOf(views, model.manifest.calibration),
        views,
        truth: all.map((i) =>
          voices && voiceIds ? voices.labels[voiceIds[i]!]! : faces!.labels[faceIds![i]!]!,
        ),
        samples,
      };
    },
    context: {
      model: model.manifest.name,
      task,
      dropped,
      undetectedFaces: report?.undetected ?? null,
      protocol: [
        protocols[task],
        voices?.speechOnly ? speechProtocol : '',
        mirrors.length > 1 ? mirrorProtocol : '',
        voices && model.manifest.clip.usualSpectrum !== null ? equalizings[options.equalize ?? 'usual'] : '',
        voiceConditions[options.voiceNoise ?? 'as-is'],
      ]
        .filter((part) => part !== '')
        .join(' '),
      data: {
        faces: options.faces ?? null,
        split: options.faces === undefined ? null : split,
        voices: options.voices ?? null,
        voiceNoise: options.voices === undefined ? null : (options.voiceNoise ?? 'as-is'),
        equalize: voices && model.manifest.clip.usualSpectrum !== null ? (options.equalize ?? 'usual') : null,
        folds: selection.folds?.join(', ') ?? null,
        seed: options.pairs || options.voiceNoise?.startsWith('noisy') ? options.seed : null,
      },
    },
    picture: (i) =>
      Promise.resolve({
        face: faces && faceIds ? facePicture(faces, faceIds[i]!) : null,
        mel: voices && voiceIds ? melPicture(voices, voiceIds[i]!) : null,
      }),
    close: () => Promise.resolve(),
  };
}
