// Pre-training on prepared samples: a random clip of each, masked; reconstruction and contrast. Samples that lack a
// modality train the other branch alone.
import { dispose } from '@tensorflow/tfjs-core';
import { defined } from '../../base/assert.ts';
import type { Random } from '../../base/random.ts';
import { audioPatches, videoPatches } from '../../model/embed.ts';
import { weightedSum } from '../../model/losses.ts';
import { drawMask } from '../../model/masking.ts';
import type { Mask } from '../../model/masking.ts';
import type { Modality } from '../../model/params.ts';
import type { PretrainConfig } from '../../model/pretrain-config.ts';
import { audioTargets, videoTargets } from '../../model/pretrain-targets.ts';
import { forwardPretrain, pretrainInput, pretrainLosses } from '../../model/pretrain.ts';
import type { PretrainBatch } from '../../model/pretrain.ts';
import { pretrainingView } from '../views/clip-views.ts';
import type { View, ViewOptions } from '../views/clip-views.ts';
import { facePicture, voicePicture } from './reconstruction.ts';
import type { PreparedData } from './prepared-data.ts';
import type { Part, RunTask } from './run-task.ts';
import { batches, streamOf } from './sampler.ts';
import { openSamples } from '../data/shards/read.ts';

export interface PretrainTaskOptions {
  readonly seed: number;
  /** Samples of a step, and of a part: contrast is taken within a part, as within a GPU's batch in the official code. */
  readonly batch: number;
  readonly partSize: number;
  readonly augment: ViewOptions['augment'];
  /** What of the samples is read. */
  readonly read: 'both' | 'face' | 'voice';
  /** Shares of places hidden, 0..1. */
  readonly maskFaces: number;
  readonly maskVoices: number;
  /** Weight of the contrastive loss; 0 for none. */
  readonly contrastWeight: number;
  /** Whether decoders read the encoders' levels. */
  readonly skips: boolean;
  /** Blocks keep only their inputs and compute again in the backward pass. */
  readonly recompute: boolean;
}

/** The data of a run on prepared samples; the arrays are shared. */
export interface PretrainTaskData extends PreparedData {
  readonly kind: 'pretrain';
  readonly config: PretrainConfig;
  readonly options: PretrainTaskOptions;
}

/** A view and what of it is hidden. */
interface Masked {
  readonly view: View;
  readonly video: Mask | null;
  readonly audio: Mask | null;
}

export async function pretrainTask(data: PretrainTaskData): Promise<RunTask> {
  const { config, options, color } = data;
  const set = await openSamples(data.folders);
  const idsOf = batches(data.trained, options.batch, options.seed);
  const views: Omit<ViewOptions, 'augment'> = {
    config,
    color,
    bandLimitHz: data.bandLimitHz,
    frameStep: data.frameStep,
    equalizers: null,
    shortSound: data.shortSound,
    roll: true,
    parts: ({ both: 'both', face: 'picture', voice: 'sound' } as const)[options.read],
  };

  const read = async (id: number, augment: ViewOptions['augment'], stream: Random): Promise<Masked> => {
    const view = await pretrainingView(set, id, { ...views, augment }, stream);
    return {
      view,
      video: view.frames && drawMask(config, 'video', stream, options.maskFaces),
      audio: view.mel && drawMask(config, 'audio', stream, options.maskVoices),
    };
  };
  const inputOf = (modality: Modality, items: readonly Masked[]): PretrainBatch['video'] => {
    const clips = items.map(({ view }) =>
      modality === 'video'
        ? {
            patches: videoPatches(defined(view.frames, 'frames'), config),
            targets: videoTargets(defined(view.frames, 'frames'), config, color),
          }
        : {
            patches: audioPatches(defined(view.mel, 'mel'), config),
            targets: audioTargets(defined(view.mel, 'mel'), config),
          },
    );
    const masks = items.map((item) => defined(item[modality], 'mask'));
    return pretrainInput(config, modality, clips, masks);
  };
  /** Samples with both modalities, with a face alone, with a voice alone. */
  const groupsOf = (items: readonly Masked[]): { batch: PretrainBatch; at: readonly number[] }[] =>
    [
      [true, true],
      [true, false],
      [false, true],
    ].flatMap(([face, voice]) => {
      const at = items.flatMap(({ video, audio }, i) =>
        (video !== null) === face && (audio !== null) === voice ? [i] : [],
      );
      if (at.length === 0) return [];
      const members = at.map((i) => items[i]!);
      const batch = {
        video: face === true ? inputOf('video', members) : null,
        audio: voice === true ? inputOf('audio', members) : null,
      };
      return [{ batch, at }];
    });
  const close = ({ video, audio }: PretrainBatch): void => {
    for (const input of [video, audio]) dispose([input?.patches ?? [], input?.targets ?? []]);
  };
  const forward = {
    contrastiveWeight: options.contrastWeight,
    skips: options.skips,
    recompute: options.recompute,
  };

  const prepare = async (step: number, part: number): Promise<Part> => {
    const ids = idsOf(step).slice(part * options.partSize, (part + 1) * options.partSize);
    const stream = streamOf(options.seed, step, 1000 + part);
    const items: Masked[] = [];
    // One after the other: the draws of a sample must not depend on which file is read first.
    for (const id of ids) items.push(await read(id, options.augment, stream));
    const groups = groupsOf(items);
    return {
      samples: Array.from(ids, (id) => set.samples[id]?.key ?? String(id)),
      loss: (params, note) =>
        weightedSum(
          groups.map(({ batch, at }) => {
            const { loss, parts } = pretrainLosses(params, config, batch, forward);
            for (const [name, value] of Object.entries(parts)) {
              if (value === null) continue;
              note(name, value);
              value.dispose();
            }
            return { loss, weight: at.length / ids.length };
          }),
        ),
      close: () => {
        for (const { batch } of groups) close(batch);
      },
    };
  };

  /** The same clip and mask at every look. */
  const looked = (k: number): Promise<Masked> => {
    const id = data.validated[k]!;
    return read(id, 'none', streamOf(options.seed, -1, id));
  };

  return {
    prepare,
    // For each item its group's losses: video, audio, contrastive; NaN where it has none.
    validate: async (params, { ids }) => {
      const items: Masked[] = [];
      for (const k of ids) items.push(await looked(k));
      const rows: number[][] = ids.map(() => []);
      for (const { batch, at } of groupsOf(items)) {
        const { loss, parts } = pretrainLosses(params, config, batch, forward);
        loss.dispose();
        const row = await Promise.all(
          // One clip has nothing to contrast with.
          [parts.video, parts.audio, at.length > 1 ? parts.contrastive : null].map(
            async (value) => (await value?.data())?.[0] ?? NaN,
          ),
        );
        dispose(Object.values(parts).filter((value) => value !== null));
        close(batch);
        for (const i of at) rows[i] = row;
      }
      return rows;
    },
    pictures: async (params, k) => {
      const item = await looked(k);
      const [group] = groupsOf([item]);
      if (group === undefined) return [];
      const outputs = forwardPretrain(params, config, group.batch, { ...forward, contrastiveWeight: 0 });
      const predicted = {
        video: (await outputs.video?.data<'float32'>()) ?? null,
        audio: (await outputs.audio?.data<'float32'>()) ?? null,
      };
      dispose([outputs.video ?? [], outputs.audio ?? []]);
      close(group.batch);
      const name = set.samples[data.validated[k]!]?.key ?? String(k);
      const { frames, mel } = item.view;
      return [
        ...(frames && item.video && predicted.video
          ? [facePicture(`${name}-face`, frames, item.video, predicted.video, config, color)]
          : []),
        ...(mel && item.audio && predicted.audio
          ? [voicePicture(`${name}-voice`, mel, item.audio, predicted.audio, config)]
          : []),
      ];
    },
    close: () => set.close(),
  };
}
