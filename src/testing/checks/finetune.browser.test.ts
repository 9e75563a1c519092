// The micro model against the official numbers on webgpu, whichever adapter this Chromium has.
import { memory } from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { constantCount } from '../../ops/constant.ts';
import { holds } from '../golden.ts';
import { runInPage } from '../golden-page.ts';

it.each([
  ['finetune_micro.json', 31],
  ['finetune_micro_tanh3.json', 31],
])('webgpu: %s', async (fileName, count) => {
  const answer = await fetch(new URL(`../golden/${fileName}`, import.meta.url));
  const comparisons = await runInPage(fileName, await answer.json(), false);
  expect(comparisons.filter((comparison) => !holds(comparison))).toEqual([]);
  expect(comparisons).toHaveLength(count);
  expect(memory().numTensors - constantCount()).toBe(0);
});
