import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { engine, findBackend, ones, setBackend } from '@tensorflow/tfjs-core';
import type { NamedTensorMap, Rank, Tensor } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasKernel, kernelNames } from '../kernels.ts';
import type { KernelName } from '../kernels.ts';
import { kernelCases } from './kernel-cases.ts';
import { chooseBuild } from './module.ts';
import type { WasmBackend } from './module.ts';
import { registerWasmKernels } from './register.ts';

beforeAll(async () => {
  const early = await registerWasmKernels();
  expect(early).toEqual({ registered: false, reason: 'wasm kernels: the wasm backend is not initialized' });
  await setBackend('wasm');
  expect(await registerWasmKernels({ fused: false })).toEqual({
    registered: true,
    reason: 'wasm kernels: SIMD',
  });
  expect(await registerWasmKernels()).toEqual({ registered: true, reason: 'wasm kernels: SIMD' });
});

describe('kernels-wasm.ts', () => {
  it('is what the sources compile to', async () => {
    const script = fileURLToPath(new URL('assembly/build.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, '--check']);
    expect(stdout).toContain('is fresh');
  });

  it('asks for a memory and brings no data of its own, which would overwrite that of tfjs', async () => {
    const { bytes } = chooseBuild(false, false)!;
    const module = await WebAssembly.compile(bytes);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
    expect(sectionsOf(bytes)).not.toContain(11);
  });
});

describe('wasm kernels', () => {
  it('are all registered', () => {
    for (const name of kernelNames) expect(hasKernel(name), name).toBe(true);
  });

  it.each(kernelCases)('$name', async ({ worstError, tolerance }) => {
    expect(await worstError()).toBeLessThan(tolerance);
  });

  it('say what does not fit', () => {
    const [a, b] = [ones([2, 3]), ones([2, 3])];
    const run = (name: KernelName, inputs: NamedTensorMap, attrs = {}): unknown =>
      engine().runKernel(name, inputs, attrs);
    expect(() => run('HicmaeGemm', { a, b })).toThrow('internal: gemm of [2,3] and [2,3]: 3 is not 2');
    expect(() => run('HicmaeGemm', { a, b, bias: ones([2]) }, { transposeB: true })).not.toThrow();
    expect(() => run('HicmaeGemm', { a, b, bias: ones([3]) }, { transposeB: true })).toThrow('wanted [2]');
    expect(() => run('HicmaeGelu', { x: ones([2], 'int32') })).toThrow('input x is int32, not float32');
    const q = ones([1, 2, 6]);
    expect(() => run('HicmaeAttention', { q, k: q, v: q }, { heads: 4 })).toThrow('width 6 with 4 heads');
  });

  it('take no rows', () => {
    const y = engine().runKernel<Tensor>('HicmaeGemm', { a: ones([0, 3]), b: ones([3, 2]) }, {});
    expect(y.shape).toEqual([0, 2]);
    expect(engine().runKernel<Tensor>('HicmaeGelu', { x: ones([0, 5]) }, {}).shape).toEqual([0, 5]);
  });

  it('follow the memory when tfjs grows it, beyond 2 GiB too', async () => {
    const backend = findBackend('wasm') as unknown as WasmBackend;
    const pointers = [1, 2, 3].map(() => backend.wasm._malloc(750 * 2 ** 20)); // never touched, so never real
    const x = ones<Rank.R2>([8000, 1000]);
    expect(backend.dataIdMap.get(x.dataId).memoryOffset).toBeGreaterThan(2 ** 31);
    const run = (name: KernelName, inputs: NamedTensorMap, attrs = {}): Tensor =>
      engine().runKernel<Tensor>(name, inputs, attrs);
    expect(new Set(await run('HicmaeColumnSum', { x }).data())).toEqual(new Set([8000]));
    expect(new Set(await run('HicmaeGemm', { a: x, b: x }, { transposeA: true }).data())).toEqual(
      new Set([8000]),
    );
    const y = await run('HicmaeGelu', { x }).data();
    expect(new Set(y)).toEqual(new Set([y[0]]));
    expect(y[0]).toBeCloseTo(0.841345, 6);
    pointers.forEach((pointer) => backend.wasm._free(pointer));
    x.dispose();
  });
});

/** Ids of a wasm binary's sections; 11 is data. */
function sectionsOf(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  for (let at = 8; at < bytes.length;) {
    ids.push(bytes[at++]!);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    at += size;
  }
  return ids;
}
