// `evaluate`: scores an exported model on prepared samples, or on folders of faces and voices alone or paired by label.
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { Problem } from '../../base/errors.ts';
import { writeWhole } from '../base/cache.ts';
import { memoryTask, scoreMemory } from '../scores/evaluate-memory.ts';
import { scoreShards } from '../scores/evaluate-shards.ts';
import type { ModalityOption } from '../scores/evaluate-shards.ts';
import type { Reader } from '../scores/evaluate-threads.ts';
import { evaluateClasses, evaluateDimensions } from '../scores/evaluation.ts';
import type { CalibrationSource, ClassEvaluation, Evaluation } from '../scores/evaluation.ts';
import { readModel } from '../weights/model-folder.ts';
import { alignOption, foldList, whole } from '../base/options.ts';
import { checkApart, describeSelection, parseSelection, pooled } from '../scores/scored.ts';
import type { Scorable, Scored, Selection } from '../scores/scored.ts';
import { equalizings } from '../data/stills/equalize.ts';
import type { Equalizing } from '../data/stills/equalize.ts';
import { voiceConditions } from '../data/stills/voice-noise.ts';
import type { VoiceCondition } from '../data/stills/voice-noise.ts';
import { backendOption, chooseTrainBackend } from '../base/webgpu.ts';
import type { BackendOption } from '../base/webgpu.ts';

export { pairByLabel } from '../scores/evaluate-memory.ts';

export interface EvaluateOptions {
  /** A folder; several: the k-th reads the k-th of `folds`, and all are scored together. */
  readonly model: string | readonly string[];
  /** Folders of prepared samples. */
  readonly data?: readonly string[];
  readonly faces?: string;
  readonly voices?: string;
  /** Of prepared samples: their own split, default any. Of faces: default valid. */
  readonly split?: string;
  readonly fold?: number;
  readonly folds?: readonly number[];
  readonly pairs: boolean;
  /** Of prepared samples; default both. */
  readonly modality?: ModalityOption;
  /** Of prepared samples; default by the recording's frame rate. */
  readonly frameStep?: number;
  /** Of prepared samples: the official random gain in testing. */
  readonly roll?: boolean;
  /** See parseSelection. */
  readonly calibrateOn?: readonly string[];
  readonly json?: string;
  readonly html?: string;
  /** How many of the worst errors a report shows; default 12. */
  readonly pictures?: number;
  readonly seed: number;
  readonly threads: number;
  readonly align: 'detect' | 'as-is';
  /** Of voices; default as-is. */
  readonly voiceNoise?: VoiceCondition;
  /** Default usual. */
  readonly equalize?: Equalizing;
  /** Default auto. */
  readonly backend?: BackendOption;
}

type Say = (line: string) => void;

function checkOptions(options: EvaluateOptions): void {
  if (options.fold !== undefined && options.folds !== undefined) {
    throw new Problem('unsupported-file', 'Got --fold and --folds: give one of them.');
  }
  if (options.data === undefined) {
    memoryTask(options);
    const shardsOnly = {
      modality: options.modality,
      'frame-step': options.frameStep,
      roll: options.roll,
    };
    for (const [name, value] of Object.entries(shardsOnly)) {
      if (value !== undefined && value !== false && value !== 'both')
        throw new Problem(
          'unsupported-file',
          `--${name} is for --data; --faces and --voices say what is read.`,
        );
    }
  } else if (
    options.faces !== undefined ||
    options.voices !== undefined ||
    options.pairs ||
    (options.voiceNoise ?? 'as-is') !== 'as-is'
  ) {
    throw new Problem(
      'unsupported-file',
      'Got --data and --faces, --voices, --voice-noise or --pairs: prepared samples and folders are scored one at a time.',
    );
  }
}

/** Runs the command; `say` prints progress and the scores. */
export function evaluate(
  options: EvaluateOptions & { readonly data?: never },
  say: Say,
  command?: string,
): Promise<ClassEvaluation>;
export function evaluate(options: EvaluateOptions, say: Say, command?: string): Promise<Evaluation>;
export async function evaluate(options: EvaluateOptions, say: Say, command = ''): Promise<Evaluation> {
  checkOptions(options);
  const held = options.calibrateOn && parseSelection(options.calibrateOn);
  const folds = options.folds ?? (options.fold === undefined ? null : [options.fold]);
  const models = await readModels(options, folds);
  const backend = await chooseTrainBackend(options.backend ?? 'auto');
  if (backend.name === 'webgpu') say(backend.reason);
  const open = ({ folder, manifest, flat }: Model, selection: Selection): Promise<Scored> => {
    const reader: Reader = {
      config: manifest.config,
      clip: manifest.clip,
      params: flat,
      backend: backend.name,
      threads: backend.name === 'webgpu' ? 1 : options.threads,
    };
    if (options.data === undefined) return scoreMemory(options, selection, { folder, manifest }, reader, say);
    const shards = {
      data: options.data,
      modality: options.modality ?? 'both',
      frameStep: options.frameStep ?? null,
      rollSeed: options.roll === true ? options.seed : null,
      equalize: options.equalize ?? 'usual',
    };
    return scoreShards(shards, selection, manifest, reader, say);
  };
  const opened: Scored[] = [];
  try {
    for (const [k, model] of models.entries()) {
      const own = models.length === 1 ? folds : [folds![k]!];
      opened.push(await open(model, { split: options.split ?? null, folds: own, data: null }));
    }
    const scored = pooled(opened);
    // Opened, and seen to be apart, before the long reading begins.
    const source = held
      ? await calibrationOf(held, scored, (selection) => open(models[0]!, selection), say)
      : null;
    const predictions = await scored.predict();
    const result =
      predictions.kind === 'dimensions'
        ? evaluateDimensions(predictions, scored.context)
        : evaluateClasses(predictions, scored.context, source);
    print(result, say);
    if (options.json !== undefined) writeWhole(options.json, `${JSON.stringify(result, null, 2)}\n`);
    if (options.html !== undefined) {
      // Loaded only here: it brings the chart library along.
      const { evaluationReport } = await import('../report/evaluation-report.ts');
      writeWhole(
        options.html,
        await evaluationReport(result, scored, predictions, command, options.pictures ?? 12),
      );
      say(`Report: ${options.html}`);
    }
    return result;
  } finally {
    for (const part of opened) await part.close();
  }
}

interface Model extends Awaited<ReturnType<typeof readModel>> {
  readonly folder: string;
}

/** @throws Problem when they cannot be scored so, or not together */
async function readModels(options: EvaluateOptions, folds: readonly number[] | null): Promise<Model[]> {
  const folders = typeof options.model === 'string' ? [options.model] : options.model;
  const several = folders.length > 1;
  if (several && folds?.length !== folders.length) {
    throw new Problem(
      'unsupported-file',
      `Got ${String(folders.length)} models and ${String(folds?.length ?? 0)} folds: with several models --folds names one fold for each, in their order.`,
    );
  }
  if (several && options.data === undefined && options.voices === undefined) {
    throw new Problem('unsupported-file', 'Faces have no folds: with --faces alone give one model.');
  }
  if (several && options.calibrateOn) {
    throw new Problem('unsupported-file', '--calibrate-on is for one model: leave it out.');
  }
  const models: Model[] = [];
  for (const folder of folders) models.push({ folder, ...(await readModel(folder)) });
  for (const { folder, manifest } of models) {
    const first = models[0]!.manifest;
    if (manifest.outputs !== first.outputs || manifest.labels.join() !== first.labels.join()) {
      throw new Problem(
        'unsupported-file',
        `${folder} reads ${manifest.labels.join(', ')}, ${models[0]!.folder} ${first.labels.join(', ')}: models that are scored together read the same.`,
      );
    }
    if (options.calibrateOn && manifest.outputs === 'dimensions') {
      throw new Problem(
        'unsupported-file',
        '--calibrate-on is for classes; this model reads dimensions: leave it out.',
      );
    }
    if (options.equalize === 'own' && manifest.clip.usualSpectrum === null) {
      throw new Problem(
        'unsupported-file',
        `Got --equalize own, but ${folder} names no usual voice to bring voices to: leave it out.`,
      );
    }
  }
  return models;
}

/** Predictions of the held-out part, nothing of which is scored. */
async function calibrationOf(
  selection: Selection,
  scored: Scorable,
  open: (selection: Selection) => Promise<Scored>,
  say: Say,
): Promise<CalibrationSource> {
  const held = await open(selection);
  try {
    const people = checkApart(scored.samples, held.samples);
    const shared = people === 0 ? '' : ` (${String(people)} people are in both)`;
    const on = `${describeSelection(selection)}${shared}`;
    say(`Reading ${on}, for the temperature alone.`);
    const predictions = await held.predict();
    if (predictions.kind !== 'classes') throw new Error('internal: a temperature for dimensions');
    return { predictions, on };
  } finally {
    await held.close();
  }
}

const percent = (value: number | null): string => (value === null ? '-' : (100 * value).toFixed(1));

function print(result: Evaluation, say: Say): void {
  say(result.protocol);
  const dropped = Object.entries(result.dropped).map(([why, count]) => `${String(count)} ${why}`);
  if (dropped.length > 0) say(`Left out: ${dropped.join('; ')}.`);
  if (result.undetectedFaces !== null && (result.task !== 'shards' || result.undetectedFaces > 0))
    say(`No face detected in ${String(result.undetectedFaces)} of them; they are scored as they are.`);
  if (result.kind === 'classes') printClasses(result, say);
  else {
    const { dimensions, scores, intervals } = result;
    for (const [d, name] of [...dimensions, 'mean'].entries()) {
      const told = (['ccc', 'pcc', 'mse'] as const).map((key) => {
        const value = scores[key].perDimension[d] ?? scores[key].mean;
        const interval = intervals[d < dimensions.length ? `${key} ${name}` : key];
        const range = interval ? ` (${interval.low.toFixed(3)} to ${interval.high.toFixed(3)})` : '';
        return `${key.toUpperCase()} ${value.toFixed(3)}${range}`;
      });
      say(`${name.padEnd(11)} ${told.join('  ')}`);
    }
    say(`${String(result.n)} samples`);
  }
  const { by, clusters, resamples, confidence } = result.intervalMethod;
  const drawn = by === 'identity' ? `whole people, ${String(clusters)}` : 'single samples';
  say(
    `In brackets: ${String(100 * confidence)} % bootstrap intervals (${String(resamples)} resamples of ${drawn}).`,
  );
}

function printClasses(result: ClassEvaluation, say: Say): void {
  const { confusion, recall, intervals, calibration } = result;
  const range = (name: string): string => {
    const interval = intervals[name];
    return interval ? ` (${percent(interval.low)} to ${percent(interval.high)})` : '';
  };
  if (result.missingLabels.length > 0)
    say(`The data has no ${result.missingLabels.join(', ')}: left out of the means.`);
  const width = Math.max(9, ...confusion.labels.map((label) => label.length + 1));
  const name = Math.max(11, width);
  say(
    `${'true \\ read'.padEnd(name)} ${confusion.labels.map((label) => label.padStart(width)).join('')}   recall %`,
  );
  confusion.rows.forEach((row, c) => {
    const label = confusion.labels[c] ?? '';
    say(
      `${label.padEnd(name)} ${row.map((count) => String(count).padStart(width)).join('')}   ${percent(recall[label] ?? null).padStart(8)}${range(`recall ${label}`)}`,
    );
  });
  for (const { group, value, n, scores, intervals: own } of result.groups) {
    const uar = own['uar'];
    say(
      `${`${group} ${value}`.padEnd(24)} n ${String(n).padStart(5)}  accuracy ${percent(scores['war'] ?? null)} %, UAR ${percent(scores['uar'] ?? null)} %${uar ? ` (${percent(uar.low)} to ${percent(uar.high)})` : ''}`,
    );
  }
  say(
    `${result.task}: n ${String(result.n)}, accuracy (WAR) ${percent(result.war)} %${range('war')}, UAR ${percent(result.uar)} %${range('uar')}, macro F1 ${percent(result.macroF1)} %, weighted F1 ${percent(result.weightedF1)} %, right among two ${percent(result.top2)} %`,
  );
  const { fitted } = calibration;
  const after = fitted
    ? `; at temperature ${fitted.temperature.toFixed(3)}, fitted on ${fitted.on} (${String(fitted.n)} samples): ${percent(fitted.after.ece)} %, ${fitted.after.nll.toFixed(3)} nats`
    : '';
  say(
    `Calibration error (ECE, ${String(calibration.bins.length)} bins) ${percent(calibration.ece)} %, negative log-likelihood ${calibration.nll.toFixed(3)} nats${after}`,
  );
}

export function evaluateCommand(say: Say): Command {
  return new Command('evaluate')
    .description(
      'Score an exported model on prepared samples (--data), or on folders of faces (--faces), voices (--voices), or both paired by label (--pairs).',
    )
    .requiredOption(
      '--model <dirs...>',
      'model folder, for example models/nano; several, each trained without another fold, read one of --folds each and are scored together',
    )
    .option('--data <dirs...>', 'folders that prepare wrote; the labels are matched by name')
    .option(
      '--split <name>',
      'with --data: samples of this split only, train, valid or test (default: all); with --faces: the split to read (default: valid)',
    )
    .option(
      '--fold <number>',
      'samples, or voices, of this cross-validation fold only, from 1 (default: all)',
      whole(1, 1000),
    )
    .option('--folds <list>', 'the same for several folds, for example 1,3 or 2-4', foldList)
    .addOption(
      new Option('--modality <which>', 'with --data: what of each sample is read')
        .choices(['both', 'face', 'voice'])
        .default('both'),
    )
    .option(
      '--frame-step <frames>',
      "with --data: frames of the recording from one frame of a clip to the next, 1 to 1000; officially 4, Werewolf-XL 3 (default: by the model's clip and the recording's frame rate)",
      whole(1, 1000),
    )
    .option(
      '--roll',
      "with --data: multiply each view's sound by a random gain, as the official code does in testing too; by --seed",
      false,
    )
    .option(
      '--faces <dir>',
      'instead of --data: faces laid out like FER+, SPLIT-images.npy.gz and SPLIT-votes.csv',
    )
    .option(
      '--voices <dir>',
      'instead of --data: voices laid out like CREMA-D, clips.csv (clip, emotion, and fold if one is chosen) and audio/CLIP.opus',
    )
    .option('--pairs', 'score --faces and --voices paired by label: synthetic pairs', false)
    .addOption(
      new Option(
        '--voice-noise <condition>',
        'with --voices: score them as recorded, with their own noise suppressed, with noise added, or with a second of silence before and after',
      )
        .choices(Object.keys(voiceConditions))
        .default('as-is'),
    )
    .addOption(
      new Option(
        '--equalize <how>',
        "for a model that names a usual voice: each speaker's is brought to it, each clip by itself, or voices are as recorded",
      )
        .choices(Object.keys(equalizings))
        .default('usual'),
    )
    .option(
      '--calibrate-on <what...>',
      'fit a temperature on these held-out samples: split:NAME, fold:NUMBER, data:FOLDER; none of them may be scored, and none should have been trained on (default: no temperature)',
    )
    .option('--json <file>', 'also write the scores to this file')
    .option('--html <file>', 'also write a report of one self-contained page')
    .option(
      '--pictures <count>',
      'how many of the worst errors the report shows with pictures of the data, 0 to 200',
      whole(0, 200),
      12,
    )
    .option(
      '--seed <number>',
      'decides which face goes with which voice in --pairs, and the noise of --voice-noise',
      whole(0, 2 ** 31),
      1,
    )
    .option('--threads <count>', 'worker threads, 1 to 64', whole(1, 64), Math.min(2, availableParallelism()))
    .addOption(backendOption())
    .addOption(alignOption())
    .action(async (options: EvaluateOptions) => {
      await evaluate(options, say, `evaluate ${process.argv.slice(3).join(' ')}`);
    });
}
