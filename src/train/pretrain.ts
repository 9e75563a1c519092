// `pretrain`: masked reconstruction and contrast on prepared, unlabeled samples.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import sharp from 'sharp';
import { officialClipSpec } from '../clip/spec.ts';
import type { ClipSpec } from '../clip/spec.ts';
import { pretrainMultiplyAdds } from '../model/multiply-adds.ts';
import {
  pretrainParameterCount,
  pretrainParameterGroups,
  pretrainParameterShapes,
} from '../model/pretrain-params.ts';
import { pretrainSizes } from '../model/pretrain-config.ts';
import { maskCounts } from '../model/masking.ts';
import { startBackend } from './backend.ts';
import { writeWhole } from './cache.ts';
import { clipsCommandLine } from './command-line.ts';
import { endLine } from './finetune.ts';
import { initialPretrain } from './initial.ts';
import { number, whole } from './options.ts';
import { checkEnough, sharedIds, splitSamples } from './run-data.ts';
import { runLog } from './run-log.ts';
import type { RunLog } from './run-log.ts';
import { addCommonOptions, identityOf, resolveOptions, stopOnInterrupt } from './run-options.ts';
import type { CommonOptions, Resolved } from './run-options.ts';
import { measureRate, memoryBytes, planLines, stepsOf, trainerOptionsOf } from './run-plan.ts';
import type { TaskPicture } from './run-task.ts';
import { openSamples } from './shards/read.ts';
import { checkRunFolder, train } from './trainer.ts';
import type { Validation } from './trainer.ts';
import { chooseTrainBackend } from './webgpu.ts';

export interface PretrainOptions extends CommonOptions {
  readonly read: 'both' | 'face' | 'voice';
  readonly maskFaces: number;
  readonly maskVoices: number;
  readonly contrastWeight: number;
  readonly skips: boolean;
  readonly pictures: number;
}

/** At most so many held-out samples are looked at: their losses only tell how it goes. */
const lookedAt = 256;

const lossNames = ['video', 'audio', 'contrastive'] as const;

const validation = (count: number): Validation => ({
  sets: count === 0 ? {} : { clips: count },
  score: (_, rows) =>
    Object.fromEntries(
      lossNames.flatMap((name, column) => {
        const values = rows.map((row) => row[column] ?? NaN).filter((value) => !Number.isNaN(value));
        if (values.length === 0) return [];
        return [[name, values.reduce((a, b) => a + b, 0) / values.length]];
      }),
    ),
  // Which epoch is best for what comes after, a loss does not tell: the last is kept, as in the official code.
  best: () => null,
});

async function writePictures(
  run: string,
  pictures: readonly TaskPicture[],
  step: number,
  log: RunLog,
): Promise<void> {
  for (const { name, width, height, pixels } of pictures) {
    const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    writeWhole(join(run, 'pictures', `${name}-${String(step).padStart(7, '0')}.png`), png);
    log.image(`reconstruction/${name}`, step, png, width, height);
  }
}

/** Runs the command. */
export async function pretrain(
  resolved: Resolved<PretrainOptions>,
  say: (line: string) => void,
  stopping: () => boolean = () => false,
): Promise<void> {
  const { options } = resolved;
  const set = await openSamples(options.data);
  await set.close();
  const wantsFace = options.read !== 'voice';
  const wantsVoice = options.read !== 'face';
  const split = splitSamples(
    set.samples,
    ({ frameCount, sampleCount }) =>
      (wantsFace && frameCount > 0) || (wantsVoice && sampleCount > 0) ? null : `without a ${options.read}`,
    { fold: options.fold ?? null, validShare: options.validShare, seed: options.seed },
  );
  checkEnough(split, options.batch);
  const config = pretrainSizes[options.size];
  const clip: ClipSpec = {
    ...officialClipSpec,
    frameCount: config.video.frameCount,
    cropPx: config.video.cropPx,
    frameIntervalMs: options.frameStep * 40,
    color: options.color,
    bandLimitHz: options.bandLimit === 0 ? null : options.bandLimit,
    shortSound: options.shortSound,
  };
  const backend = await chooseTrainBackend(options.backend);
  say(backend.reason);
  const steps = stepsOf(options, split.trained.length, backend.name);
  await startBackend();
  const parameterCount = pretrainParameterCount(config);
  const visible = { video: 1 - options.maskFaces, audio: 1 - options.maskVoices };
  const lines = planLines(resolved, {
    steps,
    split,
    parameterCount,
    multiplyAdds: pretrainMultiplyAdds(config, {
      video: maskCounts(config, 'video', options.maskFaces).visible,
      audio: maskCounts(config, 'audio', options.maskVoices).visible,
    }).total,
    memory: memoryBytes(config, visible, parameterCount, options, steps.threads),
    rate: backend.name === 'wasm' ? await measureRate() : null,
  });
  if (options.dryRun) {
    lines.forEach(say);
    return;
  }
  const { out, resume, pictures } = options;
  const identity = identityOf(options);
  checkRunFolder(out, resume, identity);
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'plan.txt'), `${lines.join('\n')}\n`);
  say(lines.slice(-5, -2).join('\n'));
  const log = runLog(out, options.batch, say);
  const looked = split.validated.slice(0, lookedAt);
  try {
    const end = await train({
      run: out,
      model: { kind: 'pretrain', config },
      parameters: pretrainParameterShapes(config),
      groups: pretrainParameterGroups(config),
      clip,
      options: trainerOptionsOf(options, steps, backend.name, Infinity),
      identity,
      provenance: {
        command: clipsCommandLine('pretrain', options),
        data: `${[...new Set(set.samples.map(({ corpus }) => corpus))].join(', ')}: ${String(split.trained.length)} samples trained, ${String(split.validated.length)} held out`,
        seed: String(options.seed),
      },
      task: {
        kind: 'pretrain',
        config,
        folders: options.data,
        color: options.color,
        bandLimitHz: clip.bandLimitHz,
        frameStep: options.frameStep,
        shortSound: options.shortSound,
        trained: sharedIds(split.trained),
        validated: sharedIds(looked),
        options: {
          seed: options.seed,
          batch: options.batch,
          partSize: options.partSize,
          augment: options.augment,
          read: options.read,
          maskFaces: options.maskFaces,
          maskVoices: options.maskVoices,
          contrastWeight: options.contrastWeight,
          skips: options.skips,
          recompute: options.recompute,
        },
      },
      validation: validation(looked.length),
      pictureIds: Array.from({ length: Math.min(pictures, looked.length) }, (_, i) => i),
      onPictures: (drawn, step) => writePictures(out, drawn, step, log),
      resume,
      initial: () => initialPretrain(config, options.from, options.seed, say),
      log: log.log,
      stopping,
    });
    say(endLine(end, out));
  } finally {
    log.close();
  }
}

export function pretrainCommand(say: (line: string) => void): Command {
  const command = addCommonOptions(
    new Command('pretrain').description(
      'Learn from prepared samples without labels: masked reconstruction and contrast of face and voice. Samples that lack a modality train the other branch.',
    ),
    'pretrain',
  );
  return command
    .addOption(
      new Option('--read <what>', 'modalities of the samples that are read')
        .choices(['both', 'face', 'voice'])
        .default('both'),
    )
    .option('--mask-faces <share>', "share of a face's places hidden, 0..1; preset", number(0.01, 0.99), 0.9)
    .option(
      '--mask-voices <share>',
      "share of a voice's patches hidden, 0..1; preset",
      number(0.01, 0.99),
      0.8,
    )
    .option(
      '--contrast-weight <factor>',
      'weight of the contrastive loss, 0 to 100; 0: none; preset',
      number(0, 100),
      0.0025,
    )
    .option('--no-skips', "decoders do not read the encoders' lower levels")
    .option(
      '--pictures <count>',
      'held-out samples whose reconstruction is drawn at each validation into OUT/pictures, 0 to 100',
      whole(0, 100),
      2,
    )
    .action(async () => {
      const resolved = resolveOptions<PretrainOptions>(command);
      await pretrain(resolved, say, stopOnInterrupt(say));
    });
}
