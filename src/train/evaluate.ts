// `evaluate`: scores an exported model on faces alone, voices alone, or faces and voices paired by label.
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { Problem } from '../base/errors.ts';
import { emotions } from '../model/labels.ts';
import { loadFaces } from './align-faces.ts';
import type { FaceReport } from './align-faces.ts';
import { writeWhole } from './cache.ts';
import type { FaceSet } from './faces.ts';
import { meanOfRows, scoreClassification, softmax } from './metrics.ts';
import type { ClassificationScores } from './metrics.ts';
import { readModel } from './model-folder.ts';
import { whole } from './options.ts';
import type { PredictItems } from './predictor.ts';
import { progress } from './progress.ts';
import { streamOf } from './sampler.ts';
import { spread, startThread } from './threads.ts';
import type { Thread } from './threads.ts';
import { backendOption, chooseTrainBackend } from './webgpu.ts';
import type { BackendOption } from './webgpu.ts';
import type { TrainReply, TrainRequest, TrainThreadData } from './train-worker.ts';
import { sharedFloats } from './shared-array.ts';
import { soundFrames } from './voice-augment.ts';
import { listVoices, loadVoices } from './voices.ts';
import type { VoiceSet } from './voices.ts';

export interface EvaluateOptions {
  readonly model: string;
  readonly faces?: string;
  readonly split: string;
  readonly voices?: string;
  readonly fold?: number;
  readonly pairs: boolean;
  readonly json?: string;
  readonly seed: number;
  readonly threads: number;
  readonly align: 'detect' | 'as-is';
  /** Default auto. */
  readonly backend?: BackendOption;
}

/** What `--json` holds. */
export interface Evaluation {
  readonly model: string;
  readonly task: 'faces' | 'voices' | 'pairs';
  readonly n: number;
  /** Accuracy, 0..1. */
  readonly war: number;
  /** Mean of the recalls that exist, 0..1. */
  readonly uar: number;
  /** null: the data has no sample of this label, and it is left out of the means. */
  readonly recall: Readonly<Record<string, number | null>>;
  readonly confusion: { readonly labels: readonly string[]; readonly rows: readonly (readonly number[])[] };
  /** Labels that the data lacks. */
  readonly missingLabels: readonly string[];
  /** Rows or clips left out, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Faces in which the detector found none: scored as they are. Null: none was asked, or there are no faces. */
  readonly undetectedFaces: number | null;
  /** How the score came about, in words. */
  readonly protocol: string;
  readonly data: Readonly<Record<string, string | number | null>>;
}

const chunk = 32;

/** Mean probabilities of every item. `place` is where a voice's window begins. */
async function probabilities(
  threads: readonly Thread<TrainRequest, TrainReply>[],
  faces: Int32Array | null,
  voices: Int32Array | null,
  place: number,
  onDone: (done: number, total: number) => void,
): Promise<number[][]> {
  const count = (faces ?? voices)?.length ?? 0;
  const requests: TrainRequest[] = [];
  for (let i = 0; i < count; i += chunk) {
    const items: PredictItems = {
      faces: faces && faces.slice(i, i + chunk),
      voices: voices && voices.slice(i, i + chunk),
      place,
      faceTokens: 'clip',
    };
    requests.push({ kind: 'predict', items });
  }
  const replies = await spread(threads, requests, (done) => {
    onDone(Math.min(done * chunk, count), count);
  });
  return replies.flatMap((reply) => (reply.kind === 'logits' ? reply.logits.map(softmax) : []));
}

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

const protocols = {
  faces:
    'Each still is a clip of identical frames, the voice absent. Rows whose most voted label is tied, or is unknown, not_a_face or contempt, are left out.',
  voices:
    'Mean of the probabilities of the first and the last 2.56 s of a clip, the face absent; a shorter clip is read once, in the middle of silence. All seven classes may be read, also those that the data lacks.',
  pairs:
    'Synthetic pairs: each voice with a still face of the same label, drawn by the seed; no synchrony, no facial motion, two different people. Voices are read as when alone.',
} as const;

/** Runs the command; `say` prints progress and the scores. */
export async function evaluate(options: EvaluateOptions, say: (line: string) => void): Promise<Evaluation> {
  const { faces: faceFolder, voices: voiceFolder } = options;
  if (faceFolder === undefined && voiceFolder === undefined) {
    throw new Problem(
      'unsupported-file',
      'Nothing to score on: give --faces DIR, --voices DIR, or --pairs with both.',
    );
  }
  if (options.pairs && (faceFolder === undefined || voiceFolder === undefined)) {
    throw new Problem('unsupported-file', '--pairs needs both --faces DIR and --voices DIR.');
  }
  if (!options.pairs && faceFolder !== undefined && voiceFolder !== undefined) {
    throw new Problem(
      'unsupported-file',
      'Got --faces and --voices: add --pairs to score them paired by label, or give one of them.',
    );
  }
  const { manifest, flat } = await readModel(options.model);
  const { config, clip } = manifest;
  if (manifest.labels.join() !== emotions.join()) {
    throw new Problem(
      'model-invalid',
      `${options.model} names ${manifest.labels.join(', ')}; evaluate scores models of ${emotions.join(', ')}.`,
    );
  }
  // The trainer prepares faces in one way only; another model would be scored on what it never saw.
  if (faceFolder !== undefined && clip.color !== 'gray-standardized') {
    throw new Problem(
      'model-invalid',
      `${options.model} reads frames as ${clip.color}; evaluate scores models trained here, on gray-standardized faces.`,
    );
  }
  let faces: FaceSet | null = null;
  let report: FaceReport | null = null;
  const dropped: Record<string, number> = {};
  if (faceFolder !== undefined) {
    const { cropPx } = config.video;
    const loaded = await loadFaces(
      {
        folder: faceFolder,
        split: options.split,
        ties: 'drop',
        cropPx,
        sidePx: cropPx,
        align: options.align,
      },
      say,
    );
    faces = loaded.set;
    report = loaded.report;
    for (const [why, count] of Object.entries(report.dropped)) dropped[`faces: ${why}`] = count;
  }
  const sound = { bandLimitHz: clip.bandLimitHz, melBins: config.audio.melBins };
  const windowFrames = Math.min(soundFrames, config.audio.frameCount);
  let voices: VoiceSet | null = null;
  if (voiceFolder !== undefined) {
    const list = listVoices(voiceFolder, options.fold === undefined ? 'any' : { only: options.fold });
    for (const [why, count] of Object.entries(list.dropped)) dropped[`voices: ${why}`] = count;
    voices = await loadVoices(list.clips, sound, options.threads, progress('decoded', say));
  }
  let faceIds = faces && everyIndex(faces.count);
  let voiceIds = voices && everyIndex(voices.count);
  if (faces && voices) {
    const partners = pairByLabel(faces, voices, options.seed);
    const kept = everyIndex(voices.count).filter((i) => partners[i] !== -1);
    if (kept.length < voices.count) dropped['voices: no face with their label'] = voices.count - kept.length;
    if (kept.length === 0) {
      throw new Problem(
        'unsupported-file',
        `No face in ${options.faces ?? ''} (${options.split}) has the label of any voice: nothing can be paired.`,
      );
    }
    faceIds = kept.map((i) => partners[i]!);
    voiceIds = kept;
  }
  const backend = await chooseTrainBackend(options.backend ?? 'auto');
  if (backend.name === 'webgpu') say(backend.reason);
  const rows = await withThreads(
    {
      config,
      backend: backend.name,
      bandLimitHz: clip.bandLimitHz,
      params: flat,
      average: flat,
      gradients: sharedFloats(0),
      faces: null,
      voices: null,
      validFaces: faces,
      validVoices: voices,
      thread: 0,
      threadCount: 1,
      step: null,
    },
    backend.name === 'webgpu' ? 1 : options.threads,
    async (threads) => {
      const rows = await probabilities(threads, faceIds, voiceIds, 0, progress('scored', say));
      if (!voices || !voiceIds) return rows;
      // The second view of those that are longer than a window.
      const long = Array.from(voiceIds.keys()).filter((i) => voices.frames[voiceIds[i]!]! > windowFrames);
      const second = await probabilities(
        threads,
        faceIds && Int32Array.from(long, (i) => faceIds[i]!),
        Int32Array.from(long, (i) => voiceIds[i]!),
        1,
        progress('scored, second view', say),
      );
      long.forEach((i, k) => (rows[i] = meanOfRows([rows[i]!, second[k]!])));
      return rows;
    },
  );
  const labels =
    voices && voiceIds
      ? Array.from(voiceIds, (i) => voices.labels[i]!)
      : Array.from(faceIds ?? [], (i) => faces!.labels[i]!);
  const scores = scoreClassification(rows, labels, emotions.length);
  const task = options.pairs ? 'pairs' : faces ? 'faces' : 'voices';
  const result: Evaluation = {
    model: manifest.name,
    task,
    n: scores.n,
    war: scores.war,
    uar: scores.uar,
    recall: Object.fromEntries(emotions.map((label, c) => [label, scores.recall[c] ?? null])),
    confusion: { labels: [...emotions], rows: scores.confusion },
    missingLabels: emotions.filter((_, c) => scores.recall[c] === null),
    dropped,
    undetectedFaces: report?.undetected ?? null,
    protocol: protocols[task],
    data: {
      faces: faceFolder ?? null,
      split: faceFolder === undefined ? null : options.split,
      voices: voiceFolder ?? null,
      fold: options.fold ?? null,
      seed: options.pairs ? options.seed : null,
    },
  };
  print(result, scores, say);
  if (options.json !== undefined) writeWhole(options.json, `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

/** Starts predicting threads, works with them, closes them. */
async function withThreads<T>(
  data: TrainThreadData,
  count: number,
  work: (threads: readonly Thread<TrainRequest, TrainReply>[]) => Promise<T>,
): Promise<T> {
  const module = new URL('./train-worker.ts', import.meta.url);
  const threads = Array.from({ length: count }, () => startThread<TrainRequest, TrainReply>(module, data));
  try {
    await Promise.all(threads.map((thread) => thread.call({ kind: 'start' })));
    return await work(threads);
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
}

function print(result: Evaluation, scores: ClassificationScores, say: (line: string) => void): void {
  const percent = (value: number | null): string => (value === null ? '-' : (100 * value).toFixed(1));
  say(result.protocol);
  const dropped = Object.entries(result.dropped).map(([why, count]) => `${String(count)} ${why}`);
  if (dropped.length > 0) say(`Left out: ${dropped.join('; ')}.`);
  if (result.undetectedFaces !== null)
    say(`No face detected in ${String(result.undetectedFaces)} stills; they are scored as they are.`);
  if (result.missingLabels.length > 0)
    say(`The data has no ${result.missingLabels.join(', ')}: left out of the means.`);
  say(`true \\ read ${emotions.map((label) => label.padStart(9)).join('')}   recall %`);
  scores.confusion.forEach((row, c) => {
    say(
      `${(emotions[c] ?? '').padEnd(11)} ${row.map((count) => String(count).padStart(9)).join('')}   ${percent(scores.recall[c] ?? null).padStart(8)}`,
    );
  });
  say(
    `${result.task}: n ${String(result.n)}, accuracy (WAR) ${percent(result.war)} %, UAR ${percent(result.uar)} %`,
  );
}

export function evaluateCommand(say: (line: string) => void): Command {
  return new Command('evaluate')
    .description('Score an exported model on faces alone, voices alone, or both paired by label (--pairs).')
    .requiredOption('--model <dir>', 'model folder, for example models/nano')
    .option('--faces <dir>', 'faces laid out like FER+: SPLIT-images.npy.gz, SPLIT-votes.csv')
    .option('--split <name>', 'split of the faces', 'valid')
    .option(
      '--voices <dir>',
      'voices laid out like CREMA-D: clips.csv (clip, emotion, and fold if one is chosen), audio/CLIP.opus',
    )
    .option('--fold <number>', 'score this fold of the voices only (default: all clips)', whole(1, 1000))
    .option('--pairs', 'score --faces and --voices paired by label: synthetic pairs', false)
    .option('--json <file>', 'also write the scores to this file')
    .option('--seed <number>', 'decides which face goes with which voice in --pairs', whole(0, 2 ** 31), 1)
    .option('--threads <count>', 'worker threads', whole(1, 64), Math.min(2, availableParallelism()))
    .addOption(backendOption())
    .addOption(
      new Option(
        '--align <how>',
        "align faces by the page's detector (needs Chromium), or take the stills as they are",
      )
        .choices(['detect', 'as-is'])
        .default('detect'),
    )
    .action(async (options: EvaluateOptions) => {
      await evaluate(options, say);
    });
}
