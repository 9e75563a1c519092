// Losses whose gradients are written by hand, against differences of the loss itself.
import '@tensorflow/tfjs-backend-cpu';
import { dispose, memory, setBackend, slice, tensor2d } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { random } from '../base/random.ts';
import { joinRows } from '../ops/combine.ts';
import { disposeGradients, lossAndGradients } from './gradients.ts';
import { concordanceLoss, meanSquaredError } from './losses.ts';

const [rows, columns] = [5, 3];
const stream = random(4);
const draw = (): Float32Array => Float32Array.from({ length: rows * columns }, () => stream.normal());
const outputs = draw();
const targets = draw();

beforeAll(async () => {
  await setBackend('cpu');
});

type Loss = (outputs: Tensor2D, targets: Tensor2D) => Scalar;

async function valueOf(loss: Loss, values: Float32Array): Promise<number> {
  const [x, y] = [tensor2d(values, [rows, columns]), tensor2d(targets, [rows, columns])];
  const result = loss(x, y);
  const [value = NaN] = await result.data();
  dispose([x, y, result]);
  return value;
}

/** 1 - the mean over columns of the concordance with the population's moments, in plain numbers. */
function concordance(values: Float32Array): number {
  let sum = 0;
  for (let c = 0; c < columns; c++) {
    const x = Array.from({ length: rows }, (_, i) => values[i * columns + c] ?? NaN);
    const y = Array.from({ length: rows }, (_, i) => targets[i * columns + c] ?? NaN);
    const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / rows;
    const [mx, my] = [mean(x), mean(y)];
    const covariance = mean(x.map((value, i) => (value - mx) * ((y[i] ?? NaN) - my)));
    const spread = mean(x.map((value) => (value - mx) ** 2)) + mean(y.map((value) => (value - my) ** 2));
    sum += (2 * covariance) / (spread + (mx - my) ** 2);
  }
  return 1 - sum / columns;
}

test('concordance is what it is called', async () => {
  expect(await valueOf(concordanceLoss, outputs)).toBeCloseTo(concordance(outputs), 5);
  expect(await valueOf(concordanceLoss, targets)).toBeCloseTo(0, 5);
});

/** The batch in two parts, joined again. */
const joined: Loss = (x, y) =>
  meanSquaredError(joinRows([slice(x, [0, 0], [2, columns]), slice(x, [2, 0], [3, columns])]), y);

async function expectSlopes(loss: Loss, gradients: readonly number[]): Promise<void> {
  expect(gradients).toHaveLength(rows * columns);
  const step = 1e-2;
  for (const [i, gradient] of gradients.entries()) {
    const moved = (by: number): Float32Array => outputs.map((value, k) => (k === i ? value + by : value));
    const slope = ((await valueOf(loss, moved(step))) - (await valueOf(loss, moved(-step)))) / (2 * step);
    expect(gradient).toBeCloseTo(slope, 3);
  }
}

test('the gradient of concordance', async () => {
  const [x, y] = [tensor2d(outputs, [rows, columns]), tensor2d(targets, [rows, columns])];
  const before = memory().numTensors;
  const result = lossAndGradients({ x }, () => concordanceLoss(x, y));
  const gradient = (await result.gradients['x']?.data()) ?? [];
  disposeGradients(result);
  expect(memory().numTensors).toBe(before);
  dispose([x, y]);
  await expectSlopes(concordanceLoss, [...gradient]);
});

test('the gradient of joined rows goes to the part that each row is of', async () => {
  const y = tensor2d(targets, [rows, columns]);
  const a = tensor2d(outputs.slice(0, 2 * columns), [2, columns]);
  const b = tensor2d(outputs.slice(2 * columns), [3, columns]);
  const result = lossAndGradients({ a, b }, () => meanSquaredError(joinRows([a, b]), y));
  const first = (await result.gradients['a']?.data()) ?? [];
  const second = (await result.gradients['b']?.data()) ?? [];
  disposeGradients(result);
  dispose([a, b, y]);
  await expectSlopes(joined, [...first, ...second]);
});
