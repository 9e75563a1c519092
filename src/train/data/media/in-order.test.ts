import { expect, it } from 'vitest';
import { inOrder } from './in-order.ts';

/** Settles in an order of its own: later numbers sooner. */
const slowly = (i: number): Promise<number> =>
  new Promise((resolve) => setTimeout(() => resolve(10 * i), (7 * (20 - i)) % 11));

it('hands results on in order, and does not run far ahead of them', async () => {
  const taken: [number, number][] = [];
  let begun = 0;
  let ahead = 0;
  await inOrder(
    { from: 3, to: 20, jobs: 4 },
    (i) => {
      begun += 1;
      ahead = Math.max(ahead, begun - taken.length);
      return slowly(i);
    },
    (i, result) => taken.push([i, result]),
    () => false,
  );
  expect(taken).toEqual(Array.from({ length: 17 }, (_, k) => [k + 3, 10 * (k + 3)]));
  expect(ahead).toBeGreaterThan(1);
  expect(ahead).toBeLessThanOrEqual(12);
});

it('throws what failed first, after what was before it', async () => {
  const taken: number[] = [];
  const work = inOrder(
    { from: 0, to: 20, jobs: 3 },
    (i) => (i === 5 ? Promise.reject(new Error('five')) : slowly(i)),
    (i) => taken.push(i),
    () => false,
  );
  await expect(work).rejects.toThrow('five');
  expect(taken).toEqual(taken.map((_, i) => i));
  expect(taken.length).toBeLessThanOrEqual(5);
});

it('ends early when stopped', async () => {
  const taken: number[] = [];
  await inOrder(
    { from: 0, to: 20, jobs: 2 },
    slowly,
    (i) => taken.push(i),
    () => taken.length === 4,
  );
  expect(taken).toEqual([0, 1, 2, 3]);
});
