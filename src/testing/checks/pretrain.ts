// Every number of the pre-training model's fixtures: stages, targets, losses, gradients.
import { clone, dispose, keep } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { Problem } from '../../base/errors.ts';
import type { SizeName } from '../../model/config.ts';
import { audioPatches, tokenCount, videoPatches } from '../../model/embed.ts';
import { disposeGradients, lossAndGradients } from '../../model/gradients.ts';
import { maskOf } from '../../model/masking.ts';
import type { Mask } from '../../model/masking.ts';
import type { Modality, Params } from '../../model/params.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import type { PretrainConfig } from '../../model/pretrain-config.ts';
import { pretrainParameterCount, pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { audioTargets, videoTargets } from '../../model/pretrain-targets.ts';
import { forwardPretrain, pretrainInput, pretrainLosses } from '../../model/pretrain.ts';
import type { PretrainBatch, PretrainOptions } from '../../model/pretrain.ts';
import {
  asNumbers,
  asRecord,
  asTensorRecord,
  asText,
  compareNumber,
  compareRecord,
  formulaAudio,
  formulaVideo,
  formulaVisible,
  recordTolerance,
  vectorLength,
} from '../golden.ts';
import type { Comparison, GoldenCheck, TensorRecord } from '../golden.ts';
import { clipFrames, cutClips, formulaParams } from './finetune.ts';

type Entries = Readonly<Record<string, unknown>>;

/** The formula's masked clips. */
export interface FormulaClips {
  readonly frames: readonly Float32Array[];
  readonly mels: readonly Float32Array[];
  readonly masks: Readonly<Record<Modality, readonly Mask[]>>;
}

/** Places of which the mask chooses: of one frame for video. */
function placeCount(config: PretrainConfig, modality: Modality): number {
  if (modality === 'audio') return tokenCount(config, 'audio');
  return (config.video.cropPx / config.video.patchPx) ** 2;
}

/** @param visible how many places of a frame, and of a spectrogram, the fixture leaves visible */
export function formulaClips(
  salt: string,
  config: PretrainConfig,
  batch: number,
  visible: Readonly<Record<Modality, number>>,
): FormulaClips {
  const { video, audio } = config;
  const masks = (modality: Modality): Mask[] =>
    Array.from({ length: batch }, (_, clip) => {
      const places = placeCount(config, modality);
      const hidden = places - visible[modality];
      return maskOf(config, modality, formulaVisible(salt, `mask.${modality}`, clip, places, hidden));
    });
  return {
    frames: clipFrames(formulaVideo(salt, [batch, 3, video.frameCount, video.cropPx, video.cropPx]), batch),
    mels: cutClips(formulaAudio(salt, [batch, 1, audio.frameCount, audio.melBins]), batch),
    masks: { video: masks('video'), audio: masks('audio') },
  };
}

/** Their tensors; the caller disposes of them with {@link disposeBatch}. */
export function formulaPretrainBatch(
  config: PretrainConfig,
  { frames, mels, masks }: FormulaClips,
  frameDifference = true,
): PretrainBatch {
  const videos = frames.map((clip) => ({
    patches: videoPatches(clip, config),
    targets: videoTargets(clip, config, 'rgb', frameDifference),
  }));
  const audios = mels.map((mel) => ({
    patches: audioPatches(mel, config),
    targets: audioTargets(mel, config),
  }));
  return {
    video: pretrainInput(config, 'video', videos, masks.video),
    audio: pretrainInput(config, 'audio', audios, masks.audio),
  };
}

export function disposeBatch({ video, audio }: PretrainBatch): void {
  for (const input of [video, audio]) dispose([input?.patches, input?.targets].filter((tensor) => !!tensor));
}

function sizeOf(file: Entries): PretrainConfig {
  const variant = asText(file['variant'], 'variant');
  if (!(variant in pretrainSizes)) {
    throw new Problem(
      'unsupported-file',
      `variant is ${variant}; wanted one of ${Object.keys(pretrainSizes).join(', ')}`,
    );
  }
  return pretrainSizes[variant as SizeName];
}

/** A fixture's rows of numbers. */
function rowsOf(value: unknown, what: string): (readonly number[])[] {
  if (!Array.isArray(value))
    throw new Problem('unsupported-file', `${what} is missing; wanted rows of numbers`);
  return value.map((row, i) => asNumbers(row, `${what}[${String(i)}]`));
}

/** As {@link recordTolerance}, of a single number; relative above 1, where float32 itself is that coarse. */
function numberTolerance(f32: number, f64: number): number {
  return 10 * Math.abs(f32 - f64) + 1e-6 * Math.max(1, Math.abs(f64));
}

/** Losses of one forward and backward pass, its stages, and the gradients' numbers. */
interface Pass {
  readonly loss: number;
  readonly video: number;
  readonly audio: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

async function pass(
  params: Params,
  config: PretrainConfig,
  batch: PretrainBatch,
  options: PretrainOptions,
): Promise<Pass> {
  const parts: (Tensor | null)[] = [];
  const result = lossAndGradients(params, () => {
    const losses = pretrainLosses(params, config, batch, options);
    parts.push(losses.parts.video, losses.parts.audio, losses.parts.contrastive);
    return losses.loss;
  });
  try {
    const numberOf = async (tensor: Tensor | null | undefined): Promise<number> =>
      (await tensor?.data())?.[0] ?? NaN;
    const gradients = new Map<string, Float32Array>();
    for (const [name, gradient] of Object.entries(result.gradients))
      gradients.set(name, await gradient.data<'float32'>());
    return {
      loss: await numberOf(result.loss),
      video: await numberOf(parts[0]),
      audio: await numberOf(parts[1]),
      gradients,
    };
  } finally {
    disposeGradients(result);
    dispose(parts.filter((part) => part !== null));
  }
}

function totalLength(gradients: Pass['gradients']): number {
  return vectorLength([...gradients.values()].map(vectorLength));
}

function compareGradients(
  config: PretrainConfig,
  gradients: Pass['gradients'],
  wanted: unknown,
  what: string,
): Comparison[] {
  const records = asRecord(wanted, what);
  return pretrainParameterShapes(config).map(({ name, shape }) => {
    const values = gradients.get(name) ?? new Float32Array(0);
    const record = asTensorRecord(records[name], `${what}.${name}`);
    // Far below 1e-6, since many gradients are smaller than that.
    const tolerance = recordTolerance(record) - 1e-6 + 1e-8;
    return compareRecord(`${what}.${name}`, { shape, values }, record, tolerance);
  });
}

async function run(fixture: unknown): Promise<Comparison[]> {
  const file = asRecord(fixture, 'the fixture');
  const salt = asText(file['salt'], 'salt');
  const config = sizeOf(file);
  const batchSize = Number(file['batch']);
  const comparisons: Comparison[] = [
    compareNumber('param_count', pretrainParameterCount(config), Number(file['param_count']), 0),
  ];

  const positions = {
    video: rowsOf(file['visible_video_positions'], 'visible_video_positions'),
    audio: rowsOf(file['visible_audio_positions'], 'visible_audio_positions'),
  };
  const clips = formulaClips(salt, config, batchSize, {
    video: positions.video[0]?.length ?? 0,
    audio: positions.audio[0]?.length ?? 0,
  });
  for (const modality of ['video', 'audio'] as const) {
    const places = placeCount(config, modality);
    const differences = clips.masks[modality].filter(({ visible }, clip) => {
      const ofFirstSlot = visible.filter((token) => token < places);
      return ofFirstSlot.join() !== positions[modality][clip]?.join();
    });
    comparisons.push(compareNumber(`visible ${modality} positions`, differences.length, 0, 0));
  }

  const pending = new Map<string, TensorRecord>(
    Object.entries(asRecord(file['tensors'], 'tensors')).map(([name, record]) => [
      name,
      asTensorRecord(record, name),
    ]),
  );
  const compare = (
    name: string,
    shape: readonly number[],
    values: ArrayLike<number>,
    record = pending.get(name),
  ): void => {
    if (record === undefined) return;
    pending.delete(name);
    comparisons.push(compareRecord(name, { shape, values }, record));
  };
  const videoShape = asNumbers(file['input_video_shape'], 'input_video_shape');
  const audioShape = asNumbers(file['input_audio_shape'], 'input_audio_shape');
  compare('input.video', videoShape, formulaVideo(salt, videoShape));
  compare('input.audio', audioShape, formulaAudio(salt, audioShape));

  const params = formulaParams(salt, pretrainParameterShapes(config));
  const batch = formulaPretrainBatch(config, clips);
  const options = {
    contrastiveWeight: Number(file['loss_weight']),
    temperature: Number(file['temperature']),
  };
  const stages: { readonly name: string; readonly stage: Tensor }[] = [];
  try {
    comparisons.push(...(await compareFused(params, config, batch, options, pending)));
    for (const modality of ['video', 'audio'] as const) {
      const targets = batch[modality]?.targets;
      if (targets) compare(`target.${modality}`, targets.shape, await targets.data());
    }
    const wanted = asRecord(file['loss'], 'loss');
    const entropies = asNumbers(wanted['contrastive_ce_f64'], 'loss.contrastive_ce_f64');
    const result = await pass(params, config, batch, {
      ...options,
      trace: (name, stage) => {
        if (pending.has(name) || name.startsWith('contrastive_ce.'))
          stages.push({ name, stage: keep(clone(stage)) });
      },
    });
    let entropiesSeen = 0;
    for (const { name, stage } of stages) {
      const values = await stage.data();
      if (!name.startsWith('contrastive_ce.')) {
        compare(name, stage.shape, values);
        continue;
      }
      const i = Number(name.split('.')[1]);
      const f32 = asNumbers(wanted['contrastive_ce_f32'], 'loss.contrastive_ce_f32')[i] ?? NaN;
      const f64 = entropies[i] ?? NaN;
      comparisons.push(compareNumber(`loss.${name}`, values[0] ?? NaN, f64, numberTolerance(f32, f64)));
      entropiesSeen++;
    }
    comparisons.push(compareNumber('contrastive losses', entropiesSeen, entropies.length, 0));
    for (const [name, value, suffix] of [
      ['loss', result.loss, ''],
      ['loss.video', result.video, 'video_'],
      ['loss.audio', result.audio, 'audio_'],
    ] as const) {
      const f64 = Number(wanted[`${suffix}f64`]);
      const tolerance = numberTolerance(Number(wanted[`${suffix}f32`]), f64);
      comparisons.push(compareNumber(name, value, f64, tolerance));
    }
    comparisons.push(...compareLengths(config, result.gradients, file));
    if (file['grads'] !== undefined)
      comparisons.push(...compareGradients(config, result.gradients, file['grads'], 'grads'));
    comparisons.push(...(await variants(file, params, config, batch, clips, options)));
  } finally {
    dispose([params, ...stages.map(({ stage }) => stage)]);
    disposeBatch(batch);
  }
  // A recorded stage that the model never delivered is a miss, not a silence.
  for (const name of pending.keys())
    comparisons.push({ tensor: `${name} (not delivered)`, error: Infinity, tolerance: 0 });
  return comparisons;
}

/** Predictions and logits where no gradients are taken: there products are fused to what follows them. */
async function compareFused(
  params: Params,
  config: PretrainConfig,
  batch: PretrainBatch,
  options: PretrainOptions,
  records: ReadonlyMap<string, TensorRecord>,
): Promise<Comparison[]> {
  const { video, audio, logits } = forwardPretrain(params, config, batch, options);
  const outputs = [
    ['video_prediction', video],
    ['audio_prediction', audio],
    ...logits.map((level, i) => [`logits_per_video.${String(i)}`, level] as const),
  ] as const;
  try {
    const comparisons: Comparison[] = [];
    for (const [name, output] of outputs) {
      const record = records.get(name);
      if (record === undefined || output === null) continue;
      const values = await output.data();
      comparisons.push(compareRecord(`${name}, fused`, { shape: output.shape, values }, record));
    }
    return comparisons;
  } finally {
    dispose(outputs.map(([, output]) => output).filter((output) => output !== null));
  }
}

/** Lengths of all gradients together, and of each where the fixture has them. */
function compareLengths(config: PretrainConfig, gradients: Pass['gradients'], file: Entries): Comparison[] {
  const total = Number(file['grad_total_norm_f64']);
  const comparisons = [
    compareNumber('total gradient norm', totalLength(gradients), total, 1e-6 * total + 1e-6),
  ];
  if (file['grad_l2_f64'] === undefined) return comparisons;
  const lengths = asRecord(file['grad_l2_f64'], 'grad_l2_f64');
  for (const { name } of pretrainParameterShapes(config)) {
    const wanted = Number(lengths[name]);
    const length = vectorLength(gradients.get(name) ?? []);
    comparisons.push(compareNumber(`grad_l2.${name}`, length, wanted, 1e-5 * wanted + 1e-8));
  }
  return comparisons;
}

/** What the micro fixture has beside: targets without frame differences, and a contrastive loss of full weight. */
async function variants(
  file: Entries,
  params: Params,
  config: PretrainConfig,
  batch: PretrainBatch,
  clips: FormulaClips,
  options: PretrainOptions,
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  if (file['target.video_without_frame_diff'] !== undefined) {
    const name = 'target.video_without_frame_diff';
    const plain = formulaPretrainBatch(config, clips, false);
    try {
      const targets = plain.video?.targets;
      const tensors = asRecord(file['tensors'], 'tensors');
      const record = asTensorRecord(file[name], name);
      // It comes without its references' difference, so that of the other targets stands for it.
      const tolerance = recordTolerance(asTensorRecord(tensors['target.video'], 'target.video'));
      if (targets) {
        const values = await targets.data();
        comparisons.push(compareRecord(name, { shape: targets.shape, values }, record, tolerance));
      }
      const { loss } = await pass(params, config, plain, options);
      const wanted = Number(file['loss_without_frame_diff_f64']);
      comparisons.push(compareNumber('loss_without_frame_diff', loss, wanted, 1e-6 * wanted + 1e-6));
    } finally {
      disposeBatch(plain);
    }
  }
  if (file['grads_with_weight_1'] !== undefined) {
    const { loss, gradients } = await pass(params, config, batch, { ...options, contrastiveWeight: 1 });
    const wanted = Number(file['loss_with_weight_1_f64']);
    comparisons.push(compareNumber('loss_with_weight_1', loss, wanted, 1e-6 * wanted + 1e-6));
    const what = 'grads_with_weight_1';
    comparisons.push(...compareGradients(config, gradients, file[what], what));
  }
  return comparisons;
}

export const pretrainCheck: GoldenCheck = {
  name: 'pre-training model',
  covers: (fileName) => /^pretrain_.*\.json$/.test(fileName),
  run,
};
