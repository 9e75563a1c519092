import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { add, backend as currentBackend, engine, memory, mul, ones, tensor } from '@tensorflow/tfjs-core';
import type { NamedTensorMap, Rank, Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasKernel, kernelNames } from '../kernels.ts';
import type { KernelName } from '../kernels.ts';
import { kernelCases } from '../kernel-cases.ts';
import { startWasmBackend } from './backend.ts';
import type { WasmBackend } from './heap-backend.ts';
import { chooseBuild } from './module.ts';

const current = (): WasmBackend => currentBackend() as unknown as WasmBackend;
const run = (name: KernelName, inputs: NamedTensorMap, attrs = {}): Tensor =>
  engine().runKernel<Tensor>(name, inputs, attrs);

beforeAll(async () => {
  expect(await startWasmBackend({ fused: false })).toBe('wasm: SIMD');
});

describe('kernels-wasm.ts', () => {
  it('is what the sources compile to', async () => {
    const script = fileURLToPath(new URL('assembly/build.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, '--check']);
    expect(stdout).toContain('is fresh');
  });

  it('asks for a memory and brings no data of its own, which would overwrite tensors', async () => {
    const { bytes } = chooseBuild(false)!;
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
    expect(() => run('HicmaeGemm', { a, b })).toThrow('internal: gemm of [2,3] and [2,3]: 3 is not 2');
    expect(() => run('HicmaeGemm', { a, b, bias: ones([2]) }, { transposeB: true })).not.toThrow();
    expect(() => run('HicmaeGemm', { a, b, bias: ones([3]) }, { transposeB: true })).toThrow('wanted [2]');
    expect(() => run('HicmaeGemm', { a, b, residual: ones([3, 2]) }, { transposeB: true })).toThrow('[3,2]');
    expect(() => run('HicmaeGelu', { x: ones([2], 'int32') })).toThrow('input x is int32, not float32');
    expect(() => run('HicmaeSelfAttention', { qkv: ones([1, 2, 18]) }, { heads: 4 })).toThrow(
      'width 6 with 4 heads',
    );
    const indices = tensor([0, 2], [2], 'int32');
    expect(() => run('HicmaeGatherRows', { x: a, indices })).toThrow('rows 0,2 of 2');
  });

  it('take no rows', () => {
    const y = run('HicmaeGemm', { a: ones([0, 3]), b: ones([3, 2]) }, {});
    expect(y.shape).toEqual([0, 2]);
    expect(run('HicmaeGelu', { x: ones([0, 5]) }, {}).shape).toEqual([0, 5]);
  });

  it('take over sums and products of tfjs where they can', async () => {
    const x = tensor([1, 2, 3, 4, 5, 6], [2, 3, 1]);
    expect([...(await add(x, x).data())]).toEqual([2, 4, 6, 8, 10, 12]);
    expect([...(await add(x, tensor([1, 0], [2, 1, 1])).data())]).toEqual([2, 3, 4, 4, 5, 6]);
    expect([...(await mul(x, tensor([2, 0], [2, 1, 1])).data())]).toEqual([2, 4, 6, 0, 0, 0]);
    expect([...(await mul(tensor(3), x).data())]).toEqual([3, 6, 9, 12, 15, 18]);
    expect([...(await mul(x, tensor([1, 2, 3], [1, 3, 1])).data())]).toEqual([1, 4, 9, 4, 10, 18]);
    expect([...(await mul(x, x).data())]).toEqual([1, 4, 9, 16, 25, 36]);
  });

  it('reach beyond 2 GiB, and give everything back', async () => {
    const { heap } = current();
    const before = { tensors: memory().numTensors, bytes: heap.usedBytes };
    const blocks = [1, 2, 3].map(() => heap.allocate(750 * 2 ** 20)); // never touched, so never real
    const x = ones<Rank.R2>([8000, 1000]);
    expect(current().pointerOf(x)).toBeGreaterThan(2 ** 31);
    const sum = run('HicmaeColumnSum', { x });
    expect(new Set(await sum.data())).toEqual(new Set([8000]));
    const square = run('HicmaeGemm', { a: x, b: x }, { transposeA: true });
    expect(new Set(await square.data())).toEqual(new Set([8000]));
    const y = run('HicmaeGelu', { x });
    const values = await y.data();
    expect(new Set(values)).toEqual(new Set([values[0]]));
    expect(values[0]).toBeCloseTo(0.841345, 6);
    expect(() => ones([600, 1024, 1024])).toThrow('the wasm heap (4096 MiB at most');
    blocks.forEach((block) => {
      heap.release(block);
    });
    for (const one of [x, sum, square, y]) one.dispose();
    expect(memory().numTensors).toBe(before.tensors);
    // But for scratch, which grows to the largest need and stays.
    expect(heap.usedBytes - before.bytes).toBeLessThan(4 * 2 ** 20);
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
