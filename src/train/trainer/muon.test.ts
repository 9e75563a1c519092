// Muon's orthogonal updates against what they should be, on the trainer's backend.
import { beforeAll, expect, test } from 'vitest';
import { memory } from '@tensorflow/tfjs-core';
import { random } from '../../base/random.ts';
import { constantCount } from '../../ops/constant.ts';
import { startBackend } from '../base/backend.ts';
import { muonMatrices, orthogonalized } from './muon.ts';

beforeAll(async () => {
  await startBackend();
});

/** A singular value after the iteration, of one that was `s` times the matrix' norm. */
function after(s: number): number {
  for (let i = 0; i < 5; i++) s = 3.4445 * s - 4.775 * s ** 3 + 2.0315 * s ** 5;
  return s;
}

test('a diagonal matrix has its singular values brought near 1', async () => {
  const values = new Float32Array(4 * 6);
  const diagonal = [3, -2, 1, 0.5];
  diagonal.forEach((value, i) => (values[i * 6 + i] = value));
  const size = Math.hypot(...diagonal);
  const result = orthogonalized(values, 4, 6);
  const found = await result.data();
  found.forEach((value, at) => {
    const [row, column] = [Math.floor(at / 6), at % 6];
    const wanted = row === column ? Math.sign(diagonal[row]!) * after(Math.abs(diagonal[row]!) / size) : 0;
    expect(value).toBeCloseTo(wanted, 4);
  });
  result.dispose();
});

test.each([
  [32, 96],
  [96, 32],
])(
  'a %i x %i matrix keeps the length of vectors within a third, whatever its scale',
  async (rows, columns) => {
    const before = memory().numTensors - constantCount();
    const draw = random(5);
    const values = Float32Array.from({ length: rows * columns }, () => 1e-4 * draw.normal());
    const result = orthogonalized(values, rows, columns);
    const found = await result.data();
    // From the shorter side, along which no direction is lost.
    const [short, long] = rows < columns ? [rows, columns] : [columns, rows];
    const at = (i: number, j: number): number => found[rows < columns ? i * columns + j : j * columns + i]!;
    const vector = Array.from({ length: short }, () => draw.normal());
    const image = Array.from({ length: long }, (_, j) => vector.reduce((sum, v, i) => sum + v * at(i, j), 0));
    expect(Math.abs(Math.hypot(...image) / Math.hypot(...vector) - 1)).toBeLessThan(0.34);
    result.dispose();
    expect(memory().numTensors - constantCount()).toBe(before);
  },
);

test('q, k and v are matrices of their own; what is no matrix of a block is none of them', () => {
  const slot = (name: string, shape: number[]) =>
    muonMatrices({ name, shape, offset: 10, length: shape.reduce((x, y) => x * y, 1) });
  expect(slot('encoder.blocks.0.attn.qkv.weight', [12, 4])).toEqual([
    { offset: 10, rows: 4, columns: 4 },
    { offset: 26, rows: 4, columns: 4 },
    { offset: 42, rows: 4, columns: 4 },
  ]);
  expect(slot('encoder_fusion.blocks_audio.0.cross_attn.kv.weight', [8, 4])).toHaveLength(2);
  expect(slot('decoder.blocks.1.mlp.fc1.weight', [16, 4])).toEqual([{ offset: 10, rows: 16, columns: 4 }]);
  expect(slot('encoder.blocks.0.mlp.fc1.bias', [16])).toEqual([]);
  expect(slot('head.weight', [7, 16])).toEqual([]);
  expect(slot('encoder.patch_embed.proj.weight', [4, 3, 2, 8, 8])).toEqual([]);
});
