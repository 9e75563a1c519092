// Fine-tuning on prepared samples as the official code does: a random clip of each, augmented, mixed; and with samples
// that lack a modality, or lose one on purpose.
import { dispose, tensor2d, tensor3d } from '@tensorflow/tfjs-core';
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Random } from '../../base/random.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { audioPatches, patchLength, tokenCount, videoPatches } from '../../model/embed.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import type { PatchBatch } from '../../model/hicmae.ts';
import { concordanceLoss, meanSquaredError, mixTargets, softTargetCrossEntropy } from '../../model/losses.ts';
import type { Modality } from '../../model/params.ts';
import { joinRows } from '../../ops/combine.ts';
import { drawMixing, mixFrames, mixingPartners } from '../views/augment/mixup.ts';
import { trainingView } from '../views/clip-views.ts';
import type { View, ViewOptions } from '../views/clip-views.ts';
import type { PreparedData } from './prepared-data.ts';
import type { Part, RunTask } from './run-task.ts';
import { batches, streamOf } from './sampler.ts';
import type { SharedFloats } from '../base/shared-array.ts';
import { openSamples } from '../data/shards/read.ts';

export interface ClipsOptions {
  readonly seed: number;
  /** Samples of a step, and of a part. */
  readonly batch: number;
  readonly partSize: number;
  readonly augment: ViewOptions['augment'];
  /** Mixup or cutmix of every part's faces, as the official classification recipes; else neither. */
  readonly mix: boolean;
  readonly dropPath: number;
  /** Share of the samples with both modalities that lose one (either alike), 0..1. */
  readonly modalityDropout: number;
  readonly loss: 'cross-entropy' | 'mse' | 'ccc';
  /** Blocks keep only their inputs and compute again in the backward pass. */
  readonly recompute: boolean;
}

/** The data of a run on prepared samples; the arrays are shared. */
export interface ClipsTaskData extends PreparedData {
  readonly kind: 'clips';
  readonly config: HicmaeConfig;
  /** Wanted outputs of every sample: a distribution over classes, or dimensions; shape [samples, E]. */
  readonly targets: SharedFloats;
  /** See ViewOptions. */
  readonly equalizers: SharedFloats | null;
  /** Weight of every sample in the loss. */
  readonly weights: SharedFloats;
  readonly options: ClipsOptions;
}

interface Item {
  readonly view: View;
  readonly target: Float32Array;
  readonly weight: number;
}

/** Which modalities of an item are read. */
const kinds = [
  { face: true, voice: true, name: 'pair' },
  { face: true, voice: false, name: 'face' },
  { face: false, voice: true, name: 'voice' },
] as const;

/** Patches of a batch as a tensor, all tokens in order. */
export function patchTensor(
  config: HicmaeConfig,
  modality: Modality,
  values: readonly Float32Array[],
): PatchBatch {
  const tokens = tokenCount(config, modality);
  const length = patchLength(config, modality);
  const all = new Float32Array(values.length * tokens * length);
  values.forEach((value, i) => {
    const patches = modality === 'video' ? videoPatches(value, config) : audioPatches(value, config);
    all.set(patches, i * tokens * length);
  });
  return { patches: tensor3d(all, [values.length, tokens, length]), positions: null };
}

function modalityOf(view: View, drop: number, stream: Random): { face: boolean; voice: boolean } {
  const face = view.frames !== null;
  const voice = view.mel !== null;
  const draw = stream.uniform();
  if (!face || !voice || draw >= drop) return { face, voice };
  return draw < drop / 2 ? { face: false, voice } : { face, voice: false };
}

/** The parts of each kind as tensors; `release` disposes of them. */
interface Group {
  readonly name: (typeof kinds)[number]['name'];
  readonly video: PatchBatch | null;
  readonly audio: PatchBatch | null;
  readonly count: number;
}

export async function clipsTask(data: ClipsTaskData): Promise<RunTask> {
  const { config, options, weights, trained } = data;
  const set = await openSamples(data.folders);
  const outputs = config.classCount;
  const idsOf = batches(trained, options.batch, options.seed);
  const views: Omit<ViewOptions, 'augment'> = {
    config,
    color: data.color,
    bandLimitHz: data.bandLimitHz,
    frameStep: data.frameStep,
    equalizers: data.equalizers,
    shortSound: data.shortSound,
    roll: true,
  };
  const group = (name: Group['name'], items: readonly View[], frames: readonly Float32Array[]): Group => ({
    name,
    video: name === 'voice' ? null : patchTensor(config, 'video', frames),
    audio:
      name === 'face'
        ? null
        : patchTensor(
            config,
            'audio',
            items.map(({ mel }) => mel!),
          ),
    count: items.length,
  });
  const release = ({ video, audio }: Group): void => {
    dispose([video?.patches ?? [], audio?.patches ?? []]);
  };

  const prepare = async (step: number, part: number): Promise<Part> => {
    const ids = idsOf(step).slice(part * options.partSize, (part + 1) * options.partSize);
    const stream = streamOf(options.seed, step, 1000 + part);
    const items: { readonly item: Item; readonly reads: { face: boolean; voice: boolean } }[] = [];
    // One after the other: the draws of a sample must not depend on which file is read first.
    for (const id of ids) {
      const view = await trainingView(set, id, { ...views, augment: options.augment }, stream);
      items.push({
        item: { view, target: data.targets.slice(id * outputs, (id + 1) * outputs), weight: weights[id]! },
        reads: modalityOf(view, options.modalityDropout, stream),
      });
    }
    const totalWeight = items.reduce((sum, { item }) => sum + item.weight, 0);
    const groups = kinds.flatMap(({ face, voice, name }) => {
      const members = items
        .filter(({ reads }) => reads.face === face && reads.voice === voice)
        .map(({ item }) => item);
      if (members.length === 0) return [];
      const frames = face ? members.map(({ view }) => view.frames!) : [];
      let wanted: Float32Array = new Float32Array(members.length * outputs);
      members.forEach(({ target, weight }, i) => {
        // Weighted samples count by their share of the part's weight.
        const factor = options.loss === 'cross-entropy' ? (weight * items.length) / totalWeight : 1;
        target.forEach((value, c) => (wanted[i * outputs + c] = value * factor));
      });
      if (face && options.mix && members.length > 1) {
        const { cropPx } = config.video;
        const mixing = drawMixing(stream, cropPx);
        mixFrames(frames, cropPx, mixing);
        wanted = mixTargets(wanted, outputs, mixingPartners(members.length), mixing.lambda);
      }
      const made = group(
        name,
        members.map(({ view }) => view),
        frames,
      );
      return [{ ...made, wanted }];
    });
    // Made outside of the loss: it outlives the backward pass.
    const targets = tensor2d(
      groups.flatMap(({ wanted }) => [...wanted]),
      [items.length, outputs],
    );
    const lossOf = {
      'cross-entropy': softTargetCrossEntropy,
      mse: meanSquaredError,
      ccc: concordanceLoss,
    }[options.loss];
    return {
      samples: Array.from(ids, (id) => set.samples[id]?.key ?? String(id)),
      loss: (params, note) => {
        const training = { dropPath: options.dropPath, random: stream };
        const logits = groups.map(({ video, audio }) =>
          forwardClassify(params, config, video, audio, { training, recompute: options.recompute }),
        );
        if (groups.length > 1) {
          groups.forEach(({ name, count, wanted }, k) => {
            if (options.loss === 'ccc') return;
            note(name, lossOf(logits[k]!, tensor2d(wanted, [count, outputs])));
          });
        }
        return lossOf(joinRows(logits), targets);
      },
      close: () => {
        targets.dispose();
        groups.forEach(release);
      },
    };
  };

  return {
    prepare,
    validate: async (params, { ids }) => {
      const rows: number[][] = ids.map(() => []);
      const read: View[] = [];
      for (const k of ids) {
        const id = data.validated[k]!;
        // The same clip at every look.
        const stream = streamOf(options.seed, -1, id);
        read.push(await trainingView(set, id, { ...views, augment: 'none' }, stream));
      }
      for (const { face, voice, name } of kinds) {
        const at = read.flatMap((view, i) =>
          (view.frames !== null) === face && (view.mel !== null) === voice ? [i] : [],
        );
        if (at.length === 0) continue;
        const made = group(
          name,
          at.map((i) => read[i]!),
          face ? at.map((i) => read[i]!.frames!) : [],
        );
        const logits: Tensor2D = forwardClassify(params, config, made.video, made.audio);
        const values = await logits.data<'float32'>();
        logits.dispose();
        release(made);
        at.forEach((i, k) => (rows[i] = [...values.subarray(k * outputs, (k + 1) * outputs)]));
      }
      return rows;
    },
    close: () => set.close(),
  };
}
