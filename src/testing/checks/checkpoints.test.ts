// The check of checkpoints, on ones of our own writing: it holds for the formula's weights, and misses when one is off.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sizes } from '../../model/config.ts';
import { parameterShapes } from '../../model/params.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import { pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { constantCount } from '../../ops/constant.ts';
import { writeTorch } from '../../weights/pytorch-write.ts';
import type { Tensor } from '../../weights/safetensors.ts';
import { useBackend } from '../backends.ts';
import { asRecord, asText, formulaParameter, holds } from '../golden.ts';
import { checkpointsCheck } from './checkpoints.ts';

const root = mkdtempSync(join(tmpdir(), 'checkpoints-'));

beforeAll(() => useBackend('wasm'));
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const golden = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../golden/${name}.json`), 'utf8'));

function checkpoint(name: string, fixture: unknown, dtype: 'F32' | 'F16', off = 0): string {
  const salt = asText(asRecord(fixture, 'fixture')['salt'], 'salt');
  const shapes = name.startsWith('finetune')
    ? parameterShapes({ ...sizes.micro, classCount: 6 })
    : pretrainParameterShapes(pretrainSizes.micro);
  const model = new Map<string, Tensor>(
    shapes.map(({ name, shape }) => [name, { shape, data: formulaParameter(salt, name, shape) }]),
  );
  const last = shapes.at(-1)?.name ?? '';
  const data = model.get(last)?.data ?? new Float32Array(0);
  data[0] = (data[0] ?? 0) + off;
  const path = join(root, `${name}.pth`);
  writeFileSync(path, writeTorch(new Map([['model', model]]), dtype));
  return path;
}

it.each([
  ['finetune_micro', 'F32', 3],
  ['finetune_micro_root_f16', 'F16', 3],
  ['pretrain_micro', 'F32', 10],
  ['pretrain_micro_root_f16', 'F16', 10],
] as const)('%s', async (name, dtype, count) => {
  const fixture = golden(name.replace('_root_f16', ''));
  expect(checkpointsCheck.covers(`checkpoints/${name}.pth`)).toBe(true);
  const comparisons = await checkpointsCheck.run({ path: checkpoint(name, fixture, dtype), fixture });
  expect(comparisons.filter((comparison) => !holds(comparison))).toEqual([]);
  expect(comparisons).toHaveLength(count);
  expect(memory().numTensors - constantCount()).toBe(0);

  const wrong = await checkpointsCheck.run({ path: checkpoint(name, fixture, dtype, 1), fixture });
  const missed = wrong.filter((comparison) => !holds(comparison)).map(({ tensor }) => tensor);
  expect(missed).toContain('parameters');
  expect(missed.length).toBeGreaterThan(1);
});
