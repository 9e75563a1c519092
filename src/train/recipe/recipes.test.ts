// Recipes on made faces and voices: stopped and resumed, widened.
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parameterShapes } from '../../model/params.ts';
import { writeMadeStills } from '../../testing/made-stills.ts';
import { recipes } from './recipes.ts';
import type { Recipe } from './recipes.ts';
import { reproduce } from '../commands/reproduce.ts';
import { readCheckpoint } from '../trainer/checkpoint.ts';
import { slotsOf } from '../trainer/flat-params.ts';
import { initialWidened } from '../trainer/initial.ts';
import { readModel } from '../weights/model-folder.ts';
import { readWeights } from '../weights/read-weights.ts';

const root = mkdtempSync(join(tmpdir(), 'recipes-'));
const { faces, voices } = writeMadeStills(root);
const silent = (): void => undefined;

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

test('a recipe stopped in the middle goes on, and gives what an uninterrupted one gives', async () => {
  const shipped = recipes['nano']!;
  const recipe: Recipe = {
    finetune: shipped.finetune.map(({ batchFaces, batchVoices, pairs, ...stage }) => ({
      ...stage,
      batchFaces: Math.min(batchFaces, 8),
      batchVoices: Math.min(batchVoices, 4),
      pairs: Math.min(pairs, 2),
      threads: 2,
      warmup: 1,
      steps: 3,
    })),
    dtype: 'F32',
  };
  const data = { faces, voices, fold: 1, align: 'as-is', backend: 'wasm' } as const;
  const [whole, parts] = [join(root, 'recipe'), join(root, 'recipe-in-parts')];
  await reproduce('small', recipe, { ...data, out: whole }, silent);
  // In the first fine-tuning, then in the second.
  for (const steps of [2, 3]) {
    let asked = 0;
    await reproduce('small', recipe, { ...data, out: parts }, silent, () => ++asked > steps);
  }
  const said: string[] = [];
  await reproduce('small', recipe, { ...data, out: parts }, (line) => said.push(line));
  expect(said.join('\n')).not.toContain('1 of 8');
  expect(said.join('\n')).toContain('2 of 8');
  const weights = (out: string): Buffer => readFileSync(join(out, 'small', 'model.safetensors'));
  expect(weights(parts).equals(weights(whole))).toBe(true);
  // Each goes on from the one before: what it freezes stays as that left it.
  const [before, after] = await Promise.all(
    ['nano-4', 'nano-5'].map(async (name) => (await readWeights(join(whole, name))).tensors),
  );
  for (const [name, { data }] of Object.entries(after!))
    if (name.startsWith('encoder_audio.')) expect(data, name).toEqual(before![name]!.data);
  expect(after!['head.weight']!.data).not.toEqual(before!['head.weight']!.data);
  const manifest = readFileSync(join(whole, 'small', 'manifest.json'), 'utf8');
  expect(manifest).toContain('uncertainBelow');
  expect(manifest.match(/finetune-stills --size nano/g)).toHaveLength(7);
  expect(manifest).not.toContain(root);
  // A finished run of other options is not taken for the recipe's.
  const [first, ...later] = recipe.finetune;
  const changed = { ...recipe, finetune: [{ ...first!, keepFaces: 0.5 }, ...later] };
  const again = reproduce('small', changed, { ...data, out: whole }, silent);
  await expect(again).rejects.toThrow('nano-1 was begun with other options: keepFaces 0.5 instead of 0.75');
  // Data may lie elsewhere by then.
  const moved = join(root, 'moved');
  symlinkSync(faces, moved);
  const saidAgain: string[] = [];
  const begun = { ...recipe, finetune: recipe.finetune.slice(0, 1) };
  await reproduce('first', begun, { ...data, faces: moved, out: whole }, (line) => saidAgain.push(line));
  expect(saidAgain[0]).toContain('2 of 2: export and calibration');
}, 400_000);

test('where a recipe grows wider, it goes on from the exported weights, widened', async () => {
  const shipped = recipes['mini']!;
  const few = { batchFaces: 4, batchVoices: 2, pairs: 2, threads: 1, warmup: 1, steps: 2 };
  const recipe: Recipe = {
    ...shipped,
    finetune: shipped.finetune.slice(-2).map((stage) => ({ ...stage, ...few })),
  };
  const out = join(root, 'wider');
  const said: string[] = [];
  const data = { faces, voices, fold: 1, align: 'as-is', backend: 'wasm' } as const;
  await reproduce('mini', recipe, { ...data, out }, (line) => said.push(line));
  expect(said.join('\n')).toContain('width 128 widened to 256');
  const manifest = readFileSync(join(out, 'mini', 'manifest.json'), 'utf8');
  expect(manifest).toMatch(/finetune-stills .*--size mini .*--widen DIR/);
  expect(manifest).not.toContain(root);
  expect(manifest).toContain('"width": 256');
  // The voices' branch stays as the widening made it, and the faces' is trained from there.
  const { config } = (await readModel(join(out, 'mini'))).manifest;
  const narrow = join(out, 'nano-6-exported');
  const began = await initialWidened(config, narrow, recipe.finetune.at(-1)!.seed, silent);
  const ended = readCheckpoint(join(out, 'mini-7')).arrays.average;
  for (const { name, offset, length } of slotsOf(parameterShapes(config)).slots) {
    const [before, after] = [began, ended].map((flat) => flat.subarray(offset, offset + length));
    if (name.startsWith('encoder_audio.')) expect(after, name).toEqual(before);
    if (name.startsWith('encoder.') && name.endsWith('.attn.qkv.weight'))
      expect(after, name).not.toEqual(before);
  }
  expect(readFileSync(join(narrow, 'model.safetensors')).length).toBeLessThan(4e6);
}, 120_000);
