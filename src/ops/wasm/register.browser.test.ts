import { removeBackend } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelCases } from '../kernel-cases.ts';
import { startWasmBackend } from './backend.ts';

beforeAll(async () => {
  expect(await startWasmBackend()).toMatch(/^wasm: SIMD( with fused multiply-add)?$/);
});

afterAll(() => {
  removeBackend('wasm');
});

// With threads: inference/client.browser.test.ts, since a page's main thread may not wait for others.
describe('wasm kernels in the browser', () => {
  it.each(kernelCases)('$name', async ({ worstError, tolerance }) => {
    expect(await worstError()).toBeLessThan(tolerance);
  });
});
