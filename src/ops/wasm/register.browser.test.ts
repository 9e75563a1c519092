import { env, setBackend } from '@tensorflow/tfjs-core';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { kernelCases } from './kernel-cases.ts';
import { registerWasmKernels } from './register.ts';

beforeAll(async () => {
  setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  await setBackend('wasm');
  const { registered, reason } = await registerWasmKernels();
  expect(registered, reason).toBe(true);
  expect(reason).toMatch(/^wasm kernels: SIMD( with fused multiply-add)?$/);
});

describe('wasm kernels in the browser, without threads', () => {
  it.each(kernelCases)('$name', async ({ worstError, tolerance }) => {
    expect(await worstError()).toBeLessThan(tolerance);
  });
});
