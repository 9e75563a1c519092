import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  compareRecord,
  fnv1a32,
  formulaAudio,
  formulaParameter,
  formulaVideo,
  formulaVisible,
  holds,
  nameHash,
  nameValues,
  sampleIndices,
} from './golden.ts';

interface Vectors {
  readonly salt: string;
  readonly fnv1a32: Record<string, number>;
  readonly hash32: Record<string, number[]>;
  readonly v: Record<string, number[]>;
  readonly params: Record<string, number[]>;
  readonly [name: string]: unknown;
}

const vectors = JSON.parse(
  readFileSync(new URL('./golden/formula_vectors.json', import.meta.url), 'utf8'),
) as Vectors;
const { salt } = vectors;

describe('the golden formula', () => {
  it('hashes as the reference does', () => {
    for (const [text, hash] of Object.entries(vectors.fnv1a32)) expect(fnv1a32(text)).toBe(hash);
    for (const [name, hashes] of Object.entries(vectors.hash32))
      expect([0, 1, 2, 1000, 4_000_000].map(nameHash(salt, name))).toEqual(hashes);
    for (const [name, values] of Object.entries(vectors.v))
      expect(values.map((_, i) => nameValues(salt, name)(i))).toEqual(values);
  });

  it('makes the reference parameters, bit for bit', () => {
    for (const [key, values] of Object.entries(vectors.params)) {
      const match = /^(.*) \[(.*)\]$/.exec(key);
      const shape = (match?.[2] ?? '').split(',').map(Number);
      const made = formulaParameter(salt, match?.[1] ?? '', shape);
      expect([...made.subarray(0, values.length)], key).toEqual(values);
    }
  });

  it('makes the reference inputs and masks', () => {
    expect([...formulaVideo(salt, [2, 3, 4, 32, 32]).subarray(0, 4)]).toEqual(
      vectors['input.video B=2,T=4,32x32 first 4'],
    );
    expect([...formulaAudio(salt, [2, 1, 32, 32]).subarray(0, 4)]).toEqual(
      vectors['input.audio B=2,32x32 first 4'],
    );
    expect([0, 1].map((b) => formulaVisible(salt, 'mask.audio', b, 8, 6))).toEqual(
      vectors['mask.audio B=2,P=8,n_mask=6 visible'],
    );
    expect([0, 1].map((b) => formulaVisible(salt, 'mask.video', b, 100, 90))).toEqual(
      vectors['mask.video B=2,P=100,n_mask=90 visible'],
    );
  });
});

describe('compareRecord', () => {
  const values = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i));
  const sum = values.reduce((a, b) => a + b, 0);
  const record = {
    shape: [10, 10],
    v: sampleIndices(100, 5).map((i) => values[i] ?? NaN),
    sum,
    mean: sum / 100,
    std: 0,
    l2: Math.sqrt(values.reduce((a, b) => a + b * b, 0)),
    absmax: values.reduce((a, b) => Math.max(a, Math.abs(b)), 0),
  };

  it('holds for the tensor itself', () => {
    expect(holds(compareRecord('x', { shape: [10, 10], values }, record))).toBe(true);
  });

  it('misses a wrong shape, a wrong element, a NaN, and an unsampled element through the statistics', () => {
    expect(holds(compareRecord('x', { shape: [5, 20], values }, record))).toBe(false);
    const sampled = new Set(sampleIndices(100, 5));
    const other = values.findIndex((_, i) => !sampled.has(i));
    for (const [index, value] of [
      [sampleIndices(100, 5)[2] ?? 0, 5e-6],
      [other, 1e-2],
      [other, NaN],
    ] as const) {
      const changed = values.slice();
      changed[index] = (changed[index] ?? 0) + value;
      expect(holds(compareRecord('x', { shape: [10, 10], values: changed }, record))).toBe(false);
    }
  });
});
