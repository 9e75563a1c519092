// `pretrain-stills`: masked reconstruction of stills and voices held in memory, each branch by itself.
import { mkdirSync } from 'node:fs';
import { Command } from 'commander';
import type { SizeName } from '../../model/config.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import type { PretrainConfig } from '../../model/pretrain-config.ts';
import { pretrainParameterGroups, pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { number, whole } from '../base/options.ts';
import { commandLine } from '../recipe/command-line.ts';
import { initialPretrain } from '../trainer/initial.ts';
import { endLine } from '../recipe/run-clips.ts';
import { runLog } from '../trainer/run-log.ts';
import { identityOf, stopOnInterrupt } from '../recipe/run-options.ts';
import { checkRunFolder, train } from '../trainer/trainer.ts';
import type { Validation } from '../trainer/trainer.ts';
import {
  addStillsOptions,
  checkData,
  checkDivides,
  describeData,
  stillsClipSpec,
  trainerOptionsOf,
} from '../data/stills/stills-run.ts';
import type { StillsRunOptions } from '../data/stills/stills-run.ts';
import { loadTrainingData } from '../data/stills/training-data.ts';
import type { TrainingData } from '../data/stills/training-data.ts';
import { chooseTrainBackend } from '../base/webgpu.ts';

export interface PretrainStillsOptions extends StillsRunOptions {
  readonly from?: string;
  readonly batchFaces: number;
  readonly batchVoices: number;
  readonly maskFaces: number;
  readonly maskVoices: number;
  readonly skips: boolean;
}

/** The size with one temporal slot: a still looks the same in every one, and no parameter depends on their number. */
function oneSlot(size: SizeName): PretrainConfig {
  const config = pretrainSizes[size];
  return { ...config, video: { ...config.video, frameCount: config.video.tubeletFrames } };
}

function validationOf({ validFaces, validVoices }: TrainingData): Validation {
  return {
    sets: {
      ...(validFaces ? { faces: validFaces.count } : {}),
      ...(validVoices ? { voices: validVoices.count } : {}),
    },
    score: (set, rows) => ({
      [`${set}Loss`]: rows.reduce((sum, [loss = NaN]) => sum + loss, 0) / rows.length,
    }),
    best: () => null,
  };
}

/** Runs the command; `say` prints progress. */
export async function pretrainStills(
  options: PretrainStillsOptions,
  say: (line: string) => void,
  stopping: () => boolean = () => false,
): Promise<void> {
  checkData(options);
  const { out, resume, backend: wanted = 'auto' } = options;
  const backend = await chooseTrainBackend(wanted);
  const threads = backend.name === 'webgpu' ? 1 : options.threads;
  say(backend.reason);
  checkDivides(threads, { '--batch-faces': options.batchFaces, '--batch-voices': options.batchVoices });
  const config = oneSlot(options.size);
  const identity = identityOf(options);
  checkRunFolder(out, resume, identity);
  mkdirSync(out, { recursive: true });
  const wish = stillsClipSpec(pretrainSizes[options.size]);
  const data = await loadTrainingData(options, config, wish, say);
  const clip = { ...wish, usualSpectrum: data.usualSpectrum };
  const log = runLog(out, options.batchFaces + options.batchVoices, say);
  const { seed, batchFaces, batchVoices, maskFaces, maskVoices, skips } = options;
  try {
    const end = await train({
      run: out,
      model: { kind: 'pretrain', config },
      parameters: pretrainParameterShapes(config),
      groups: pretrainParameterGroups(config),
      clip,
      identity,
      provenance: {
        command: commandLine('pretrain-stills', options),
        data: describeData(data, options.fold),
        seed: String(seed),
      },
      task: {
        kind: 'pretrain-stills',
        config,
        bandLimitHz: clip.bandLimitHz,
        ...data,
        options: { seed, batchFaces, batchVoices, maskFaces, maskVoices, skips },
      },
      validation: validationOf(data),
      pictureIds: [],
      onPictures: () => Promise.resolve(),
      resume,
      options: trainerOptionsOf(options, threads, backend.name, {
        // As the official pre-training.
        adamw: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 },
        averageDecay: 0,
        minutes: Infinity,
        freeze: [],
      }),
      initial: () => initialPretrain(config, options.from, seed, say),
      log: log.log,
      stopping,
    });
    say(endLine(end, out));
  } finally {
    log.close();
  }
}

export function pretrainStillsCommand(say: (line: string) => void): Command {
  const command = new Command('pretrain-stills').description(
    'Learn from stills and voices without labels, in memory: masked reconstruction, each branch by itself.',
  );
  return addStillsOptions(command)
    .option('--from <path>', 'start from these pre-trained weights (default: fresh)')
    .option('--batch-faces <count>', 'faces per step, over all threads', whole(0, 4096), 128)
    .option('--batch-voices <count>', 'voices per step, over all threads', whole(0, 4096), 32)
    .option('--mask-faces <share>', "share of a face's places hidden, 0..1", number(0.01, 0.99), 0.75)
    .option('--mask-voices <share>', "share of a voice's patches hidden, 0..1", number(0.01, 0.99), 0.8)
    .option('--skips', "decoders read the encoders' lower levels", true)
    .option('--no-skips', 'they do not')
    .action(async (options: PretrainStillsOptions) => {
      await pretrainStills(options, say, stopOnInterrupt(say));
    });
}
