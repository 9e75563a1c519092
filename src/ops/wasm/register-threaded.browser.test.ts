import { setBackend } from '@tensorflow/tfjs-core';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { kernelCases } from './kernel-cases.ts';
import { registerWasmKernels } from './register.ts';

beforeAll(async () => {
  expect(
    crossOriginIsolated,
    'the test page is not cross-origin isolated, so there is no shared memory',
  ).toBe(true);
  setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
  await setBackend('wasm');
  const { registered, reason } = await registerWasmKernels();
  expect(registered, reason).toBe(true);
  expect(reason).toMatch(/^wasm kernels: SIMD( with fused multiply-add)?, shared memory$/);
});

describe('wasm kernels in the browser, in the threaded build', () => {
  it.each(kernelCases)('$name', async ({ worstError, tolerance }) => {
    expect(await worstError()).toBeLessThan(tolerance);
  });
});
