// The whole trainer on a made-up data set of patterns and tones: loss falls, resuming changes nothing, scores come out.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { dispose } from '@tensorflow/tfjs-core';
import { afterAll, expect, test } from 'vitest';
import { defined } from '../../base/assert.ts';
import { mirrorFrames, normalizeFrames } from '../../clip/frames.ts';
import { videoPatches } from '../../model/embed.ts';
import { parameterShapes } from '../../model/params.ts';
import { predict } from '../../model/predict.ts';
import { writeMadeStills } from '../../testing/made-stills.ts';
import { startBackend } from '../base/backend.ts';
import { readCheckpoint } from '../trainer/checkpoint.ts';
import { findChromium } from '../../site/chromium.ts';
import { evaluate, pairByLabel } from './evaluate.ts';
import type { EvaluateOptions } from './evaluate.ts';
import type { ClassEvaluation } from '../scores/evaluation.ts';
import { exportRun } from './export.ts';
import { alignStills, readStills, selectRows } from '../data/stills/faces.ts';
import { finetuneStills } from './finetune-stills.ts';
import type { StillsOptions } from './finetune-stills.ts';
import { readNpyBytes } from '../base/npy.ts';
import { slotsOf, tensorsOf } from '../trainer/flat-params.ts';
import { scoreMemory } from '../scores/evaluate-memory.ts';
import { readModel } from '../weights/model-folder.ts';
import { chooseTrainBackend } from '../base/webgpu.ts';
import { readWeights } from '../weights/read-weights.ts';

const root = mkdtempSync(join(tmpdir(), 'train-'));
const { faces, voices } = writeMadeStills(root);

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const base: Omit<StillsOptions, 'out' | 'resume'> = {
  faces,
  voices,
  fold: 1,
  size: 'micro',
  steps: 24,
  minutes: Infinity,
  batchFaces: 16,
  batchVoices: 4,
  pairs: 2,
  balance: 0.75,
  surprisedNeutral: 0.5,
  surprisedExcited: 0.1,
  keepFaces: 1,
  keepVoices: 0.75,
  blendVoices: 0,
  faceChanges: 1,
  voiceChanges: 1,
  voiceEnds: 'keep',
  pauses: 0.7,
  slowVoices: 0.24,
  lr: 2e-3,
  warmup: 2,
  weightDecay: 0.05,
  optimizer: 'adamw',
  layerDecay: 1,
  dropPath: 0.05,
  smoothing: 0.1,
  average: 0.5,
  seed: 7,
  threads: 2,
  backend: 'wasm',
  align: 'as-is',
  checkpointEvery: 1000,
  validateEvery: 1000,
};

const silent = (): void => undefined;

interface LogLine {
  readonly event: string;
  readonly face: number;
  readonly voice: number;
  readonly pair: number;
}

test('losses fall, and a stopped and resumed run equals an uninterrupted one', async () => {
  const whole = join(root, 'whole');
  const parts = join(root, 'parts');
  await finetuneStills({ ...base, out: whole, resume: false }, silent);
  const log = readFileSync(join(whole, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ event }) => event === 'step');
  expect(log).toHaveLength(base.steps);
  const mean = (lines: readonly LogLine[], key: 'face' | 'pair'): number =>
    lines.reduce((sum, line) => sum + line[key], 0) / lines.length;
  for (const key of ['face', 'pair'] as const) {
    expect(mean(log.slice(-4), key)).toBeLessThan(0.9 * mean(log.slice(0, 3), key));
  }
  expect(log.every(({ voice }) => Number.isFinite(voice))).toBe(true);

  let asked = 0;
  await finetuneStills({ ...base, out: parts, resume: false }, silent, () => ++asked > 5);
  expect(readCheckpoint(parts).state.step).toBe(5);
  await expect(finetuneStills({ ...base, out: parts, resume: false }, silent)).rejects.toThrow('--resume');
  await expect(finetuneStills({ ...base, lr: 1, out: parts, resume: true }, silent)).rejects.toThrow(
    'lr 1 instead of 0.002',
  );
  await finetuneStills({ ...base, out: parts, resume: true }, silent);
  const a = readCheckpoint(whole);
  const b = readCheckpoint(parts);
  expect(b.state.step).toBe(base.steps);
  for (const name of ['params', 'moment1', 'moment2', 'average'] as const)
    expect(b.arrays[name]).toEqual(a.arrays[name]);
}, 400_000);

/** Chromium brings a GPU played by the CPU along; Dawn takes it where the system has the Vulkan loader. */
const swiftShader = join(dirname(findChromium() ?? ''), '../lib/chromium/vk_swiftshader_icd.json');

test('a GPU trains as the CPU does', async (context) => {
  process.env['VK_DRIVER_FILES'] ??= swiftShader;
  const chosen = await chooseTrainBackend('webgpu').catch((error: unknown) => String(error));
  if (typeof chosen === 'string') {
    context.skip(chosen);
    return;
  }
  expect(chosen.name).toBe('webgpu');
  // Software is refused unless asked for by name.
  if (chosen.reason.includes('software')) expect((await chooseTrainBackend('auto')).name).toBe('wasm');
  const losses = async (backend: 'wasm' | 'webgpu'): Promise<number[]> => {
    const out = join(root, `on-${backend}`);
    const said: string[] = [];
    const few = { ...base, steps: 3, threads: 1, optimizer: 'muon' } as const;
    await finetuneStills({ ...few, backend, out, resume: false }, (line) => said.push(line));
    expect(said.join('\n')).toContain(backend === 'wasm' ? 'wasm: SIMD' : 'own kernels');
    return readFileSync(join(out, 'log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as LogLine)
      .filter(({ event }) => event === 'step')
      .flatMap(({ face, voice, pair }) => [face, voice, pair]);
  };
  const [cpu, gpu] = [await losses('wasm'), await losses('webgpu')];
  expect(gpu).toHaveLength(9);
  gpu.forEach((loss, i) => expect(Math.abs(loss - cpu[i]!)).toBeLessThan(2e-3));
}, 400_000);

test('an exported run is scored on faces, voices and pairs', async () => {
  const model = join(root, 'models', 'tone');
  await exportRun({ run: join(root, 'whole'), out: model, dtype: 'F16', weights: 'average' }, silent);
  const manifest = readFileSync(join(model, 'manifest.json'), 'utf8');
  expect(manifest).toContain('--size micro');
  expect(manifest).not.toContain(root);
  const common = {
    model,
    split: 'valid',
    pairs: false,
    seed: 1,
    threads: 1,
    align: 'as-is',
    backend: 'wasm',
  } as const;
  const json = join(root, 'faces.json');
  const seen: string[] = [];
  const onFaces = await evaluate({ ...common, faces, json }, (line) => void seen.push(line));
  expect(onFaces.n).toBe(10);
  expect(onFaces.dropped).toEqual({ 'faces: tied': 1, 'faces: plurality contempt': 1 });
  expect(onFaces.missingLabels).toEqual(['angry', 'disgust', 'fear', 'sad', 'surprise']);
  expect(onFaces.recall['sad']).toBeNull();
  // Bright above or below is easily told apart.
  expect(onFaces.uar).toBeGreaterThan(0.9);
  expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual(onFaces);
  expect(seen.join('\n')).toContain('left out of the means');
  const rows = onFaces.confusion.rows.flat().reduce((x, y) => x + y, 0);
  expect(rows).toBe(onFaces.n);

  const onVoices = await evaluate({ ...common, voices, fold: 1 }, silent);
  expect(onVoices.n).toBe(6);
  expect(onVoices.dropped).toEqual({ 'voices: emotion "BOREDOM" is none of ours': 1 });
  expect(onVoices.protocol).toContain("Each speaker's usual voice");
  const own = await evaluate({ ...common, voices, fold: 1, equalize: 'own' }, silent);
  expect(own.protocol).toContain('Each clip is brought');
  const denoised = await evaluate({ ...common, voices, fold: 1, voiceNoise: 'denoised' }, silent);
  expect(denoised.protocol).toContain("The voices' own noise is suppressed");
  expect(denoised.calibration.nll).not.toBe(onVoices.calibration.nll);
  const onPairs = await evaluate({ ...common, voices, faces, pairs: true }, silent);
  expect(onPairs.n).toBe(8);
  expect(onPairs.dropped['voices: no face with their label']).toBe(4);
});

test('a still is scored as a clip of it is read: as seen and mirrored', async () => {
  const folder = join(root, 'models', 'tone');
  const { manifest, flat } = await readModel(folder);
  const { config, clip } = manifest;
  expect(clip.mirrorView).toBe(true);
  const wish = { faces, pairs: false, seed: 1, align: 'as-is' } as const;
  const reader = { config, clip, params: flat, backend: 'wasm', threads: 1 } as const;
  const scored = await scoreMemory(
    wish,
    { split: 'valid', folds: null, data: null },
    { folder, manifest },
    reader,
    silent,
  );
  const { rows } = await scored.predict();
  await startBackend();
  const params = tensorsOf(flat, slotsOf(parameterShapes(config)).slots);
  for (const i of [0, rows.length - 1]) {
    const { data } = defined((await scored.picture(i)).face, 'face');
    const bytes = new Uint8ClampedArray(data.length * clip.frameCount);
    for (let t = 0; t < clip.frameCount; t++) bytes.set(data, t * data.length);
    const seen = normalizeFrames(bytes, clip.color);
    const views = [seen, mirrorFrames(seen, clip.cropPx)].map((frames) => ({
      video: videoPatches(frames, config),
      audio: null,
    }));
    const [one, other] = await predict(params, config, views);
    expect(one).not.toEqual(other);
    rows[i]!.forEach((p, c) => {
      expect(p).toBeCloseTo((one![c]! + other![c]!) / 2, 4);
    });
  }
  dispose(params);
});

/** The losses of a run's only step. */
async function onlyStep(name: string, changed: Partial<StillsOptions>): Promise<LogLine> {
  const out = join(root, name);
  await finetuneStills({ ...base, steps: 1, threads: 1, ...changed, out, resume: false }, silent);
  const lines = readFileSync(join(out, 'log.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as LogLine).find(({ event }) => event === 'step')!;
}

test('blending changes the voices read alone, and only those', async () => {
  const losses = (blendVoices: number, pairs: number): Promise<LogLine> =>
    onlyStep(`blend-${String(blendVoices)}-${String(pairs)}`, { blendVoices, pairs });
  const [plain, allPairs] = [await losses(0, 4), await losses(1, 4)];
  // The voices of pairs keep their label.
  expect(allPairs.voice).toBe(plain.voice);
  expect(allPairs.pair).toBe(plain.pair);
  const [alone, blended] = [await losses(0, 0), await losses(1, 0)];
  expect(blended.voice).not.toBe(alone.voice);
});

test('faces and voices may be changed less, and voices begin as faces do', async () => {
  const [usual, less] = [
    await onlyStep('changes', {}),
    await onlyStep('fewer-changes', { faceChanges: 0.3, voiceChanges: 0.3 }),
  ];
  expect(less.face).not.toBe(usual.face);
  expect(less.voice).not.toBe(usual.voice);
  for (const fewer of [{ pauses: 0 }, { slowVoices: 0 }]) {
    const { voice } = await onlyStep(`without-${Object.keys(fewer).join()}`, fewer);
    expect(voice).not.toBe(usual.voice);
  }
  const from = join(root, 'whole');
  const [asIs, asFaces] = [
    await onlyStep('from', { from }),
    await onlyStep('voices-from-faces', { from, voicesFromFaces: true }),
  ];
  expect(asFaces.face).toBe(asIs.face);
  expect(asFaces.voice).not.toBe(asIs.voice);
  await expect(onlyStep('from-nothing', { voicesFromFaces: true })).rejects.toThrow(
    'takes the faces of --from',
  );
});

test('each fold is held out in turn, and all are scored together', async () => {
  const out = join(root, 'folds');
  const { faces: without, ...rest } = base;
  expect(without).toBe(faces);
  const wish = { ...rest, batchFaces: 0, pairs: 0, steps: 2, threads: 1, out, folds: [1, 2] };
  // Stopped in the second fold, then resumed.
  let asked = 0;
  await finetuneStills({ ...wish, resume: false }, silent, () => ++asked > 3);
  expect(existsSync(join(out, 'folds.json'))).toBe(false);
  const first = readFileSync(join(out, 'fold-1', 'checkpoint.bin'));
  await finetuneStills({ ...wish, resume: true }, silent);
  expect(readFileSync(join(out, 'fold-1', 'checkpoint.bin')).equals(first)).toBe(true);
  const { n, confusion, protocol, data, groups } = JSON.parse(
    readFileSync(join(out, 'folds.json'), 'utf8'),
  ) as ClassEvaluation;
  const common = { voices, pairs: false, seed: 1, threads: 1, align: 'as-is', backend: 'wasm' } as const;
  const alone = [];
  for (const fold of [1, 2]) {
    const model = join(out, `fold-${String(fold)}`, 'model');
    expect(readFileSync(join(model, 'manifest.json'), 'utf8')).toContain(`all folds but ${String(fold)}`);
    alone.push(await evaluate({ ...common, model, fold }, silent));
  }
  const [a, b] = alone;
  expect(n).toBe(a!.n + b!.n);
  expect(confusion.rows).toEqual(
    a!.confusion.rows.map((row, i) => row.map((count, k) => count + b!.confusion.rows[i]![k]!)),
  );
  expect(protocol).toContain('Each fold is read by a model of its own.');
  expect(
    groups.filter(({ group }) => group === 'fold').map(({ value, n, scores }) => [value, n, scores['war']]),
  ).toEqual(alone.map((one, i) => [String(i + 1), one.n, one.war]));
  expect(data['folds']).toBe('1, 2');
  const { voices: unheard, ...silence } = { ...wish, faces };
  expect(unheard).toBe(voices);
  await expect(finetuneStills({ ...silence, resume: false }, silent)).rejects.toThrow('give --voices DIR');
  const model = [1, 2].map((fold) => join(out, `fold-${String(fold)}`, 'model'));
  await expect(evaluate({ ...common, model, fold: 1 }, silent)).rejects.toThrow('2 models and 1 folds');
  await expect(
    evaluate({ ...common, model, folds: [1, 2], calibrateOn: ['fold:1'] }, silent),
  ).rejects.toThrow('for one model');
});

test('wrong wishes and damaged files are explained', async () => {
  const model = join(root, 'models', 'tone');
  const common: EvaluateOptions = {
    model,
    split: 'valid',
    pairs: false,
    seed: 1,
    threads: 1,
    align: 'as-is',
    backend: 'wasm',
  };
  await expect(evaluate(common, silent)).rejects.toThrow('--faces DIR');
  await expect(evaluate({ ...common, faces, voiceNoise: 'noisy' }, silent)).rejects.toThrow(
    'give --voices DIR',
  );
  await expect(evaluate({ ...common, faces, equalize: 'own' }, silent)).rejects.toThrow('give --voices DIR');
  await expect(evaluate({ ...common, faces, voices }, silent)).rejects.toThrow('--pairs');
  await expect(evaluate({ ...common, faces, split: 'test' }, silent)).rejects.toThrow(
    'test-images.npy.gz does not exist',
  );
  await expect(evaluate({ ...common, voices, fold: 9 }, silent)).rejects.toThrow(
    'leaves no clip of fold 9 (it has 1, 2)',
  );
  await expect(evaluate({ ...common, model: root, faces }, silent)).rejects.toThrow('no model is there');
  const colored = join(root, 'models', 'colored');
  cpSync(model, colored, { recursive: true });
  const manifest = readFileSync(join(colored, 'manifest.json'), 'utf8');
  writeFileSync(join(colored, 'manifest.json'), manifest.replace('gray-standardized', 'rgb'));
  await expect(evaluate({ ...common, model: colored, faces }, silent)).rejects.toThrow('reads frames as rgb');
  writeFileSync(join(colored, 'manifest.json'), manifest.slice(0, 100));
  await expect(evaluate({ ...common, model: colored, faces }, silent)).rejects.toThrow('no JSON');
  const cut = join(root, 'cut.npy.gz');
  writeFileSync(cut, readFileSync(join(faces, 'valid-images.npy.gz')).subarray(0, 200));
  expect(() => readNpyBytes(cut)).toThrow('damaged or cut short');
  const broken = join(root, 'broken');
  mkdirSync(join(broken, 'audio'), { recursive: true });
  writeFileSync(join(broken, 'clips.csv'), 'clip,emotion\nx,HAP\n');
  await expect(evaluate({ ...common, voices: broken }, silent)).rejects.toThrow('x.opus does not exist');
  writeFileSync(join(broken, 'audio', 'x.opus'), 'no sound at all');
  await expect(evaluate({ ...common, voices: broken }, silent)).rejects.toThrow('x.opus');
  await expect(evaluate({ ...common, voices: broken, fold: 1 }, silent)).rejects.toThrow('no column fold');
});

test('a run may leave out hierarchical fusion or modality dropout, or leave a branch as it is', async () => {
  const few = { ...base, steps: 2, threads: 1, resume: false };
  const last = join(root, 'last-block');
  await finetuneStills({ ...few, out: last, lastBlock: true }, silent);
  const { tensors } = await readWeights(last);
  for (const name of ['video_layer_weights', 'audio_layer_weights'])
    expect([...(tensors[name]?.data ?? [])], name).toEqual([0, 1]);
  const frozen = join(root, 'frozen');
  const freeze = ['encoder_audio.', 'audio_layer_weights'];
  await finetuneStills({ ...few, out: frozen, from: last, freeze }, silent);
  for (const [name, { data }] of Object.entries((await readWeights(frozen)).tensors)) {
    const kept = Buffer.from(data.buffer).equals(Buffer.from(tensors[name]!.data.buffer));
    expect(kept, name).toBe(freeze.some((prefix) => name.startsWith(prefix)));
  }
  const pairs = join(root, 'pairs-only');
  await finetuneStills({ ...few, out: pairs, pairsOnly: true }, silent);
  const [step] = readFileSync(join(pairs, 'log.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('"step",'))
    .map((line) => JSON.parse(line) as Record<string, number>);
  expect(step?.['pair']).toBeGreaterThan(0);
  expect(step).not.toHaveProperty('face');
  expect(step).not.toHaveProperty('voice');
  const both = { from: 'a', widen: 'b', out: join(root, 'both'), resume: false };
  await expect(finetuneStills({ ...base, ...both }, silent)).rejects.toThrow('not with both');
  const none = { ...few, pairs: 0, pairsOnly: true, out: join(root, 'none') };
  await expect(finetuneStills(none, silent)).rejects.toThrow('nothing to train');
});

test('pairs share their label and follow the seed', () => {
  const stills = readStills(faces, 'valid');
  const set = alignStills(stills, selectRows(stills, 'drop'), null, 48, 48);
  const labels = new Uint8Array(new SharedArrayBuffer(4));
  labels.set([3, 4, 3, 5]);
  const voiceSet = { labels } as unknown as Parameters<typeof pairByLabel>[1];
  const pairs = pairByLabel(set, voiceSet, 5);
  expect(pairs[3]).toBe(-1);
  [...pairs.subarray(0, 3)].forEach((face, i) => {
    expect(set.labels[face]).toBe(labels[i]);
  });
  expect(pairByLabel(set, voiceSet, 5)).toEqual(pairs);
});
