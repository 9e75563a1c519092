// What pre-training and fine-tuning on stills and voices in memory share: options, checks, how clips are cut.
import { availableParallelism } from 'node:os';
import { Option } from 'commander';
import type { Command } from 'commander';
import { Problem } from '../../../base/errors.ts';
import { officialClipSpec } from '../../../clip/spec.ts';
import type { ClipSpec, ShortSound } from '../../../clip/spec.ts';
import { sizes } from '../../../model/config.ts';
import type { EncoderConfig, SizeName } from '../../../model/config.ts';
import { alignOption, number, whole } from '../../base/options.ts';
import { backendOption } from '../../base/webgpu.ts';
import type { BackendOption } from '../../base/webgpu.ts';
import type { TrainerOptions } from '../../trainer/trainer.ts';
import type { DataOptions, TrainingData } from './training-data.ts';

export interface StillsRunOptions extends DataOptions {
  readonly size: SizeName;
  readonly out: string;
  /** In steps of the optimizer. */
  readonly steps: number;
  readonly warmup: number;
  readonly lr: number;
  readonly weightDecay: number;
  readonly optimizer: TrainerOptions['optimizer'];
  readonly seed: number;
  readonly resume: boolean;
  readonly checkpointEvery: number;
  readonly validateEvery: number;
  /** Default auto. */
  readonly backend?: BackendOption;
}

/** How our models' clips are cut. CREMA-D has nothing above 5.5 kHz and FER+ is gray, so they hear and see no more. */
export function stillsClipSpec(config: EncoderConfig, shortSound: ShortSound = 'silence'): ClipSpec {
  const { frameCount, cropPx } = config.video;
  const spanMs = officialClipSpec.frameCount * officialClipSpec.frameIntervalMs;
  return {
    ...officialClipSpec,
    frameCount,
    cropPx,
    frameIntervalMs: spanMs / frameCount,
    color: 'gray-standardized',
    bandLimitHz: 5400,
    shortSound,
    mirrorView: true,
  };
}

/** @throws Problem when there is nothing to train on */
export function checkData({ faces, voices }: DataOptions): void {
  if (faces !== undefined || voices !== undefined) return;
  throw new Problem('unsupported-file', 'Nothing to train on: give --faces DIR, --voices DIR or both.');
}

/** @throws Problem when a step's samples, by the option that says their number, cannot be shared out among the threads */
export function checkDivides(threads: number, counts: Readonly<Record<string, number>>): void {
  for (const [option, count] of Object.entries(counts)) {
    if (count % threads === 0) continue;
    throw new Problem(
      'unsupported-file',
      `${option} ${String(count)} does not divide evenly among ${String(threads)} threads.`,
    );
  }
}

/** The trainer's options of a run's. */
export function trainerOptionsOf(
  options: StillsRunOptions,
  threads: number,
  backend: TrainerOptions['backend'],
  rest: Pick<TrainerOptions, 'adamw' | 'averageDecay' | 'minutes' | 'freeze'>,
): TrainerOptions {
  return {
    ...rest,
    steps: options.steps,
    learningRate: options.lr,
    floor: options.lr / 100,
    warmupSteps: options.warmup,
    weightDecay: options.weightDecay,
    optimizer: options.optimizer,
    threads,
    backend,
    partsPerThread: 1,
    checkpointEveryMinutes: options.checkpointEvery,
    validateEverySteps: options.validateEvery,
    patience: Infinity,
  };
}

/** The data of a run in words, for the manifest. */
export function describeData({ faces, voices }: TrainingData, fold: number): string {
  return [
    faces ? `FER+-like faces: ${String(faces.count)} of split train` : null,
    voices ? `CREMA-D-like voices: ${String(voices.count)} clips, all folds but ${String(fold)}` : null,
  ]
    .filter((part) => part !== null)
    .join('; ');
}

/** Adds the options that both commands have. */
export function addStillsOptions(command: Command): Command {
  return command
    .option(
      '--faces <dir>',
      'faces laid out like FER+: train-images.npy.gz, train-votes.csv, and valid-... if there is',
    )
    .option('--voices <dir>', 'voices laid out like CREMA-D: clips.csv, audio/CLIP.opus')
    .option('--fold <number>', 'fold of voices held out from training', whole(1, 1000), 1)
    .addOption(new Option('--size <name>', 'architecture').choices(Object.keys(sizes)).default('nano'))
    .requiredOption('--out <dir>', 'folder of the run: checkpoint, log; for example runs/nano')
    .option('--steps <count>', 'optimizer steps', whole(1, 10_000_000), 4000)
    .option('--lr <rate>', 'highest learning rate', number(0, 1), 1e-3)
    .option('--warmup <steps>', 'steps of linear warm-up', whole(1, 1_000_000), 100)
    .addOption(
      new Option('--optimizer <name>', "what moves the blocks' matrices; AdamW moves the rest")
        .choices(['adamw', 'muon'])
        .default('adamw'),
    )
    .option('--weight-decay <factor>', 'weight decay of matrices', number(0, 10), 0.05)
    .option('--seed <number>', 'decides everything random', whole(0, 2 ** 31), 1)
    .option('--threads <count>', 'worker threads', whole(1, 64), Math.min(2, availableParallelism()))
    .addOption(backendOption())
    .addOption(alignOption())
    .option('--resume', 'go on from the checkpoint in --out', false)
    .option('--checkpoint-every <minutes>', 'minutes between checkpoints', number(0, 1e6), 3)
    .option(
      '--validate-every <steps>',
      'steps between looks at small validation subsets',
      whole(1, 10_000_000),
      500,
    );
}
