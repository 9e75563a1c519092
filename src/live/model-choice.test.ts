// Which model suits a machine, and the list that it is chosen from.
import { describe, expect, it } from 'vitest';
import { measuredMs, median, predictedMs, suitedModel } from './model-choice.ts';
import type { Took } from './model-choice.ts';
import { parseModelList } from './model-list.ts';
import type { ListedModel } from './model-list.ts';

const listed = (name: string, multiplyAdds: number): ListedModel => ({
  name,
  url: `https://example.org/models/${name}/`,
  bytes: 1e6,
  multiplyAdds,
});
const small = listed('small', 1e8);
const middle = listed('middle', 1e9);
const large = listed('large', 1e10);
const all = [small, middle, large];

const took = (inferenceMs: number, face = true, voice = true): Took => ({
  inferenceMs,
  modalities: { face, voice },
});

describe('the measured time', () => {
  it('is the median of five whole readings after the first', () => {
    const first = [took(900), took(10), took(30), took(20), took(500)];
    expect(measuredMs(first)).toBeNull();
    expect(measuredMs([...first, took(40)])).toBe(30);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('does not take a voice alone for the whole, unless nothing else comes', () => {
    const voices = Array.from({ length: 12 }, () => took(4, false));
    expect(measuredMs(voices)).toBeNull();
    expect(measuredMs([...voices, took(4, false)])).toBe(4);
    const whole = [12, 10, 11, 14, 13].map((ms) => took(ms));
    expect(measuredMs([...voices, ...whole])).toBe(12);
  });
});

describe('the suited model', () => {
  it('is the largest that can be read with twice a second, the rest between readings included', () => {
    // 10 times the multiply-adds: 7.6 times as long.
    expect(predictedMs(small, 10, middle)).toBeCloseTo(10 * 10 ** 0.88, 6);
    expect(suitedModel(all, small, 10)).toBe(middle);
    expect(suitedModel(all, small, 5)).toBe(large);
    expect(suitedModel(all, small, 50)).toBe(small);
  });

  it('is found from the time of any of them', () => {
    expect(suitedModel(all, middle, 333)).toBe(middle);
    expect(suitedModel(all, middle, 340)).toBe(small);
    expect(suitedModel(all, large, 100)).toBe(large);
  });

  it('is the smallest where even that is slow, and never one that was left out', () => {
    expect(suitedModel(all, small, 3000)).toBe(small);
    expect(suitedModel([small, middle], small, 1)).toBe(middle);
    expect(suitedModel([small], small, 3000)).toBe(small);
  });
});

describe('the list', () => {
  const entry = { name: 'a', folder: 'a/', bytes: 10, multiplyAdds: 20 };
  const listUrl = 'https://example.org/emotion/models/models.json';

  it('is put in order, its folders beside it', () => {
    const models = parseModelList(
      { models: [entry, { ...entry, name: 'b', folder: 'b', multiplyAdds: 2 }] },
      listUrl,
    );
    expect(models.map(({ name, url }) => [name, url])).toEqual([
      ['b', 'https://example.org/emotion/models/b/'],
      ['a', 'https://example.org/emotion/models/a/'],
    ]);
  });

  for (const bad of [null, {}, { models: [] }, { models: [null] }, { models: [{ ...entry, bytes: 0 }] }]) {
    it(`is refused in plain words when it is ${JSON.stringify(bad)}`, () => {
      expect(() => parseModelList(bad, listUrl)).toThrow(/models\.json: .*wanted .*name a model's folder$/);
    });
  }
});
