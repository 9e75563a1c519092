// Pre-training on made faces and voices: losses fall, resuming changes nothing, fine-tuning goes on from it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeMadeStills } from '../../testing/made-stills.ts';
import { exportRun } from './export.ts';
import { finetuneStills } from './finetune-stills.ts';
import { pretrainStills } from './pretrain-stills.ts';
import type { PretrainStillsOptions } from './pretrain-stills.ts';
import { recipes } from '../recipe/recipes.ts';
import { readCheckpoint } from '../trainer/checkpoint.ts';

const root = mkdtempSync(join(tmpdir(), 'pretrain-stills-'));
const { faces, voices } = writeMadeStills(root);
const silent = (): void => undefined;

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

test('pre-training learns, goes on when stopped, and is what fine-tuning starts from', async () => {
  const common = {
    faces,
    voices,
    fold: 1,
    align: 'as-is',
    backend: 'wasm',
    resume: false,
    threads: 2,
    warmup: 2,
    batchFaces: 16,
    batchVoices: 4,
    checkpointEvery: 1000,
    validateEvery: 1000,
  } as const;
  const options: Omit<PretrainStillsOptions, 'out'> = {
    ...common,
    size: 'nano',
    steps: 12,
    seed: 1,
    maskFaces: 0.75,
    maskVoices: 0.8,
    skips: true,
    lr: 2e-3,
    weightDecay: 0.05,
    optimizer: 'muon',
  };
  const [whole, parts, tuned] = ['whole', 'parts', 'tuned'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  await pretrainStills({ ...options, out: whole }, silent);
  const steps = readFileSync(join(whole, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; video: number; audio: number })
    .filter(({ event }) => event === 'step');
  expect(steps).toHaveLength(options.steps);
  const mean = (lines: typeof steps, key: 'video' | 'audio'): number =>
    lines.reduce((sum, line) => sum + line[key], 0) / lines.length;
  for (const key of ['video', 'audio'] as const)
    expect(mean(steps.slice(-3), key)).toBeLessThan(0.9 * mean(steps.slice(0, 3), key));

  let asked = 0;
  await pretrainStills({ ...options, out: parts }, silent, () => ++asked > 5);
  expect(readCheckpoint(parts).state.step).toBe(5);
  await pretrainStills({ ...options, out: parts, resume: true }, silent);
  expect(readCheckpoint(parts).arrays.params).toEqual(readCheckpoint(whole).arrays.params);

  const stage = recipes['nano']!.finetune.find(({ pairs }) => pairs > 0);
  await finetuneStills(
    { ...stage!, ...common, pairs: 2, steps: 2, from: whole, out: tuned, minutes: Infinity },
    silent,
  );
  const model = join(root, 'model');
  await exportRun({ run: tuned, out: model }, silent);
  expect(readFileSync(join(model, 'manifest.json'), 'utf8')).toMatch(
    /pretrain-stills .*--size nano .*&& npm run train -- finetune-stills /,
  );
}, 200_000);
