// calibrate on a made data set and a random model: what it writes, and that evaluate and export keep to it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { officialClipSpec } from '../../clip/spec.ts';
import { sizes } from '../../model/config.ts';
import { parameterShapes } from '../../model/params.ts';
import { writeMadeSamples } from '../../testing/made-samples.ts';
import { parseManifest } from '../../weights/manifest.ts';
import type { Manifest } from '../../weights/manifest.ts';
import { packWeights } from '../../weights/pack.ts';
import { calibrateModel } from './calibrate.ts';
import type { CalibrateOptions } from './calibrate.ts';
import { evaluate } from './evaluate.ts';
import { exportRun } from './export.ts';
import { probabilitiesOf } from '../scores/class-views.ts';
import { fitKind, halves, outcomesOf, thresholdFor } from '../scores/fit-calibration.ts';
import type { Outcome } from '../scores/fit-calibration.ts';
import { softmax } from '../scores/metrics.ts';

const root = mkdtempSync(join(tmpdir(), 'calibrate-'));
const data = join(root, 'data');
const model = join(root, 'model');
afterAll(() => rmSync(root, { recursive: true, force: true }));

beforeAll(async () => {
  await writeMadeSamples(data, { pairs: 16, faces: 3, voices: 4 });
  const labels = ['sad', 'happy', 'angry'];
  const config = { ...sizes.micro, classCount: labels.length };
  const stream = random(11);
  const tensors = Object.fromEntries(
    parameterShapes(config).map(({ name, shape }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return [name, { shape, data: Float32Array.from({ length }, () => 0.2 * stream.normal()) }];
    }),
  );
  const { files } = await packWeights(tensors, 'F32', {
    name: 'model',
    config,
    labels,
    clip: { ...officialClipSpec, frameCount: 4, cropPx: 32 },
    missingModalities: true,
    provenance: { command: 'none' },
  });
  mkdirSync(model);
  for (const { path, bytes } of files) writeFileSync(join(model, path), bytes);
}, 60_000);

const manifestOf = (folder: string): Manifest =>
  parseManifest(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')));
const options = (more: Partial<CalibrateOptions>): CalibrateOptions => ({
  model,
  data: [data],
  seed: 1,
  threads: 1,
  align: 'as-is',
  backend: 'wasm',
  ...more,
});
const scoresOf = async () => {
  const told = {
    model,
    data: [data],
    pairs: false,
    seed: 1,
    threads: 1,
    align: 'as-is',
    backend: 'wasm',
  } as const;
  const scored = await evaluate(
    { ...told, modality: 'face' } as Parameters<typeof evaluate>[0],
    () => undefined,
  );
  if (scored.kind !== 'classes') throw new Error('wanted classes');
  return scored;
};

it('writes temperatures and a threshold, which evaluate applies and export keeps', async () => {
  const before = await scoresOf();
  const former = readFileSync(join(model, 'manifest.json'), 'utf8');
  const lines: string[] = [];
  const written = await calibrateModel(options({ uncertainBelow: 0.45 }), (line) => lines.push(line));
  expect(written.uncertainBelow).toBe(0.45);
  expect(Object.values(written.temperature)).not.toContain(1);
  const { calibration, provenance, ...rest } = manifestOf(model);
  expect(calibration).toEqual(written);
  expect(parseManifest(JSON.parse(former))).toEqual({ ...rest, provenance: { command: 'none' } });
  expect(provenance['command']).toBe('none');
  expect(provenance['calibration']).toContain('faces alone: temperature');
  expect(provenance['calibration']).toContain('uncertain below 0.45: as told');
  expect(provenance['calibration']).not.toContain(root);

  // The same number as it printed for faces, and the same classes.
  const after = await scoresOf();
  const printed = lines.find((line) => line.startsWith('faces alone'));
  expect(printed).toContain(
    `${(100 * before.calibration.ece).toFixed(1)} % -> ${(100 * after.calibration.ece).toFixed(1)} %`,
  );
  expect(after.calibration.nll).toBeLessThan(before.calibration.nll);
  expect(after.n).toBe(19);

  const copy = join(root, 'copy');
  await exportRun({ model, out: copy, dtype: 'F32' }, () => undefined);
  expect(manifestOf(copy).calibration).toEqual(written);
  const torch = join(root, 'copy.pth');
  await exportRun({ model, out: torch, format: 'pth' }, () => undefined);
  const again = join(root, 'again');
  await exportRun({ from: torch, out: again }, () => undefined);
  expect(manifestOf(again).calibration).toEqual(written);

  // Fitting anew begins from the head's own outputs, not from what was fitted before; a dry run writes nothing.
  const held = readFileSync(join(model, 'manifest.json'), 'utf8');
  const measured = await calibrateModel(options({ dryRun: true }), () => undefined);
  expect(measured.temperature).toEqual(written.temperature);
  expect(readFileSync(join(model, 'manifest.json'), 'utf8')).toBe(held);
}, 300_000);

it('says what is missing', async () => {
  const say = (): void => undefined;
  const none = { model, seed: 1, threads: 1, align: 'as-is', backend: 'wasm' } as const;
  await expect(calibrateModel(none, say)).rejects.toThrow('Nothing to score on');
  await expect(calibrateModel(options({ faces: root }), say)).rejects.toThrow('Got --data and --faces');
  await expect(calibrateModel(options({ split: 'nowhere' }), say)).rejects.toThrow('split nowhere');
});

it('finds the temperature that made outputs too sure, and is honest about halves', () => {
  const stream = random(5);
  const truth: number[] = [];
  const outputs = Array.from({ length: 3000 }, () => {
    const honest = Array.from({ length: 4 }, () => 1.5 * stream.normal());
    const p = softmax(honest);
    let left = stream.uniform();
    truth.push(
      Math.max(
        0,
        p.findIndex((share) => (left -= share) < 0),
      ),
    );
    return [honest.map((z) => 2.5 * z)];
  });
  const identities = truth.map((_, i) => (i % 3 === 0 ? null : `person ${String(i % 50)}`));
  const views = { kind: 'voice', outputs, viewsPerReading: 1, truth, identities } as const;
  const { temperature, ece, readings } = fitKind(views, 1);
  expect(temperature).toBeCloseTo(2.5, 0);
  expect(readings).toBe(3000);
  expect(ece.before).toBeGreaterThan(0.1);
  expect(ece.after).toBeLessThan(0.03);
  expect(ece.crossFitted).toBeLessThan(0.04);
  const [first, second] = halves(identities, 1)!;
  expect([...first, ...second].sort((a, b) => a - b)).toEqual(truth.map((_, i) => i));
  const people = new Set(first.flatMap((i) => identities[i] ?? []));
  expect(second.some((i) => people.has(identities[i] ?? ''))).toBe(false);
  expect(halves(['one', 'one'], 1)).toBe(null);
  // Each kind of sample by its own temperature.
  const calibration = { temperature: { face: 1, voice: 2, both: 1 }, uncertainBelow: 0 };
  const two = { outputs: [[[2, 0]], [[2, 0]]], kinds: ['face', 'voice'] } as const;
  expect(probabilitiesOf(two, calibration)).toEqual([softmax([2, 0]), softmax([1, 0])]);
  expect(probabilitiesOf(two, undefined)).toEqual([softmax([2, 0]), softmax([2, 0])]);
});

it('counts a face seen twice as one reading', () => {
  const outputs = [
    [
      [2, 0],
      [0, 1],
    ],
    [
      [0, 1],
      [0, 1],
      [3, 0],
      [3, 0],
    ],
  ];
  const views = {
    kind: 'face',
    outputs,
    viewsPerReading: 2,
    truth: [0, 1],
    identities: [null, null],
  } as const;
  const outcomes = outcomesOf(views, 1);
  expect(outcomes.map(({ right }) => right)).toEqual([true, true, false]);
  expect(outcomes[0]?.confidence).toBeCloseTo((softmax([2, 0])[0]! + softmax([0, 1])[0]!) / 2, 12);
  expect(outcomes.every(({ weight }) => weight === 1 / 3)).toBe(true);
  expect(fitKind(views, 1).readings).toBe(3);
});

it('calls uncertain what is wrong more often than right, within bounds', () => {
  const stream = random(6);
  const drawn = (chance: (confidence: number) => number): Outcome[] =>
    Array.from({ length: 5000 }, () => {
      const confidence = 0.2 + 0.8 * stream.uniform();
      return { confidence, right: stream.uniform() < chance(confidence), weight: 1 };
    });
  // An isotonic regression of 5000 coin tosses finds the crossing to within a few hundredths.
  expect(Math.abs(thresholdFor(drawn((c) => c)) - 0.5)).toBeLessThan(0.1);
  expect(Math.abs(thresholdFor(drawn((c) => Math.min(1, c + 0.1))) - 0.4)).toBeLessThan(0.1);
  expect(thresholdFor(drawn(() => 0.9))).toBe(0.3);
  expect(thresholdFor(drawn(() => 0.1))).toBe(0.6);
});
