import { describe, expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { createAdamW } from './adamw.ts';

describe('AdamW', () => {
  it('is what its formula says in double, range by range, and touches nothing else', async () => {
    const adamw = await createAdamW();
    const draw = random(5);
    const ranges = [
      { offset: 1, length: 7, learningRate: 1e-3, weightDecay: 0.05 },
      { offset: 8, length: 100, learningRate: 2e-4, weightDecay: 0 },
    ];
    const total = 110;
    const arrays = {
      params: adamw.floats(total),
      gradients: adamw.floats(total),
      moment1: adamw.floats(total),
      moment2: adamw.floats(total),
    };
    for (let i = 0; i < total; i++) arrays.params[i] = draw.normal();
    const start = [...arrays.params];
    const wanted = [...start];
    const m = new Float64Array(total);
    const v = new Float64Array(total);
    for (let step = 1; step <= 5; step++) {
      for (let i = 0; i < total; i++) arrays.gradients[i] = draw.normal() * 10 ** draw.integer(3);
      adamw.step(arrays, ranges, step);
      for (const { offset, length, learningRate, weightDecay } of ranges) {
        for (let i = offset; i < offset + length; i++) {
          const g = arrays.gradients[i]!;
          m[i] = 0.9 * m[i]! + 0.1 * g;
          v[i] = 0.999 * v[i]! + 0.001 * g * g;
          const slope = m[i]! / (1 - 0.9 ** step) / (Math.sqrt(v[i]! / (1 - 0.999 ** step)) + 1e-8);
          wanted[i] = wanted[i]! * (1 - learningRate * weightDecay) - learningRate * slope;
        }
      }
    }
    const moved = wanted.map((value, i) => Math.abs(value - start[i]!));
    expect(Math.max(...moved)).toBeGreaterThan(1e-3);
    for (let i = 0; i < total; i++) expect(Math.abs(arrays.params[i]! - wanted[i]!)).toBeLessThan(1e-6);
    expect([arrays.params[0], arrays.params[108], arrays.params[109]]).toEqual([
      start[0],
      start[108],
      start[109],
    ]);
  });
});
