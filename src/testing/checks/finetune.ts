// Every recorded stage of the fine-tuning model's forward pass against the official code's numbers.
import { clone, dispose, keep, tensor } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { Problem } from '../../base/errors.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig, SizeName } from '../../model/config.ts';
import { audioPatches, patchLength, positionTable, tokenCount, videoPatches } from '../../model/embed.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import type { PatchBatch } from '../../model/hicmae.ts';
import { parameterCount, parameterShapes } from '../../model/params.ts';
import type { Modality, ParameterShape, Params } from '../../model/params.ts';
import {
  asNumbers,
  asRecord,
  asTensorRecord,
  asText,
  compareNumber,
  compareRecord,
  formulaAudio,
  formulaParameter,
  formulaVideo,
} from '../golden.ts';
import type { Comparison, GoldenCheck, TensorRecord } from '../golden.ts';

/** The formula's parameters as tensors; the caller disposes of them. */
export function formulaParams(salt: string, shapes: readonly ParameterShape[]): Params {
  return Object.fromEntries(
    shapes.map(({ name, shape }) => [
      name,
      tensor(formulaParameter(salt, name, shape), [...shape], 'float32'),
    ]),
  );
}

/** The formula's video as our model takes frames: each clip [3, T, H, W] -> [T, H, W, 3]. */
export function clipFrames(video: Float32Array, batch: number): Float32Array[] {
  return cutClips(video, batch).map((clip) => {
    const pixels = clip.length / 3;
    const frames = new Float32Array(clip.length);
    for (let i = 0; i < frames.length; i++) frames[i] = clip[(i % 3) * pixels + Math.floor(i / 3)] ?? NaN;
    return frames;
  });
}

/** The formula's input as patch batches; the caller disposes of them. */
export function formulaBatch(
  config: HicmaeConfig,
  batch: number,
  inputs: { readonly video: Float32Array; readonly audio: Float32Array },
): Readonly<Record<Modality, PatchBatch>> {
  const videoClips = clipFrames(inputs.video, batch).map((frames) => videoPatches(frames, config));
  const audioClips = cutClips(inputs.audio, batch).map((clip) => audioPatches(clip, config));
  return {
    video: { patches: patchTensor(config, 'video', videoClips), positions: null },
    audio: { patches: patchTensor(config, 'audio', audioClips), positions: null },
  };
}

/** One clip after the other. */
export function cutClips(values: Float32Array, batch: number): Float32Array[] {
  const length = values.length / batch;
  return Array.from({ length: batch }, (_, b) => values.subarray(b * length, (b + 1) * length));
}

function patchTensor(
  config: HicmaeConfig,
  modality: Modality,
  clips: readonly Float32Array[],
): PatchBatch['patches'] {
  const all = new Float32Array(clips.reduce((sum, clip) => sum + clip.length, 0));
  clips.forEach((clip, b) => {
    all.set(clip, b * clip.length);
  });
  return tensor(all, [clips.length, tokenCount(config, modality), patchLength(config, modality)], 'float32');
}

/** Runs a `finetune_*.json` fixture on the current backend. */
async function run(fixture: unknown): Promise<Comparison[]> {
  const file = asRecord(fixture, 'the fixture');
  const salt = asText(file['salt'], 'salt');
  const records = asRecord(file['tensors'], 'tensors');
  const videoShape = asNumbers(file['input_video_shape'], 'input_video_shape');
  const audioShape = asNumbers(file['input_audio_shape'], 'input_audio_shape');
  const config = fixtureConfig(file);
  const batch = videoShape[0] ?? 0;
  const comparisons = [compareNumber('param_count', parameterCount(config), Number(file['param_count']), 0)];

  const pending = new Map<string, TensorRecord>(
    Object.entries(records).map(([name, record]) => [name, asTensorRecord(record, name)]),
  );
  const compare = (name: string, shape: readonly number[], values: ArrayLike<number>): void => {
    const record = pending.get(name);
    if (record === undefined) return;
    pending.delete(name);
    comparisons.push(compareRecord(name, { shape, values }, record));
  };
  const video = formulaVideo(salt, videoShape);
  const audio = formulaAudio(salt, audioShape);
  compare('input.video', videoShape, video);
  compare('input.audio', audioShape, audio);
  for (const modality of ['video', 'audio'] as const) {
    const count = tokenCount(config, modality);
    const positions = Array.from({ length: count }, (_, i) => i);
    compare(`pos_embed.${modality}`, [1, count, config.width], positionTable(positions, config.width));
  }

  const params = formulaParams(salt, parameterShapes(config));
  const inputs = formulaBatch(config, batch, { video, audio });
  try {
    // Without a trace the model fuses what follows a product to it.
    const wanted = pending.get('logits');
    const logits = forwardClassify(params, config, inputs.video, inputs.audio);
    if (wanted !== undefined) {
      const values = await logits.data();
      comparisons.push(compareRecord('logits, fused', { shape: logits.shape, values }, wanted));
    }
    logits.dispose();
    await traceAll(compare, pending, (trace) =>
      forwardClassify(params, config, inputs.video, inputs.audio, { trace }),
    );
  } finally {
    dispose([params, inputs.video.patches, inputs.audio.patches]);
  }
  // A recorded stage that the model never delivered is a miss, not a silence.
  for (const name of pending.keys())
    comparisons.push({ tensor: `${name} (not delivered)`, error: Infinity, tolerance: 0 });
  return comparisons;
}

/** Compares every recorded stage; only those are held until they are read. */
async function traceAll(
  compare: (name: string, shape: readonly number[], values: ArrayLike<number>) => void,
  wanted: ReadonlyMap<string, TensorRecord>,
  forward: (trace: (name: string, stage: Tensor) => void) => Tensor,
): Promise<void> {
  const stages: { readonly name: string; readonly stage: Tensor }[] = [];
  try {
    forward((name, stage) => {
      if (wanted.has(name)) stages.push({ name, stage: keep(clone(stage)) });
    }).dispose();
    for (const { name, stage } of stages) compare(name, stage.shape, await stage.data());
  } finally {
    dispose(stages.map(({ stage }) => stage));
  }
}

function fixtureConfig(file: Readonly<Record<string, unknown>>): HicmaeConfig {
  const variant = asText(file['variant'], 'variant');
  const size = variant.split('_')[0] ?? '';
  if (!(size in sizes)) {
    throw new Problem(
      'unsupported-file',
      `variant is ${variant}; wanted one of ${Object.keys(sizes).join(', ')}`,
    );
  }
  const args = asRecord(file['args'], 'args');
  const activation = args['head_activation_func'] ?? 'none';
  if (activation !== 'none' && activation !== 'sigmoid' && activation !== 'relu' && activation !== 'tanh') {
    throw new Problem(
      'unsupported-file',
      `head_activation_func is ${JSON.stringify(activation)}; wanted sigmoid, relu or tanh`,
    );
  }
  return { ...sizes[size as SizeName], classCount: Number(args['num_classes']), headActivation: activation };
}

export const finetuneCheck: GoldenCheck = {
  name: 'fine-tuning model, forward',
  covers: (fileName) => /^finetune_(?!.*grads).*\.json$/.test(fileName),
  run,
};
