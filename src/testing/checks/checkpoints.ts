// Checkpoints that PyTorch wrote, imported: parameters are the formula's, outputs and losses the official code's numbers, and
// what is exported again is the same bits.
import { dispose, tensor } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { forwardClassify } from '../../model/hicmae.ts';
import type { Params } from '../../model/params.ts';
import { forwardPretrain, pretrainLosses } from '../../model/pretrain.ts';
import { readWeights } from '../../train/weights/read-weights.ts';
import type { Weights } from '../../train/weights/read-weights.ts';
import { openTorch } from '../../weights/pytorch-read.ts';
import { writeTorch } from '../../weights/pytorch-write.ts';
import type { TensorMap } from '../../weights/safetensors.ts';
import { TorchTensor } from '../../weights/torch-globals.ts';
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
  recordTolerance,
} from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';
import { formulaBatch } from './finetune.ts';
import { disposeBatch, formulaClips, formulaPretrainBatch } from './pretrain.ts';

/** A checkpoint and the fixture of its model, which has the salt and the numbers. */
export interface CheckpointFixture {
  readonly path: string;
  readonly fixture: unknown;
}

type Entries = Readonly<Record<string, unknown>>;

/** What half precision may change; of each weight the half of 2^-10. */
const halfTolerance = 1e-2;

async function run(given: unknown): Promise<Comparison[]> {
  const { path, fixture } = asRecord(given, 'the checkpoint');
  const fileName = asText(path, 'path');
  const half = /f16/.test(fileName);
  const file = asRecord(fixture, 'its fixture');
  const salt = asText(file['salt'], 'salt');
  const activation = 'args' in file ? asRecord(file['args'], 'args')['head_activation_func'] : undefined;
  const hints = activation === 'sigmoid' || activation === 'relu' || activation === 'tanh';
  const weights = await readWeights(fileName, hints ? { headActivation: activation } : {});
  const comparisons = [
    compareNumber('parameters', largestDifference(weights.tensors, salt), 0, half ? 2 ** -11 * 1.5 : 0),
    compareNumber('bits changed by export and import', await roundTrip(weights.tensors), 0, 0),
  ];
  const params: Params = Object.fromEntries(
    Object.entries(weights.tensors).map(([name, { shape, data }]) => [
      name,
      tensor(data, [...shape], 'float32'),
    ]),
  );
  try {
    comparisons.push(...(await outputs(weights, params, file, salt, half)));
  } finally {
    dispose(params);
  }
  return comparisons;
}

/** Of every parameter's every value from the formula's. */
function largestDifference(tensors: TensorMap, salt: string): number {
  let largest = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const wanted = formulaParameter(salt, name, shape);
    for (let i = 0; i < wanted.length; i++)
      largest = Math.max(largest, Math.abs((wanted[i] ?? NaN) - (data[i] ?? NaN)));
  }
  return largest;
}

/** How many values a .pth of ours does not bring back bit for bit. */
async function roundTrip(tensors: TensorMap): Promise<number> {
  const bytes = writeTorch(new Map(Object.entries(tensors)), 'F32');
  const read = (offset: number, length: number): Promise<Uint8Array> =>
    Promise.resolve(bytes.subarray(offset, offset + length));
  const file = await openTorch({ name: 'model.pth', size: bytes.length, read });
  let changed = 0;
  for (const [name, { data }] of Object.entries(tensors)) {
    const found = file.root instanceof Map ? (file.root.get(name) as unknown) : undefined;
    const back = found instanceof TorchTensor ? new Uint32Array((await file.read(found)).buffer) : [];
    const wanted = new Uint32Array(data.slice().buffer);
    for (let i = 0; i < wanted.length; i++) if (wanted[i] !== back[i]) changed++;
  }
  return changed;
}

function outputs(
  weights: Weights,
  params: Params,
  file: Entries,
  salt: string,
  half: boolean,
): Promise<Comparison[]> {
  return weights.kind === 'finetune'
    ? finetuneOutputs(weights, params, file, salt, half)
    : pretrainOutputs(weights, params, file, salt, half);
}

async function compareOutputs(
  found: readonly (readonly [name: string, output: Tensor | null])[],
  file: Entries,
  half: boolean,
): Promise<Comparison[]> {
  const records = asRecord(file['tensors'], 'tensors');
  const comparisons: Comparison[] = [];
  for (const [name, output] of found) {
    const record = asTensorRecord(records[name], name);
    const values = await (output?.data() ?? Promise.resolve([]));
    const actual = { shape: output?.shape ?? [], values };
    comparisons.push(compareRecord(name, actual, record, half ? halfTolerance : recordTolerance(record)));
  }
  return comparisons;
}

async function finetuneOutputs(
  { config }: Weights & { readonly kind: 'finetune' },
  params: Params,
  file: Entries,
  salt: string,
  half: boolean,
): Promise<Comparison[]> {
  const videoShape = asNumbers(file['input_video_shape'], 'input_video_shape');
  const audioShape = asNumbers(file['input_audio_shape'], 'input_audio_shape');
  const { video, audio } = formulaBatch(config, videoShape[0] ?? 0, {
    video: formulaVideo(salt, videoShape),
    audio: formulaAudio(salt, audioShape),
  });
  const logits = forwardClassify(params, config, video, audio);
  try {
    return await compareOutputs([['logits', logits]], file, half);
  } finally {
    dispose([logits, video.patches, audio.patches]);
  }
}

async function pretrainOutputs(
  { config }: Weights & { readonly kind: 'pretrain' },
  params: Params,
  file: Entries,
  salt: string,
  half: boolean,
): Promise<Comparison[]> {
  const visible = (modality: string): number => {
    const rows: unknown = file[`visible_${modality}_positions`];
    return Array.isArray(rows) ? asNumbers(rows[0], `visible_${modality}_positions`).length : 0;
  };
  const clips = formulaClips(salt, config, Number(file['batch']), {
    video: visible('video'),
    audio: visible('audio'),
  });
  const batch = formulaPretrainBatch(config, clips);
  const options = {
    contrastiveWeight: Number(file['loss_weight']),
    temperature: Number(file['temperature']),
  };
  const { video, audio, logits } = forwardPretrain(params, config, batch, options);
  const { loss, parts } = pretrainLosses(params, config, batch, options);
  try {
    const comparisons = await compareOutputs(
      [
        ['video_prediction', video],
        ['audio_prediction', audio],
        ...logits.map((level, i) => [`logits_per_video.${String(i)}`, level] as const),
      ],
      file,
      half,
    );
    const wanted = asRecord(file['loss'], 'loss');
    for (const [name, value, prefix] of [
      ['loss', loss, ''],
      ['loss.video', parts.video, 'video_'],
      ['loss.audio', parts.audio, 'audio_'],
    ] as const) {
      const f64 = Number(wanted[`${prefix}f64`]);
      const tolerance = half
        ? halfTolerance
        : 10 * Math.abs(f64 - Number(wanted[`${prefix}f32`])) + 1e-6 * Math.max(1, f64);
      comparisons.push(compareNumber(name, (await value?.data())?.[0] ?? NaN, f64, tolerance));
    }
    return comparisons;
  } finally {
    const all = [video, audio, ...logits, loss, parts.video, parts.audio, parts.contrastive];
    dispose(all.filter((one) => one !== null));
    disposeBatch(batch);
  }
}

export const checkpointsCheck: GoldenCheck = {
  name: 'PyTorch checkpoints',
  covers: (fileName) => /^checkpoints\/(finetune|pretrain)_.*\.pth$/.test(fileName),
  run,
};
