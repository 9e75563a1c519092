// `finetune`: trains classes or dimensions on prepared samples, as the official code does.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { Problem } from '../base/errors.ts';
import { officialClipSpec } from '../clip/spec.ts';
import type { ClipSpec } from '../clip/spec.ts';
import { sizes } from '../model/config.ts';
import type { HicmaeConfig } from '../model/config.ts';
import { finetuneMultiplyAdds } from '../model/multiply-adds.ts';
import { parameterCount, parameterGroups, parameterShapes } from '../model/params.ts';
import { startBackend } from './backend.ts';
import { clipsCommandLine } from './command-line.ts';
import { sayFolds, testFold } from './folds.ts';
import type { FoldTest } from './folds.ts';
import { initialFinetune } from './initial.ts';
import { argmax, scoreClassification, scoreRegression } from './metrics.ts';
import { number, whole } from './options.ts';
import {
  checkEnough,
  dimensionsOf,
  sharedIds,
  splitSamples,
  usableClass,
  usableDimensions,
  wantedClasses,
  wantedDimensions,
} from './run-data.ts';
import type { Split, Wanted } from './run-data.ts';
import { runLog } from './run-log.ts';
import { addCommonOptions, identityOf, names, resolveOptions, stopOnInterrupt } from './run-options.ts';
import type { CommonOptions, Resolved } from './run-options.ts';
import { measureRate, memoryBytes, planLines, stepsOf, trainerOptionsOf } from './run-plan.ts';
import type { SampleSet } from './sample.ts';
import { openSamples } from './shards/read.ts';
import { checkRunFolder, train } from './trainer.ts';
import type { TrainingEnd, Validation } from './trainer.ts';
import { chooseTrainBackend } from './webgpu.ts';

export interface FinetuneOptions extends CommonOptions {
  readonly task: 'classes' | 'dimensions';
  readonly classes?: readonly string[];
  readonly dimensions?: readonly string[];
  readonly folds: readonly number[];
  readonly loss: 'mse' | 'ccc';
  readonly headActivation: HicmaeConfig['headActivation'];
  readonly mix: boolean;
  readonly smoothing: number;
  readonly softLabels: boolean;
  readonly classWeights: 'none' | 'balanced' | Readonly<Record<string, number>>;
  readonly modalityDropout: number;
  readonly layerDecay: number;
  readonly dropPath: number;
  readonly patience: number;
  /** Speech level of the training voices, dB re full scale; the page brings a speaker to it. Undefined: it does not. */
  readonly speechLevel?: number;
}

/** How the clips of a run are cut. */
function clipSpecOf(options: FinetuneOptions, { video }: HicmaeConfig): ClipSpec {
  return {
    ...officialClipSpec,
    frameCount: video.frameCount,
    cropPx: video.cropPx,
    frameIntervalMs: options.frameStep * 40,
    color: options.color,
    bandLimitHz: options.bandLimit === 0 ? null : options.bandLimit,
    shortSound: options.shortSound,
    speechLevelDb: options.speechLevel ?? null,
  };
}

/** Scores of the looks: the official code keeps the epoch of the best accuracy, or concordance. */
function validationOf(wanted: Wanted, split: Split, outputs: FinetuneOptions['task']): Validation {
  const { labels, targets } = wanted;
  const rowOf = (i: number): number[] => [...targets.subarray(i * labels.length, (i + 1) * labels.length)];
  const truth = split.validated.map(rowOf);
  return {
    sets: truth.length === 0 ? {} : { clips: truth.length },
    score: (_, rows) => {
      if (outputs === 'dimensions') {
        const { ccc, pcc, mse } = scoreRegression(rows, truth);
        return { ccc: ccc.mean, pcc: pcc.mean, mse: mse.mean };
      }
      const { war, uar } = scoreClassification(rows, truth.map(argmax), labels.length);
      return { war, uar };
    },
    best: (scores) => scores['war'] ?? scores['ccc'] ?? null,
  };
}

/** What is wanted of which samples. */
function splitOf(
  set: SampleSet,
  options: FinetuneOptions,
  fold: number | null,
): { readonly split: Split; readonly wanted: Wanted } {
  const labels =
    options.task === 'classes' ? (options.classes ?? set.classes) : (options.dimensions ?? dimensionsOf(set));
  if (labels.length < (options.task === 'classes' ? 2 : 1)) {
    throw new Problem(
      'unsupported-file',
      `${options.data.join(', ')} holds ${options.task === 'classes' ? `the classes ${labels.join(', ') || '(none)'}; wanted two or more: prepare a labeled corpus, or give --classes a,b` : 'no dimensions: prepare a corpus with values such as valence and arousal, or take --task classes'}.`,
    );
  }
  const { validShare, seed } = options;
  const usable = options.task === 'classes' ? usableClass(labels) : usableDimensions(labels);
  const split = splitSamples(set.samples, usable, { fold, validShare, seed });
  const wanted =
    options.task === 'classes'
      ? wantedClasses(set.samples, split.trained, labels, { ...options, classes: labels })
      : wantedDimensions(set.samples, labels);
  return { split, wanted };
}

/** One training; see `finetune`. */
async function finetuneOnce(
  resolved: Resolved<FinetuneOptions>,
  fold: number | null,
  run: string,
  say: (line: string) => void,
  stopping: () => boolean,
): Promise<TrainingEnd | null> {
  const { options } = resolved;
  const set = await openSamples(options.data);
  await set.close();
  const { split, wanted } = splitOf(set, options, fold);
  checkEnough(split, options.batch);
  const config: HicmaeConfig = {
    ...sizes[options.size],
    classCount: wanted.labels.length,
    headActivation: options.headActivation,
  };
  const clip = clipSpecOf(options, config);
  const backend = await chooseTrainBackend(options.backend);
  say(backend.reason);
  const steps = stepsOf(options, split.trained.length, backend.name);
  await startBackend();
  const lines = planLines(resolved, {
    steps,
    split,
    parameterCount: parameterCount(config),
    multiplyAdds: finetuneMultiplyAdds(config).total,
    memory: memoryBytes(config, { video: 1, audio: 1 }, parameterCount(config), options, steps.threads),
    rate: backend.name === 'wasm' ? await measureRate() : null,
  });
  if (options.dryRun) {
    lines.forEach(say);
    return null;
  }
  const { resume } = options;
  const identity = { ...identityOf(options), fold };
  checkRunFolder(run, resume, identity);
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, 'plan.txt'), `${lines.join('\n')}\n`);
  say(lines.slice(-5, -2).join('\n'));
  const log = runLog(run, options.batch, say);
  try {
    const end = await train({
      run,
      model: {
        kind: 'finetune',
        config,
        labels: wanted.labels,
        outputs: options.task,
        missingModalities:
          options.modalityDropout > 0 ||
          set.samples.some(({ frameCount, sampleCount }) => frameCount === 0 || sampleCount === 0),
      },
      parameters: parameterShapes(config),
      groups: parameterGroups(config, options.layerDecay),
      clip,
      options: trainerOptionsOf(options, steps, backend.name, options.patience),
      identity,
      provenance: {
        command: clipsCommandLine('finetune', { ...options, out: run, ...(fold === null ? {} : { fold }) }),
        data: `${[...new Set(set.samples.map(({ corpus }) => corpus))].join(', ')}: ${String(split.trained.length)} samples trained, ${String(split.validated.length)} held out`,
        seed: String(options.seed),
      },
      task: {
        kind: 'clips',
        config,
        folders: options.data,
        color: options.color,
        bandLimitHz: clip.bandLimitHz,
        frameStep: options.frameStep,
        shortSound: options.shortSound,
        trained: sharedIds(split.trained),
        validated: sharedIds(split.validated),
        targets: wanted.targets,
        weights: wanted.weights,
        options: {
          seed: options.seed,
          batch: options.batch,
          partSize: options.partSize,
          augment: options.augment,
          mix: options.mix && options.task === 'classes',
          dropPath: options.dropPath,
          modalityDropout: options.modalityDropout,
          loss: options.task === 'classes' ? 'cross-entropy' : options.loss,
          recompute: options.recompute,
        },
      },
      validation: validationOf(wanted, split, options.task),
      pictureIds: [],
      onPictures: () => Promise.resolve(),
      resume,
      initial: () => initialFinetune(config, options.from, options.seed, say),
      log: log.log,
      stopping,
    });
    say(endLine(end, run));
    return end;
  } finally {
    log.close();
  }
}

export function endLine({ why, step, minutes, best }: TrainingEnd, run: string): string {
  const reason = {
    steps: 'all steps done',
    minutes: 'the time is over',
    patience: 'no better score for long',
    stopped: 'stopped',
  }[why];
  const bestLine = best === null ? '' : `; best ${best.score.toFixed(4)} at step ${String(best.step)}`;
  const next = why === 'stopped' ? ' Go on with the same command and --resume.' : '';
  return `${reason} at step ${String(step)} after ${minutes.toFixed(1)} min${bestLine}; checkpoint in ${run}.${next}`;
}

/** Runs the command: one training, or one for each of --folds into OUT/fold-K. */
export async function finetune(
  resolved: Resolved<FinetuneOptions>,
  say: (line: string) => void,
  stopping: () => boolean = () => false,
): Promise<void> {
  const { options } = resolved;
  const { folds, fold, out, resume } = options;
  if (folds.length === 0) {
    await finetuneOnce(resolved, fold ?? null, out, say, stopping);
    return;
  }
  if (fold !== undefined)
    throw new Problem('unsupported-file', '--fold and --folds are both given: wanted one of them.');
  const tests: FoldTest[] = [];
  for (const one of folds) {
    const run = join(out, `fold-${String(one)}`);
    say(`fold ${String(one)}`);
    // Of folds interrupted together, those not begun yet begin now.
    const began = existsSync(join(run, 'log.jsonl'));
    const own = { ...resolved, options: { ...options, resume: resume && began } };
    const end = await finetuneOnce(own, one, run, say, stopping);
    if (end === null) return;
    if (end.why === 'stopped') return;
    tests.push(...(await testFold(run, one, options, say)));
  }
  sayFolds(out, tests, say);
}

/** `balanced`, `none`, or `happy=1,fear=2.5`. */
function classWeights(text: string): FinetuneOptions['classWeights'] {
  if (text === 'none' || text === 'balanced') return text;
  const pairs = names(text).map((part) => part.split('='));
  const weights = Object.fromEntries(pairs.map(([name = '', value]) => [name, Number(value)]));
  if (Object.values(weights).every((value) => value >= 0 && Number.isFinite(value))) return weights;
  throw new Problem(
    'unsupported-file',
    `--class-weights ${text}: wanted none, balanced, or weights such as happy=1,fear=2.5.`,
  );
}

export function finetuneCommand(say: (line: string) => void): Command {
  const command = addCommonOptions(
    new Command('finetune').description(
      "Train classes or dimensions on prepared samples: the paper's recipes, and ours for samples that lack a face or a voice.",
    ),
    'finetune',
  );
  return command
    .addOption(
      new Option('--task <what>', 'what the head reads; preset')
        .choices(['classes', 'dimensions'])
        .default('classes'),
    )
    .option(
      '--classes <names>',
      "classes in the head's order, separated by commas (default: the data's)",
      names,
    )
    .option('--dimensions <names>', "dimensions in the head's order (default: the data's)", names)
    .option(
      '--folds <numbers>',
      'train once for each of these folds, each held out in turn, into OUT/fold-K: 1,2,3,4,5',
      (text: string) => names(text).map(whole(1, 1000)),
      [],
    )
    .addOption(
      new Option('--loss <name>', 'of dimensions: mean squared error, or 1 - concordance within a part')
        .choices(['mse', 'ccc'])
        .default('mse'),
    )
    .addOption(
      new Option('--head-activation <name>', "of the head's outputs")
        .choices(['none', 'sigmoid', 'relu', 'tanh'])
        .default('none'),
    )
    .option('--mix', "mixup or cutmix of every part's faces and their targets; preset", false)
    .option('--no-mix', 'neither')
    .option('--smoothing <share>', 'label smoothing, 0..1; preset', number(0, 0.9), 0.1)
    .option('--soft-labels', 'crowd votes as targets where the data has them', false)
    .option(
      '--class-weights <weights>',
      'none, balanced, or by class: happy=1,fear=2.5',
      classWeights,
      'none',
    )
    .option(
      '--modality-dropout <share>',
      'samples with a face and a voice that lose one of them, 0..1; preset',
      number(0, 1),
      0,
    )
    .option(
      '--layer-decay <factor>',
      'learning rate factor from layer to layer, 0.01..1; preset (1 suits fresh weights)',
      number(0.01, 1),
      1,
    )
    .option(
      '--drop-path <rate>',
      "stochastic depth's rate in the deepest block, 0..1; preset",
      number(0, 0.9),
      0,
    )
    .addOption(
      new Option('--patience <looks>', 'end after so many validations without a better score')
        .argParser(whole(1, 1e6))
        .default(Infinity, 'never'),
    )
    .option(
      '--speech-level <dB>',
      "level of the training voices' speech, re full scale, -100 to 0: the page brings a speaker to it (default: it does not)",
      number(-100, 0),
    )
    .action(async () => {
      const resolved = resolveOptions<FinetuneOptions>(command);
      await finetune(resolved, say, stopOnInterrupt(say));
    });
}
