import { setFlagsFromString } from 'node:v8';
import { setBackend } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { kernelCases } from './kernel-cases.ts';
import { registerWasmKernels } from './register.ts';

beforeAll(async () => {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  await setBackend('wasm');
  expect(await registerWasmKernels()).toEqual({
    registered: true,
    reason: 'wasm kernels: SIMD with fused multiply-add',
  });
});

describe('wasm kernels with fused multiply-add', () => {
  it.each(kernelCases)('$name', async ({ worstError, tolerance }) => {
    expect(await worstError()).toBeLessThan(tolerance);
  });
});
