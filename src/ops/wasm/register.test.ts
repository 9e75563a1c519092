import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setBackend } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasKernel, kernelNames } from '../kernels.ts';
import { kernelCases } from './kernel-cases.ts';
import { chooseBuild } from './module.ts';
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
