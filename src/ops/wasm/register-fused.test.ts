import { setFlagsFromString } from 'node:v8';
import { backend as currentBackend, removeBackend } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeHelpers } from '../../testing/node-helpers.ts';
import { kernelCases } from '../kernel-cases.ts';
import { startWasmBackend } from './backend.ts';

beforeAll(async () => {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  expect(await startWasmBackend({ helpers: nodeHelpers(2) })).toBe(
    'wasm: SIMD with fused multiply-add, 3 threads',
  );
});

afterAll(() => {
  removeBackend('wasm');
});

describe('wasm kernels with fused multiply-add and three threads', () => {
  it.each(kernelCases)('$name', async ({ worstError, tolerance }) => {
    expect(await worstError()).toBeLessThan(tolerance);
  });

  it('are right again and again, in whatever order threads come', async () => {
    const busy = kernelCases.filter(({ name }) =>
      ['gemm 203 x 300', 'self attention [3,36', 'layer norm [2,65', 'gelu [64,64]'].some((start) =>
        name.startsWith(start),
      ),
    );
    expect(busy.length).toBeGreaterThanOrEqual(4);
    for (let round = 0; round < 20; round++) {
      for (const { worstError, tolerance } of busy) expect(await worstError()).toBeLessThan(tolerance);
    }
  });
});

describe('helpers that do not start', () => {
  it('are said, and one thread computes', async () => {
    const closed: number[] = [];
    const broken = {
      start: () => Promise.reject(new Error('no workers here')),
      close: () => {
        closed.push(1);
      },
    };
    expect(await startWasmBackend({ helpers: [broken] })).toBe(
      'wasm: SIMD with fused multiply-add, no helper threads (no workers here)',
    );
    expect(closed).toEqual([1]);
    expect((currentBackend() as unknown as { kernels: { threadCount: number } }).kernels.threadCount).toBe(1);
    expect(await kernelCases[0]!.worstError()).toBeLessThan(1e-6);
  });
});
