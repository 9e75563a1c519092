// Checkpoints in and out: import, export and what stands between them, on files made here by the same writer that the golden
// check and PyTorch itself agree with.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dispose, tensor, tensor3d } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Problem } from '../../base/errors.ts';
import { random } from '../../base/random.ts';
import { officialClipSpec } from '../../clip/spec.ts';
import type { ClipSpec } from '../../clip/spec.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { patchLength, tokenCount } from '../../model/embed.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import type { PatchBatch } from '../../model/hicmae.ts';
import { parameterShapes } from '../../model/params.ts';
import type { Modality, ParameterShape, Params } from '../../model/params.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import { pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { useBackend } from '../../testing/backends.ts';
import { writeTorch } from '../../weights/pytorch-write.ts';
import type { TorchValue } from '../../weights/pytorch-write.ts';
import { writeSafetensors } from '../../weights/safetensors.ts';
import type { Tensor, TensorMap } from '../../weights/safetensors.ts';
import { sha256 } from '../base/cache.ts';
import { writeBest, writeCheckpoint } from '../trainer/checkpoint.ts';
import { exportRun } from './export.ts';
import { importFile } from './import.ts';
import { readModel } from '../weights/model-folder.ts';
import { readWeights } from '../weights/read-weights.ts';

const root = mkdtempSync(join(tmpdir(), 'import-'));
const at = (...names: readonly string[]): string => join(root, ...names);
let seen: string[] = [];
const say = (line: string): void => void seen.push(line);

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function someTensors(shapes: readonly ParameterShape[]): TensorMap {
  const draw = random(7);
  return Object.fromEntries(
    shapes.map(({ name, shape }) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw.normal() / 8);
      return [name, { shape, data }];
    }),
  );
}

const micro: HicmaeConfig = { ...sizes.micro, classCount: 3 };
const finetuned = someTensors(parameterShapes(micro));
const pretrained = someTensors(pretrainParameterShapes(pretrainSizes.micro));

function save(
  name: string,
  content: Readonly<Record<string, TorchValue>>,
  dtype: 'F32' | 'F16' = 'F32',
): string {
  const path = at(name);
  writeFileSync(path, writeTorch(new Map(Object.entries(content)), dtype));
  return path;
}

const mapOf = (tensors: TensorMap, prefix = ''): ReadonlyMap<string, Tensor> =>
  new Map(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));

/** Names in order and a hash of each one's bits. */
const bits = (tensors: TensorMap): readonly string[] =>
  Object.entries(tensors).map(
    ([name, { data }]) => `${name} ${sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))}`,
  );

async function problem(action: Promise<unknown>): Promise<string> {
  const outcome = await action.catch((error: unknown) => error);
  if (outcome instanceof Error && !outcome.message.startsWith('internal')) return outcome.message;
  throw outcome instanceof Error ? outcome : new Error('it was accepted');
}

describe('a fine-tuned checkpoint', () => {
  it.each([
    ['under model', { model: mapOf(finetuned), epoch: 4 }],
    ['under module', { module: mapOf(finetuned) }],
    ['as the whole file', Object.fromEntries(mapOf(finetuned))],
    ['of a wrapped model', { model: mapOf(finetuned, 'module.') }],
    ['in another order', { model: new Map([...mapOf(finetuned)].reverse()) }],
  ])('%s is read in the official order', async (name, content) => {
    const weights = await readWeights(save(`${name}.pth`, content));
    expect([weights.kind, weights.config]).toEqual(['finetune', micro]);
    expect(bits(weights.tensors)).toEqual(bits(finetuned));
  });

  it('makes the whole way bit for bit: .pth, model folder, .pth, safetensors', async () => {
    seen = [];
    const first = save('whole.pth', { model: mapOf(finetuned), epoch: 99 });
    await importFile(first, { out: at('whole'), labels: ['sad', 'happy', 'grün'] }, say);
    expect(seen[0]).toContain('Fine-tuned HiCMAE, 449799 parameters: width 64, 4 heads, 2 blocks');
    const { manifest } = await readModel(at('whole'));
    expect(manifest).toMatchObject({ name: 'whole', labels: ['sad', 'happy', 'grün'], config: micro, missingModalities: false }); // prettier-ignore
    expect(manifest.clip).toMatchObject({ frameCount: 4, cropPx: 32, frameIntervalMs: 160, soundMs: 320 });
    expect(manifest.provenance).toEqual({ epoch: '99', imported: 'whole.pth' });

    await exportRun({ model: at('whole'), out: at('again.pth'), format: 'pth' }, say);
    await exportRun({ from: at('again.pth'), out: at('third'), dtype: 'F32' }, say);
    await exportRun({ from: at('third', 'model.safetensors'), out: at('fourth'), format: 'pth' }, say);
    expect(seen.at(-1)).toContain(at('fourth', 'model.pth'));
    for (const path of [
      at('again.pth'),
      at('third'),
      at('third', 'model.safetensors'),
      at('fourth', 'model.pth'),
    ])
      expect(bits((await readWeights(path)).tensors)).toEqual(bits(finetuned));
    // The .pth carries what its tensors do not say.
    expect((await readModel(at('third'))).manifest).toMatchObject({ labels: manifest.labels, clip: manifest.clip, provenance: manifest.provenance }); // prettier-ignore
    await exportRun({ model: at('whole'), out: at('again-2.pth'), format: 'pth' }, say);
    expect(readFileSync(at('again-2.pth')).equals(readFileSync(at('again.pth')))).toBe(true);
  });

  it('without labels gets placeholders, and says so', async () => {
    seen = [];
    await importFile(save('plain.pth', { model: mapOf(finetuned) }), { out: at('plain'), dtype: 'F16' }, say);
    expect(seen[1]).toContain('does not name its classes');
    const { manifest } = await readModel(at('plain'));
    expect(manifest.labels).toEqual(['output 1', 'output 2', 'output 3']);
    expect(manifest.files[0]?.bytes).toBeLessThan(1_000_000);
  });

  it('keeps the head activation that is asked for, through .pth too', async () => {
    const path = save('tanh.pth', { model: mapOf(finetuned) });
    await importFile(path, { out: at('tanh'), headActivation: 'tanh', heads: 8, outputs: 'dimensions' }, say);
    await exportRun({ model: at('tanh'), out: at('tanh-2.pth'), format: 'pth', dtype: 'F16' }, say);
    const { config, about } = await readWeights(at('tanh-2.pth'));
    expect(config).toEqual({ ...micro, headActivation: 'tanh', heads: 8 });
    expect(about.outputs).toBe('dimensions');
  });
});

describe('a pre-trained checkpoint', () => {
  it('becomes a folder that is read again, and a .pth, bit for bit', async () => {
    seen = [];
    const first = save('pre.pth', { model: mapOf(pretrained), epoch: 99 });
    await importFile(first, { out: at('pre') }, say);
    expect(seen[0]).toContain('Pre-trained HiCMAE, 972416 parameters');
    await exportRun({ from: at('pre'), out: at('pre-2.pth'), format: 'pth' }, say);
    for (const path of [at('pre'), at('pre', 'model.safetensors'), at('pre-2.pth')]) {
      const weights = await readWeights(path);
      expect([weights.kind, weights.config]).toEqual(['pretrain', pretrainSizes.micro]);
      expect(bits(weights.tensors)).toEqual(bits(pretrained));
      expect(weights.about.provenance).toMatchObject({ epoch: '99', imported: 'pre.pth' });
    }
  });

  it('remembers what its shapes do not tell', async () => {
    const config = { ...pretrainSizes.micro, heads: 8, decoderHeads: 4, levels: [0, 2, 3] };
    const path = save('pre-other.pth', { model: mapOf(pretrained) });
    await importFile(path, { out: at('pre-other'), heads: 8, decoderHeads: 4, levels: [0, 2, 3] }, say);
    expect((await readWeights(at('pre-other'))).config).toEqual(config);
  });

  it('in eight bits comes back near', async () => {
    await importFile(at('pre.pth'), { out: at('pre-8'), dtype: 'I8' }, say);
    const { tensors } = await readWeights(at('pre-8'));
    expect(Object.keys(tensors)).toEqual(Object.keys(pretrained));
    for (const [name, { data }] of Object.entries(tensors)) {
      const wanted = pretrained[name]?.data ?? new Float32Array(0);
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      data.forEach((value, i) => {
        if (!(Math.abs(value - (wanted[i] ?? NaN)) <= largest / 253)) expect([name, i]).toEqual([]);
      });
    }
  });
});

describe("a run's weights", () => {
  const clip = { ...officialClipSpec, frameCount: 4, cropPx: 32 };
  const common = { clip, step: 5, minutes: 1.25, options: {}, provenance: { command: 'finetune --data /home/me --out x --seed 1' } }; // prettier-ignore
  const half = (flat: Float32Array): Float32Array => flat.map((value) => value / 2);
  const flatOf = (tensors: TensorMap): Float32Array =>
    Float32Array.from(Object.values(tensors).flatMap(({ data }) => [...data]));
  const halved = (tensors: TensorMap): TensorMap =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data: half(data) }]),
    );

  it('of pretrain become a .pth and a folder', async () => {
    const params = flatOf(pretrained);
    const zeros = new Float32Array(params.length);
    const model = { kind: 'pretrain', config: pretrainSizes.micro } as const;
    const parameters = pretrainParameterShapes(pretrainSizes.micro);
    const arrays = { params, moment1: zeros, moment2: zeros, average: half(params) };
    writeCheckpoint(at('run-pre'), { ...common, model, parameters, best: null }, arrays);
    await exportRun({ run: at('run-pre'), out: at('run-pre.pth'), format: 'pth' }, say);
    await exportRun({ run: at('run-pre'), out: at('run-pre-last'), weights: 'last', dtype: 'F32' }, say);
    const average = await readWeights(at('run-pre.pth'));
    expect([average.kind, bits(average.tensors)]).toEqual(['pretrain', bits(halved(pretrained))]);
    expect(average.about.provenance).toMatchObject({ command: 'finetune --data DIR --out DIR --seed 1', steps: '5', weights: 'running average' }); // prettier-ignore
    expect(bits((await readWeights(at('run-pre-last'))).tensors)).toEqual(bits(pretrained));
    expect(bits((await readWeights(at('run-pre'))).tensors)).toEqual(bits(halved(pretrained)));
  });

  it('of finetune become a model folder, of the best validation too', async () => {
    const params = flatOf(finetuned);
    const model = { kind: 'finetune', config: micro, labels: ['valence', 'arousal', 'dominance'], outputs: 'dimensions', missingModalities: true } as const; // prettier-ignore
    const state = { ...common, model, parameters: parameterShapes(micro), best: { step: 3, score: 1, looksAgo: 1 } }; // prettier-ignore
    writeBest(at('run'), state, params);
    await exportRun({ run: at('run'), out: at('run-best'), weights: 'best', dtype: 'F32' }, say);
    const { manifest } = await readModel(at('run-best'));
    expect(manifest).toMatchObject({
      labels: model.labels,
      outputs: 'dimensions',
      missingModalities: true,
      clip,
    });
    expect(manifest.provenance).toMatchObject({ steps: '3', weights: 'best validation' });
    expect(bits((await readWeights(at('run-best'))).tensors)).toEqual(bits(finetuned));
    expect(await problem(exportRun({ run: at('run'), out: at('never') }, say))).toContain('checkpoint.bin does not exist'); // prettier-ignore
  });
});

describe('what cannot be done is explained', () => {
  beforeAll(() => {
    save('ok.pth', { model: mapOf(finetuned) });
    save('pre-ok.pth', { model: mapOf(pretrained) });
    const broken = { ...finetuned, 'head.bias': { shape: [3], data: Float32Array.of(1, NaN, 2) } };
    save('nan.pth', { model: mapOf(broken) });
    save('large.pth', { model: mapOf({ ...finetuned, 'head.bias': { shape: [3], data: Float32Array.of(1, 1e6, 2) } }) }); // prettier-ignore
    save('foreign.pth', { model: new Map([['conv.weight', { shape: [1], data: Float32Array.of(1) }]]) });
    save('about.pth', { model: mapOf(finetuned), about: '{"kind":"finetune"}' });
    writeFileSync(at('empty.pth'), '');
    writeFileSync(at('cut.pth'), readFileSync(at('ok.pth')).subarray(0, 100_000));
    writeFileSync(at('foreign.safetensors'), writeSafetensors({ x: { shape: [1], data: Float32Array.of(1) } }, 'F32')); // prettier-ignore
    mkdirSync(at('bare'));
  });

  it.each([
    ['nowhere.pth', {}, 'nowhere.pth does not exist'],
    ['bare', {}, 'holds no manifest.json, model.safetensors or checkpoint.bin'],
    ['empty.pth', {}, 'it is empty'],
    ['cut.pth', {}, 'its end is missing: it was cut short'],
    ['nan.pth', {}, 'tensor head.bias holds values that are no numbers'],
    ['foreign.pth', {}, 'its 1 tensors (conv.weight, ...) are no HiCMAE'],
    ['foreign.safetensors', {}, 'its 1 tensors (x, ...) are no HiCMAE'],
    ['about.pth', {}, 'its entry "about" is none of ours'],
    ['ok.pth', { labels: ['a', 'b'] }, '--labels has 2 names (a, b); wanted 3 different ones'],
    ['ok.pth', { labels: ['a', 'b', 'a'] }, '--labels has 3 names (a, b, a); wanted 3 different ones'],
    ['ok.pth', { heads: 7 }, 'attention heads 7; wanted a divisor of the width 64'],
    ['pre-ok.pth', { labels: ['a'] }, '--labels is for fine-tuned models'],
    ['large.pth', { dtype: 'F16' }, 'tensor head.bias holds 1000000, beyond half precision'],
  ] as const)('import %s %o', async (name, options, message) => {
    expect(await problem(importFile(at(name), { ...options, out: at('never') }, say))).toContain(message);
    expect(() => readFileSync(at('never', 'model.safetensors'))).toThrow('ENOENT');
  });

  it.each([
    [{}, 'Got neither --run nor --model nor --from', ''],
    [{ model: 'm', from: 'f' }, 'Got both --model and --from', ''],
    [{ format: 'onnx' }, '--format onnx is for fine-tuned models', 'pre-ok.pth'],
    [{ format: 'pth', dtype: 'I8' }, '--dtype I8 is for safetensors', 'ok.pth'],
    [{ weights: 'best' }, '--weights best is for --run', 'ok.pth'],
  ] as const)('export %o', async (options, message, from) => {
    const source = from === '' ? options : { ...options, from: at(from) };
    expect(await problem(exportRun({ ...source, out: at('never') }, say))).toContain(message);
  });

  it('a checkpoint that would run code is refused, and runs nothing', async () => {
    const pickle = '\x80\x02cposix\nsystem\nX\x05\0\0\0false\x85R.';
    const head = readFileSync(join(import.meta.dirname, '../../testing/golden/checkpoints/torch-legacy.pth')).subarray(0, 137); // prettier-ignore
    writeFileSync(at('evil.pth'), Buffer.concat([head, Buffer.from(pickle, 'latin1')]));
    const outcome = await readWeights(at('evil.pth')).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Problem);
    expect((outcome as Problem).message).toContain('it would run posix.system');
  });
});

describe("nano's shipped weights in eight bits", () => {
  const batch = 4;

  function inputs(config: HicmaeConfig, modality: Modality): PatchBatch {
    const draw = random(modality === 'video' ? 1 : 2);
    const shape = [batch, tokenCount(config, modality), patchLength(config, modality)] as const;
    const values = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => draw.normal());
    return { patches: tensor3d(values, [...shape]), positions: null };
  }

  /** A run of one step; moments and average are its parameters too. */
  function writeRun(
    folder: string,
    config: HicmaeConfig,
    labels: readonly string[],
    clip: ClipSpec,
    flat: Float32Array,
  ): void {
    const state = {
      model: { kind: 'finetune', config, labels, outputs: 'classes', missingModalities: true },
      parameters: parameterShapes(config),
      clip,
      step: 1,
      minutes: 1,
      options: {},
      best: null,
      provenance: {},
    } as const;
    writeCheckpoint(folder, state, { params: flat, moment1: flat, moment2: flat, average: flat });
  }

  async function logits(folder: string): Promise<Float32Array> {
    const weights = await readWeights(folder);
    if (weights.kind !== 'finetune') throw new Error('no classifier');
    const { config, tensors } = weights;
    const params: Params = Object.fromEntries(
      Object.entries(tensors).map(([name, { shape, data }]) => [name, tensor(data, [...shape])]),
    );
    const [video, audio] = [inputs(config, 'video'), inputs(config, 'audio')];
    const output = forwardClassify(params, config, video, audio);
    const values = (await output.data<'float32'>()).slice();
    dispose([params, video.patches, audio.patches, output]);
    return values;
  }

  it('take a quarter of the space and say nearly the same', async () => {
    await useBackend('wasm');
    // The shipped weights are eight bits already: moved off their steps.
    const { manifest: shipped, flat } = await readModel('models/nano');
    const draw = random(1);
    const moved = flat.map((value) => value * (1 + 0.02 * (draw.uniform() - 0.5)));
    const { config, labels, clip } = shipped;
    const run = at('moved-run');
    writeRun(run, config, labels, clip, moved);
    await exportRun({ run, out: at('whole'), dtype: 'F32' }, say);
    await exportRun({ run, out: at('nano'), dtype: 'I8' }, say);
    const [whole, small] = [await logits(at('whole')), await logits(at('nano'))];
    const worst = whole.reduce((most, value, i) => Math.max(most, Math.abs(value - (small[i] ?? NaN))), 0);
    console.info(`nano in eight bits: largest logit difference ${worst.toFixed(4)}`);
    expect(worst).toBeLessThan(0.1);
    expect(worst).toBeGreaterThan(1e-4);
    const { manifest } = await readModel(at('nano'));
    expect(manifest.files[0]?.bytes).toBeLessThan(3_200_000);
    expect(manifest.labels).toHaveLength(7);
  });

  it('takes what a file does not tell from the model that it was trained further from', async () => {
    const clip = { ...officialClipSpec, frameCount: 4, cropPx: 32, soundMs: 320, frameIntervalMs: 640 };
    const run = at('like-run');
    const flat = Float32Array.from(Object.values(finetuned).flatMap(({ data }) => [...data]));
    writeRun(run, micro, ['x', 'y', 'z'], clip, flat);
    await exportRun({ run, out: at('like-model') }, say);
    const bare = save('bare.pth', { model: mapOf(finetuned) });
    await importFile(bare, { out: at('plain') }, say);
    expect((await readModel(at('plain'))).manifest).toMatchObject({
      missingModalities: false,
      clip: { frameIntervalMs: 160 },
    });
    await importFile(bare, { out: at('liked'), like: at('like-model') }, say);
    const { manifest } = await readModel(at('liked'));
    expect(manifest).toMatchObject({ labels: ['x', 'y', 'z'], clip, missingModalities: true });
  });
});
