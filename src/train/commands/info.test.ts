// info on a made run, a shipped model and made samples.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { emotions } from '../../model/labels.ts';
import { writeMadeSamples } from '../../testing/made-samples.ts';
import { info } from './info.ts';
import { parseLog, sparkline, thin } from '../trainer/run-curves.ts';

const root = mkdtempSync(join(tmpdir(), 'info-'));
const data = join(root, 'data');
const model = 'models/nano';
const silent = (): void => undefined;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const log = [
  {
    time: '2026-01-01T00:00:00Z',
    event: 'start',
    step: 0,
    steps: 4,
    threads: 1,
    parameters: 7,
    backend: 'x',
  },
  { event: 'step', step: 1, loss: 4, learningRate: 0.1, gradientNorm: 2, stepMs: 5, minutes: 0.1 },
  { event: 'step', step: 2, loss: 3, learningRate: 0.2, gradientNorm: 1, stepMs: 5, minutes: 0.2 },
  { event: 'validation', step: 2, uar: 0.5 },
  { event: 'start', step: 1, steps: 4, threads: 1, parameters: 7, backend: 'x' },
  { event: 'step', step: 2, loss: 3.5, learningRate: 0.2, gradientNorm: 1, stepMs: 5, minutes: 0.3 },
  { time: '2026-01-01T00:01:00Z', event: 'validation', step: 3, uar: 0.25, skipped: null },
];

it('reads a run’s log, resumed and cut', () => {
  const text = `${log.map((line) => JSON.stringify(line)).join('\n')}\n{"event":"step","st`;
  const curves = parseLog(text);
  expect(curves.steps).toEqual([
    { name: 'loss', steps: [1, 2], values: [4, 3.5] },
    { name: 'learningRate', steps: [1, 2], values: [0.1, 0.2] },
    { name: 'gradientNorm', steps: [1, 2], values: [2, 1] },
  ]);
  expect(curves.validation).toEqual([{ name: 'uar', steps: [2, 3], values: [0.5, 0.25] }]);
  expect(curves).toMatchObject({ sessions: 2, plannedSteps: 4, badLines: 1, begun: '2026-01-01T00:00:00Z' });
  expect(sparkline([0, 1, 2, 7], 10)).toBe('▁▂▃█');
  expect(sparkline([3, 3], 10)).toBe('▄▄');
  const thinned = thin({ name: 'x', steps: [1, 2, 3, 4, 5, 6], values: [1, 3, 5, 7, 9, 11] }, 3);
  expect(thinned).toEqual({ name: 'x', steps: [1.5, 3.5, 5.5], values: [2, 6, 10] });
});

it('tells what a path is', async () => {
  const run = join(root, 'runs', 'one');
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, 'log.jsonl'), log.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const plain = { json: false, curves: true };
  const ofRun = await info(run, plain, say);
  expect(ofRun).toMatchObject({
    kind: 'run',
    steps: 2,
    plannedSteps: 4,
    best: { uar: { value: 0.5, step: 2 } },
  });
  expect(said.join('\n')).toContain('█▁');
  const page = readFileSync(join(run, 'curves.html'), 'utf8');
  for (const heading of ['Loss', 'Validation scores', 'Learning rate', 'Gradient norm'])
    expect(page.includes(`<h2>${heading}</h2>`), heading).toBe(true);
  expect(page.match(/NaN|undefined/)).toBeNull();
  expect(await info(join(root, 'runs'), { json: false, curves: false }, silent)).toMatchObject({
    kind: 'runs',
    runs: [{ path: run }],
  });

  const ofModel = await info(model, plain, silent);
  expect(ofModel).toMatchObject({
    kind: 'model',
    trained: 'finetune',
    about: { labels: emotions },
  });
  const ofFile = await info(join(model, 'model.safetensors'), plain, silent);
  expect(ofFile).toMatchObject({ kind: 'weights' });

  await writeMadeSamples(data, { pairs: 16, faces: 3, voices: 4 });
  const printed: string[] = [];
  const shards = await info(data, { json: true, curves: false }, (line) => void printed.push(line));
  expect(printed).toHaveLength(1);
  expect(JSON.parse(printed[0]!)).toEqual(shards);
  expect(shards).toMatchObject({
    kind: 'samples',
    samples: 23,
    withFace: 19,
    withSound: 20,
    identities: 6,
    counts: { label: { happy: 12, sad: 11 }, fold: { 1: 12, 2: 11 }, split: { none: 23 } },
  });
  await expect(info(join(root, 'nowhere'), plain, silent)).rejects.toThrow('does not exist');
  mkdirSync(join(root, 'empty'));
  await expect(info(join(root, 'empty'), plain, silent)).rejects.toThrow('holds nothing');
});
