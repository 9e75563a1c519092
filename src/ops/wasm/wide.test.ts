// The wide build here: right everywhere, to the bit what the narrow one computes; fast only where V8 joins registers.
import { setFlagsFromString } from 'node:v8';
import { removeBackend } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kernelCases } from '../kernel-cases.ts';
import { startWasmBackend } from './backend.ts';
import { fused } from './kernels-wasm.ts';
import { wide } from './kernels-wide.ts';
import { trial } from './wide.ts';

beforeAll(async () => {
  if (Number(process.versions.node.split('.')[0]) < 24)
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  else for (const flag of ['--experimental-wasm-revectorize', '--no-liftoff']) setFlagsFromString(flag);
  expect(await startWasmBackend({ wide })).toBe('wasm: SIMD of 256 bits with fused multiply-add');
});

afterAll(() => {
  removeBackend('wasm');
});

it.each(kernelCases)('$name', async ({ worstError, tolerance }) => {
  expect(await worstError()).toBeLessThan(tolerance);
});

it('computes the other build’s numbers', () => {
  const { product } = trial(wide);
  expect(product.some((value) => value !== 0)).toBe(true);
  expect(product).toEqual(trial(fused).product);
});
