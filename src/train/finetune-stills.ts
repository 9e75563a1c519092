// `finetune-stills`: trains faces alone, voices alone and pairs together on stills and voices held in memory: quick steps for
// small models, as the shipped nano was made.
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { Problem } from '../base/errors.ts';
import { officialClipSpec } from '../clip/spec.ts';
import type { ClipSpec } from '../clip/spec.ts';
import { sizes } from '../model/config.ts';
import type { HicmaeConfig, SizeName } from '../model/config.ts';
import { emotions } from '../model/labels.ts';
import { parameterGroups, parameterShapes } from '../model/params.ts';
import { backendOption, chooseTrainBackend } from './webgpu.ts';
import type { BackendOption } from './webgpu.ts';
import { officialAdamW } from './run/adamw.ts';
import { commandLine } from './run/command-line.ts';
import { endLine } from './run/run-clips.ts';
import { initialFinetune } from './run/initial.ts';
import { alignOption, number, whole } from './options.ts';
import { stopOnInterrupt } from './run/run-options.ts';
import { scoreClassification } from './scores/metrics.ts';
import { runLog } from './run/run-log.ts';
import { checkRunFolder, train } from './run/trainer.ts';
import type { Validation } from './run/trainer.ts';
import { readWeights } from './weights/read-weights.ts';
import { loadTrainingData } from './stills/training-data.ts';
import type { DataOptions, TrainingData } from './stills/training-data.ts';

export interface StillsOptions extends DataOptions {
  readonly size: SizeName;
  readonly from?: string;
  readonly out: string;
  readonly steps: number;
  readonly minutes: number;
  readonly batchFaces: number;
  readonly batchVoices: number;
  readonly pairs: number;
  readonly balance: number;
  readonly keepFaces: number;
  readonly keepVoices: number;
  readonly lr: number;
  readonly warmup: number;
  readonly weightDecay: number;
  readonly layerDecay: number;
  readonly dropPath: number;
  readonly smoothing: number;
  readonly average: number;
  readonly seed: number;
  readonly resume: boolean;
  readonly checkpointEvery: number;
  readonly validateEvery: number;
  /** Default auto. */
  readonly backend?: BackendOption;
}

/** How our models' clips are cut. CREMA-D has nothing above 5.5 kHz and FER+ is gray, so they hear and see no more. */
function clipSpecOf(config: HicmaeConfig): ClipSpec {
  const { frameCount, cropPx } = config.video;
  const spanMs = officialClipSpec.frameCount * officialClipSpec.frameIntervalMs;
  return {
    ...officialClipSpec,
    frameCount,
    cropPx,
    frameIntervalMs: spanMs / frameCount,
    color: 'gray-standardized',
    bandLimitHz: 5400,
    shortSound: 'silence',
    // Mean of capture/voice.ts's speechLevelDb over neutral clips of CREMA-D's folds 2 to 5 (100 of them, measured once by
    // hand; anger has -21.3, sadness -34.7): what is usual for a person is more like their neutral voice than like the mean.
    speechLevelDb: -31.2,
  };
}

/** Accuracies of the looks; the best has the best mean of them. */
function validationOf({ validFaces, validVoices }: TrainingData): Validation {
  const labels: Readonly<Record<string, ArrayLike<number>>> = {
    ...(validFaces ? { faces: validFaces.labels } : {}),
    ...(validVoices ? { voices: validVoices.labels } : {}),
  };
  return {
    sets: Object.fromEntries(Object.entries(labels).map(([set, all]) => [set, all.length])),
    score: (set, rows) => {
      const { war, uar } = scoreClassification(rows, Array.from(labels[set] ?? []), emotions.length);
      return { [`${set}War`]: war, [`${set}Uar`]: uar };
    },
    best: (scores) => {
      const values = Object.entries(scores).flatMap(([name, value]) => (name.endsWith('Uar') ? [value] : []));
      return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
    },
  };
}

/** Runs the command; `say` prints progress. */
export async function finetuneStills(
  options: StillsOptions,
  say: (line: string) => void,
  stopping: () => boolean = () => false,
): Promise<void> {
  if (options.faces === undefined && options.voices === undefined) {
    throw new Problem('unsupported-file', 'Nothing to train on: give --faces DIR, --voices DIR or both.');
  }
  // Where it is, what computes it and how often it saves may change between sessions; the rest may not.
  const { out, resume, checkpointEvery, validateEvery, minutes, backend: wanted = 'auto', ...rest } = options;
  const backend = await chooseTrainBackend(wanted);
  // A GPU's steps come from one thread; the others still decode.
  const threads = backend.name === 'webgpu' ? 1 : options.threads;
  say(backend.reason);
  for (const [name, count] of [
    ['--batch-faces', options.batchFaces],
    ['--batch-voices', options.batchVoices],
    ['--pairs', options.pairs],
  ] as const) {
    if (count % threads !== 0) {
      throw new Problem(
        'unsupported-file',
        `${name} ${String(count)} does not divide evenly among ${String(threads)} threads.`,
      );
    }
  }
  if (options.pairs > Math.min(options.batchFaces, options.batchVoices)) {
    throw new Problem(
      'unsupported-file',
      `--pairs ${String(options.pairs)} is more than a batch's faces or voices.`,
    );
  }
  const config: HicmaeConfig = { ...sizes[options.size], classCount: emotions.length };
  const clip = clipSpecOf(config);
  const identity: Record<string, string | number | boolean | null> = {
    ...rest,
    faces: rest.faces ?? null,
    voices: rest.voices ?? null,
    from: rest.from ?? null,
  };
  checkRunFolder(out, resume, identity);
  mkdirSync(out, { recursive: true });
  const data = await loadTrainingData(options, config, clip, say);
  const command = commandLine('finetune-stills', options);
  const earlier = options.from === undefined ? undefined : (await readWeights(options.from)).about;
  const provenance = {
    // How the weights came to be that it starts from, then this.
    command: [earlier?.provenance['command'], command].filter((part) => part !== undefined).join(' && '),
    data: [
      data.faces ? `FER+-like faces: ${String(data.faces.count)} of split train` : null,
      data.voices
        ? `CREMA-D-like voices: ${String(data.voices.count)} clips, all folds but ${String(options.fold)}`
        : null,
    ]
      .filter((part) => part !== null)
      .join('; '),
    seed: String(options.seed),
  };
  const log = runLog(out, options.batchFaces + options.batchVoices, say);
  try {
    const end = await train({
      run: out,
      model: {
        kind: 'finetune',
        config,
        labels: emotions,
        outputs: 'classes',
        missingModalities: true,
      },
      parameters: parameterShapes(config),
      groups: parameterGroups(config, options.layerDecay),
      clip,
      identity,
      provenance,
      task: {
        kind: 'stills',
        config,
        bandLimitHz: clip.bandLimitHz,
        ...data,
        options: {
          batchFaces: options.batchFaces,
          batchVoices: options.batchVoices,
          pairs: options.pairs,
          balance: options.balance,
          keepFaces: options.keepFaces,
          keepVoices: options.keepVoices,
          dropPath: options.dropPath,
          smoothing: options.smoothing,
          seed: options.seed,
        },
      },
      validation: validationOf(data),
      pictureIds: [],
      onPictures: () => Promise.resolve(),
      resume,
      options: {
        steps: options.steps,
        minutes,
        learningRate: options.lr,
        floor: options.lr / 100,
        warmupSteps: options.warmup,
        weightDecay: options.weightDecay,
        adamw: officialAdamW,
        averageDecay: options.average,
        freeze: [],
        threads,
        backend: backend.name,
        partsPerThread: 1,
        checkpointEveryMinutes: checkpointEvery,
        validateEverySteps: validateEvery,
        patience: Infinity,
      },
      initial: () => initialFinetune(config, options.from, options.seed, say),
      log: log.log,
      stopping,
    });
    say(endLine(end, out));
  } finally {
    log.close();
  }
}

/** The command as it is typed. */
export function finetuneStillsCommand(say: (line: string) => void): Command {
  return new Command('finetune-stills')
    .description('Train faces alone, voices alone and pairs by label together.')
    .option(
      '--faces <dir>',
      'faces laid out like FER+: train-images.npy.gz, train-votes.csv, and valid-... if there is',
    )
    .option('--voices <dir>', 'voices laid out like CREMA-D: clips.csv, audio/CLIP.opus')
    .option('--fold <number>', 'fold of voices held out from training', whole(1, 1000), 1)
    .addOption(new Option('--size <name>', 'architecture').choices(Object.keys(sizes)).default('nano'))
    .option(
      '--from <path>',
      'start from these weights, fine-tuned or pre-trained: a run, a model folder, .safetensors or .pth (default: fresh)',
    )
    .requiredOption('--out <dir>', 'folder of the run: checkpoint, log; for example runs/nano')
    .option('--steps <count>', 'optimizer steps', whole(1, 10_000_000), 4000)
    .option(
      '--minutes <minutes>',
      'end after this much time, and the schedule with it (default: no limit)',
      number(0, 1e6),
      Infinity,
    )
    .option('--batch-faces <count>', 'faces per step, over all threads', whole(0, 4096), 80)
    .option('--batch-voices <count>', 'voices per step, over all threads', whole(0, 4096), 24)
    .option('--pairs <count>', 'faces and voices per step that are also read as pairs', whole(0, 4096), 12)
    .option(
      '--balance <power>',
      "a face's class counts with this power of its size, 0..1: 1 is as they come, 0 balances the classes",
      number(0, 1),
      0.75,
    )
    .option('--keep-faces <share>', "share of a face's patches kept in training, 0..1", number(0.05, 1), 1)
    .option(
      '--keep-voices <share>',
      "share of a voice's patches kept in training, 0..1",
      number(0.05, 1),
      0.4,
    )
    .option('--lr <rate>', 'highest learning rate', number(0, 1), 1e-3)
    .option('--warmup <steps>', 'steps of linear warm-up', whole(1, 1_000_000), 100)
    .option('--weight-decay <factor>', 'weight decay of matrices', number(0, 10), 0.05)
    .option(
      '--layer-decay <factor>',
      'learning rate factor from layer to layer (0.75 when starting from pre-training)',
      number(0.01, 1),
      1,
    )
    .option('--drop-path <rate>', "stochastic depth's rate in the deepest block", number(0, 0.9), 0)
    .option('--smoothing <share>', 'label smoothing of voices and pairs', number(0, 0.9), 0.1)
    .option(
      '--average <share>',
      'share of the running average of the weights kept at each step',
      number(0, 0.99999),
      0.998,
    )
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
    )
    .action(async (options: StillsOptions) => {
      await finetuneStills(options, say, stopOnInterrupt(say));
    });
}
