import { describe, expect, it } from 'vitest';
import { maxDifference } from './page/difference.ts';
import { alternate, median, ratio, spreadOf } from './statistics.ts';

describe('statistics', () => {
  it('takes the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([10, 1, 2, 3])).toBe(2.5);
    expect(() => median([])).toThrow(RangeError);
    expect(spreadOf([4, 1, 9])).toEqual({ count: 3, min: 1, median: 4, max: 9 });
  });

  it('compares medians', () => {
    expect(ratio(spreadOf([1, 2, 30]), spreadOf([4]))).toBe(0.5);
    expect(ratio(spreadOf([1]), null)).toBeNull();
    expect(ratio(undefined, spreadOf([1]))).toBeNull();
  });

  it('sees how far results are apart, and never overlooks a NaN', () => {
    expect(maxDifference([1, 2, 3], [1, 2.5, 2])).toBe(1);
    expect(maxDifference([1, NaN, 3], [1, 2, 3])).toBe(Infinity);
    expect(maxDifference([1, NaN, 3], [1, NaN, 900])).toBe(Infinity);
    expect(maxDifference([1], [1, 2])).toBe(Infinity);
  });

  it('lets all take turns, each round beginning with another, a slow one in fewer rounds', async () => {
    const order: string[] = [];
    const turn = (name: string, rounds: number, ms: number) => ({
      name,
      rounds,
      measure: () => {
        order.push(name);
        return Promise.resolve(ms);
      },
    });
    const spreads = await alternate([turn('a', 3, 1), turn('b', 3, 2), turn('slow', 1, 50)]);
    expect(order.join(' ')).toBe('a b slow b a a b');
    expect(spreads.get('a')?.count).toBe(3);
    expect(spreads.get('slow')).toEqual({ count: 1, min: 50, median: 50, max: 50 });
  });
});
