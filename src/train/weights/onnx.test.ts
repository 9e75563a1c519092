// An exported graph run by ONNX Runtime gives what our own forward pass gives; commands that cannot work are explained.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dispose, memory, tensor3d } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as ort from 'onnxruntime-web/wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { audioPatches, patchLength, tokenCount, videoPatches } from '../../model/embed.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import { block } from '../../model/layers.ts';
import { initParams, parameterShapes } from '../../model/params.ts';
import type { Modality, Params } from '../../model/params.ts';
import { constantCount } from '../../ops/constant.ts';
import { useBackend } from '../../testing/backends.ts';
import type { TensorMap } from '../../weights/safetensors.ts';
import { exportRun } from '../commands/export.ts';
import { slotsOf, tensorsOf } from '../trainer/flat-params.ts';
import { readModel } from './model-folder.ts';
import { onnxBlock, onnxModel } from './onnx.ts';

const root = mkdtempSync(join(tmpdir(), 'onnx-'));
const forms = ['standard', 'fused'] as const;
const seen: string[] = [];
const silent = (line: string): void => void seen.push(line);

beforeAll(async () => {
  ort.env.wasm.numThreads = 1;
  await useBackend('wasm');
});

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function noise(length: number, seed: number): Float32Array {
  const draw = random(seed);
  return Float32Array.from({ length }, () => draw.normal());
}

/** Fresh parameters, moved off their start so that no bias is zero, no norm is one and no two layers weigh alike. */
function someTensors(config: HicmaeConfig): TensorMap {
  const params = initParams(config, random(5), 'xavier');
  const tensors = Object.entries(params).map(([name, tensor], i) => {
    const shift = noise(tensor.size, 1000 + i);
    const data = tensor.dataSync<'float32'>().map((value, j) => value + 0.1 * (shift[j] ?? NaN));
    return [name, { shape: tensor.shape, data }] as const;
  });
  dispose(params);
  return Object.fromEntries(tensors);
}

function paramsOf(config: HicmaeConfig, tensors: TensorMap): Params {
  const { slots, total } = slotsOf(parameterShapes(config));
  const flat = new Float32Array(total);
  for (const { name, offset } of slots) flat.set(tensors[name]?.data ?? [], offset);
  return tensorsOf(flat, slots);
}

interface Inputs {
  readonly batch: number;
  readonly frames: Float32Array;
  readonly mel: Float32Array;
}

function someInputs({ video, audio }: HicmaeConfig, batch: number): Inputs {
  return {
    batch,
    frames: noise(batch * video.frameCount * video.cropPx ** 2 * 3, 1),
    mel: noise(batch * audio.frameCount * audio.melBins, 2),
  };
}

/** Outputs by name of one run of an ONNX file. */
async function runOnnx(
  file: Uint8Array,
  inputs: Record<string, ort.Tensor>,
): Promise<Record<string, Float32Array>> {
  const session = await ort.InferenceSession.create(file);
  try {
    const outputs = await session.run(inputs);
    expect(Object.keys(outputs)).toEqual([...session.outputNames]);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data }]) => [name, (data as Float32Array).slice()]),
    );
  } finally {
    await session.release();
  }
}

const float32 = (data: Float32Array, shape: readonly number[]): ort.Tensor =>
  new ort.Tensor('float32', data, shape);

function feeds({ video, audio }: HicmaeConfig, { batch, frames, mel }: Inputs): Record<string, ort.Tensor> {
  return {
    frames: float32(frames, [batch, video.frameCount, video.cropPx, video.cropPx, 3]),
    mel: float32(mel, [batch, audio.frameCount, audio.melBins]),
  };
}

/** The same through our own forward pass. */
function ourLogits(params: Params, config: HicmaeConfig, { batch, frames, mel }: Inputs): Float32Array {
  const cut = (modality: Modality, values: Float32Array, patches: typeof videoPatches): Tensor => {
    const length = values.length / batch;
    const all = new Float32Array(values.length);
    for (let b = 0; b < batch; b++)
      all.set(patches(values.subarray(b * length, (b + 1) * length), config), b * length);
    return tensor3d(all, [batch, tokenCount(config, modality), patchLength(config, modality)]);
  };
  const patches = { video: cut('video', frames, videoPatches), audio: cut('audio', mel, audioPatches) };
  const asBatch = (tensor: Tensor) => ({ patches: tensor as ReturnType<typeof tensor3d>, positions: null });
  const logits = forwardClassify(params, config, asBatch(patches.video), asBatch(patches.audio));
  const values = logits.dataSync<'float32'>().slice();
  dispose([patches, logits]);
  return values;
}

/** Largest difference, in units of the largest magnitude of `wanted` where that is above 1. */
function worst(got: Float32Array | undefined, wanted: Float32Array): number {
  expect(got).toHaveLength(wanted.length);
  const unit = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - (got?.[i] ?? NaN)) / unit), 0);
}

describe('the exported model', () => {
  const micro: HicmaeConfig = { ...sizes.micro, encoderDepth: 3, fusionDepth: 2, classCount: 7 };

  it.each(forms)('of micro agrees with ours, attention %s, two clips, any batch', async (attention) => {
    const tensors = someTensors(micro);
    const inputs = someInputs(micro, 2);
    const params = paramsOf(micro, tensors);
    const wanted = ourLogits(params, micro, inputs);
    dispose(params);
    expect(worst(wanted.subarray(7), wanted.subarray(0, 7))).toBeGreaterThan(1e-2);
    const { logits, probabilities } = await runOnnx(
      onnxModel(micro, tensors, { attention }),
      feeds(micro, inputs),
    );
    const error = worst(logits, wanted);
    console.info(`micro, ${attention}: worst logit error ${error.toExponential(1)}`);
    expect(error).toBeLessThan(1e-5);
    for (const clip of [probabilities?.subarray(0, 7), probabilities?.subarray(7)]) {
      expect(clip?.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    }
  });

  it.each(forms)("of nano's shipped weights agrees with ours, attention %s", async (attention) => {
    const { manifest, flat } = await readModel('models/nano');
    const { slots } = slotsOf(parameterShapes(manifest.config));
    const tensors = Object.fromEntries(
      slots.map(({ name, shape, offset, length }) => [
        name,
        { shape, data: flat.slice(offset, offset + length) },
      ]),
    );
    const inputs = someInputs(manifest.config, 1);
    const before = memory().numTensors - constantCount();
    const params = tensorsOf(flat, slots);
    const wanted = ourLogits(params, manifest.config, inputs);
    dispose(params);
    expect(memory().numTensors - constantCount()).toBe(before);
    const file = onnxModel(manifest.config, tensors, { attention, batch: 1 });
    const { logits } = await runOnnx(file, feeds(manifest.config, inputs));
    const error = worst(logits, wanted);
    console.info(`nano, ${attention}: worst logit error ${error.toExponential(1)}`);
    expect(error).toBeLessThan(1e-5);
  });

  it('has the head activation inside, and then no probabilities', async () => {
    const config: HicmaeConfig = { ...sizes.micro, classCount: 6, headActivation: 'tanh' };
    const tensors = someTensors(config);
    const inputs = someInputs(config, 1);
    const params = paramsOf(config, tensors);
    const wanted = ourLogits(params, config, inputs);
    dispose(params);
    const outputs = await runOnnx(onnxModel(config, tensors), feeds(config, inputs));
    expect(Object.keys(outputs)).toEqual(['logits']);
    expect(worst(outputs['logits'], wanted)).toBeLessThan(1e-5);
  });

  it('with a fixed batch refuses another', async () => {
    const session = await ort.InferenceSession.create(onnxModel(micro, someTensors(micro), { batch: 1 }));
    await expect(session.run(feeds(micro, someInputs(micro, 2)))).rejects.toThrow(/frames|mel/);
    await session.release();
  });

  it('lacking a parameter is our own bug', () => {
    const few = Object.fromEntries(Object.entries(someTensors(micro)).slice(1));
    expect(() => onnxModel(micro, few)).toThrow('internal: parameter video_layer_weights is missing');
  });
});

it.each(forms)(
  'one exported block agrees with ours, attention %s, odd number of tokens',
  async (attention) => {
    const config: HicmaeConfig = { ...sizes.micro, classCount: 7 };
    const tensors = someTensors(config);
    const name = 'encoder.blocks.1';
    const x = noise(2 * 13 * 64, 3);
    const params = paramsOf(config, tensors);
    const tokens = tensor3d(x, [2, 13, 64]);
    const y = block(params, name, tokens, 4, 0, {});
    const wanted = y.dataSync<'float32'>().slice();
    dispose([params, tokens, y]);
    const file = onnxBlock(tensors, name, { width: 64, heads: 4, tokens: 13 }, { attention });
    const outputs = await runOnnx(file, { x: float32(x, [2, 13, 64]) });
    expect(worst(outputs['y'], wanted)).toBeLessThan(1e-5);
  },
);

describe('export', () => {
  it('writes a model folder as model.onnx, with its labels inside', async () => {
    const out = join(root, 'nano');
    await exportRun({ model: 'models/nano', out, format: 'onnx' }, silent);
    const bytes = readFileSync(join(out, 'model.onnx'));
    expect(seen.at(-1)).toBe(`${join(out, 'model.onnx')}: ${String(bytes.length)} bytes`);
    expect(bytes.includes('["angry","disgust","fear","happy","neutral","sad","surprise"]')).toBe(true);
    const session = await ort.InferenceSession.create(bytes);
    expect([session.inputNames, session.outputNames]).toEqual([
      ['frames', 'mel'],
      ['logits', 'probabilities'],
    ]);
    await session.release();
  });

  it('writes a model folder again as a model folder', async () => {
    const out = join(root, 'again');
    await exportRun({ model: 'models/nano', out, dtype: 'F32' }, silent);
    const [again, first] = [await readModel(out), await readModel('models/nano')];
    expect(again.manifest).toMatchObject({ labels: first.manifest.labels, clip: first.manifest.clip });
    // Not by toEqual, which takes most of a minute for three million numbers.
    expect(Buffer.compare(Buffer.from(again.flat.buffer), Buffer.from(first.flat.buffer))).toBe(0);
  });

  it.each([
    [{}, 'Got neither --run nor --model nor --from, wanted one'],
    [{ run: 'runs/x', model: 'models/nano' }, 'Got both --run and --model, wanted one'],
    [{ model: 'src' }, 'manifest.json cannot be read: no model is there'],
    [{ run: 'src' }, 'checkpoint.bin does not exist: wanted the folder of a pretrain or finetune run'],
    [{ model: 'models/nano', dtype: 'F16' }, '--dtype F16 is for safetensors'],
    [{ model: 'models/nano', weights: 'last' }, '--weights last is for --run'],
  ] as const)('explains %o', async (options, message) => {
    const out = join(root, 'never');
    await expect(exportRun({ ...options, out, format: 'onnx' }, silent)).rejects.toThrow(message);
  });
});
