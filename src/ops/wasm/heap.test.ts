import { describe, expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { createHeap } from './heap.ts';

describe('the heap', () => {
  it('never gives one byte to two, keeps contents, and joins what is given back', () => {
    const heap = createHeap();
    const draw = random(3);
    const live = new Map<number, { count: number; mark: number }>();
    let most = 0;
    for (let round = 0; round < 3000; round++) {
      if (live.size > 0 && draw.uniform() < 0.5) {
        const [at, { count, mark }] = [...live][draw.integer(live.size)]!;
        expect(heap.floats(at, count).every((value) => value === mark)).toBe(true);
        heap.release(at);
        live.delete(at);
      } else {
        const count = 1 + draw.integer(5000);
        const at = heap.allocate(4 * count);
        expect(at).toBeGreaterThan(0);
        expect(at % 64).toBe(0);
        heap.floats(at, count).fill(round);
        live.set(at, { count, mark: round });
      }
      most = Math.max(most, heap.usedBytes);
    }
    for (const at of live.keys()) heap.release(at);
    expect(heap.usedBytes).toBe(0);
    // All of it is one free block again.
    const before = heap.memory.buffer.byteLength;
    heap.allocate(most);
    expect(heap.memory.buffer.byteLength).toBe(before);
  });

  it('says when it is full, and when it is given what it never gave', () => {
    const heap = createHeap();
    expect(() => heap.allocate(5 * 2 ** 30)).toThrow('has no 5368709120 bytes left');
    expect(heap.allocate(100)).toBeGreaterThan(0);
    expect(() => {
      heap.release(12345);
    }).toThrow('internal: no block at 12345');
  });
});
