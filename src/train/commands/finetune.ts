// `finetune`: trains classes or dimensions on prepared samples, as the official code does.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { Problem } from '../../base/errors.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { finetuneMultiplyAdds } from '../../model/multiply-adds.ts';
import { parameterGroups, parameterShapes } from '../../model/params.ts';
import { sayFolds, testFold } from '../recipe/folds.ts';
import type { FoldTest } from '../recipe/folds.ts';
import { initialFinetune } from '../trainer/initial.ts';
import { argmax, scoreClassification, scoreRegression } from '../scores/metrics.ts';
import { foldList, number, whole } from '../base/options.ts';
import { clipSpecOf, runClips } from '../recipe/run-clips.ts';
import {
  dimensionsOf,
  splitSamples,
  usableClass,
  usableDimensions,
  wantedClasses,
  wantedDimensions,
} from '../recipe/run-data.ts';
import type { Split, Wanted } from '../recipe/run-data.ts';
import { addCommonOptions, names, resolveOptions, stopOnInterrupt } from '../recipe/run-options.ts';
import type { CommonOptions, Resolved } from '../recipe/run-options.ts';
import type { SampleSet } from '../data/sample.ts';
import { hearVoices, sampleEqualizers } from '../data/shards/equalizers.ts';
import { usualSpectrumOf } from '../data/stills/equalize.ts';
import { openSamples } from '../data/shards/read.ts';
import type { TrainingEnd, Validation } from '../trainer/trainer.ts';

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
  /** Whether each speaker's usual voice is brought to the mean of those that are trained. */
  readonly equalize: boolean;
}

/** Scores of the looks: the official code keeps the epoch of the best accuracy, or concordance. */
function validationOf(wanted: Wanted, split: Split, outputs: FinetuneOptions['task']): Validation {
  const { labels, targets } = wanted;
  const rowOf = (i: number): number[] => [...targets.subarray(i * labels.length, (i + 1) * labels.length)];
  const truth = split.validated.map(rowOf);
  return {
    // One sample has no correlation.
    sets: truth.length < (outputs === 'dimensions' ? 2 : 1) ? {} : { clips: truth.length },
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
  const { split, wanted } = splitOf(set, options, fold);
  const config: HicmaeConfig = {
    ...sizes[options.size],
    classCount: wanted.labels.length,
    headActivation: options.headActivation,
  };
  const own = clipSpecOf(options, config);
  const everything = options.equalize ? Array.from(set.samples.keys()) : [];
  const heard = await hearVoices(set, everything, own.bandLimitHz, config.audio.melBins, say);
  await set.close();
  const isTrained = new Set(split.trained);
  const taught = [...heard.ids.keys()].filter((k) => isTrained.has(heard.ids[k]!));
  const usualSpectrum = usualSpectrumOf(
    taught.map((k) => heard.spectra[k]!),
    taught.map((k) => heard.speakers[k]!),
  );
  const clip = { ...own, usualSpectrum };
  const { seed, partSize, dropPath, modalityDropout, recompute, augment, batch } = options;
  return runClips(
    resolved,
    {
      command: 'finetune',
      run,
      samples: set.samples,
      split,
      looked: split.validated,
      fold,
      model: {
        kind: 'finetune',
        config,
        labels: wanted.labels,
        outputs: options.task,
        missingModalities:
          modalityDropout > 0 ||
          set.samples.some(({ frameCount, sampleCount }) => frameCount === 0 || sampleCount === 0),
      },
      parameters: parameterShapes(config),
      groups: parameterGroups(config, options.layerDecay),
      clip,
      multiplyAdds: finetuneMultiplyAdds(config).total,
      visible: { video: 1, audio: 1 },
      task: (data) => ({
        ...data,
        kind: 'clips',
        config,
        targets: wanted.targets,
        weights: wanted.weights,
        equalizers: sampleEqualizers(heard, set.samples.length, clip, 'usual'),
        options: {
          ...{ seed, batch, partSize, augment, dropPath, modalityDropout, recompute },
          mix: options.mix && options.task === 'classes',
          loss: options.task === 'classes' ? 'cross-entropy' : options.loss,
        },
      }),
      validation: validationOf(wanted, split, options.task),
      patience: options.patience,
      initial: () => initialFinetune(config, options.from, seed, say),
    },
    say,
    stopping,
  );
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
      '--folds <list>',
      'train once for each of these folds, each held out in turn, into OUT/fold-K: 1-5',
      foldList,
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
      '--equalize',
      "bring each speaker's usual voice to the mean of those that are trained, in training and in the page (default: voices are as recorded)",
      false,
    )
    .action(async () => {
      const resolved = resolveOptions<FinetuneOptions>(command);
      await finetune(resolved, say, stopOnInterrupt(say));
    });
}
