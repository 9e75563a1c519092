// `pretrain`: masked reconstruction and contrast on prepared, unlabeled samples.
import { join } from 'node:path';
import { Command, Option } from 'commander';
import sharp from 'sharp';
import { pretrainMultiplyAdds } from '../../model/multiply-adds.ts';
import { pretrainParameterGroups, pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import { maskCounts } from '../../model/masking.ts';
import { writeWhole } from '../base/cache.ts';
import { initialPretrain } from '../trainer/initial.ts';
import { number, whole } from '../base/options.ts';
import { clipSpecOf, runClips } from '../recipe/run-clips.ts';
import { splitSamples } from '../recipe/run-data.ts';
import type { RunLog } from '../trainer/run-log.ts';
import { addCommonOptions, resolveOptions, stopOnInterrupt } from '../recipe/run-options.ts';
import type { CommonOptions, Resolved } from '../recipe/run-options.ts';
import type { TaskPicture } from '../tasks/run-task.ts';
import { openSamples } from '../data/shards/read.ts';
import type { Validation } from '../trainer/trainer.ts';

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
  const config = pretrainSizes[options.size];
  const { seed, batch, partSize, augment, read, maskFaces, maskVoices, contrastWeight, skips, recompute } =
    options;
  const looked = split.validated.slice(0, lookedAt);
  await runClips(
    resolved,
    {
      command: 'pretrain',
      run: options.out,
      samples: set.samples,
      split,
      looked,
      fold: options.fold ?? null,
      model: { kind: 'pretrain', config },
      parameters: pretrainParameterShapes(config),
      groups: pretrainParameterGroups(config),
      clip: clipSpecOf(options, config),
      multiplyAdds: pretrainMultiplyAdds(config, {
        video: maskCounts(config, 'video', maskFaces).visible,
        audio: maskCounts(config, 'audio', maskVoices).visible,
      }).total,
      visible: { video: 1 - maskFaces, audio: 1 - maskVoices },
      task: (data) => ({
        ...data,
        kind: 'pretrain',
        config,
        options: {
          ...{ seed, batch, partSize, augment, read },
          ...{ maskFaces, maskVoices, contrastWeight, skips, recompute },
        },
      }),
      validation: validation(looked.length),
      patience: Infinity,
      pictureCount: options.pictures,
      onPictures: (drawn, step, log) => writePictures(options.out, drawn, step, log),
      initial: () => initialPretrain(config, options.from, seed, say),
    },
    say,
    stopping,
  );
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
    .option('--skips', "decoders read the encoders' lower levels", true)
    .option('--no-skips', 'they do not')
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
