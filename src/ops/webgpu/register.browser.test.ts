import { dispose, memory, tensor3d, tidy } from '@tensorflow/tfjs-core';
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { patchLength, tokenCount } from '../../model/embed.ts';
import { block, crossBlock } from '../../model/layers.ts';
import { initParams } from '../../model/params.ts';
import type { Modality, Params } from '../../model/params.ts';
import { predict } from '../../model/predict.ts';
import type { ClipPatches } from '../../model/predict.ts';
import { kernelCases } from '../kernel-cases.ts';
import { startWebgpuBackend } from './backend.ts';
import { registerWebgpuKernels } from './register.ts';

beforeAll(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  expect(adapter, 'this browser has no WebGPU adapter; SwiftShader will do').not.toBeNull();
  expect(await startWebgpuBackend(adapter!)).toMatch(/^webgpu: .+, own kernels/);
});

/** Compiling takes SwiftShader's time, so of the products only those that the ops make: a bias comes with B^T. */
const cases = kernelCases.filter(
  ({ name }) => !name.startsWith('gemm') || name.includes('+ bias') === name.includes(' B^T'),
);

const forGpus = /^(gemm (23 x 257 x 31|5 x 4 x 8|21 x 40 x 19)|layer norm \[|self attention \[3,36)/;

describe('webgpu kernels', () => {
  it.each(cases)('$name', async ({ worstError, tolerance }) => {
    expect(await worstError()).toBeLessThan(tolerance);
  });

  // SwiftShader, a GPU played by the CPU, has tiles of its own.
  it.each(cases.filter(({ name }) => forGpus.test(name)))(
    'with the tiles of a real GPU and without subgroups: $name',
    async ({ worstError, tolerance }) => {
      await registerWebgpuKernels({ software: false, subgroups: false });
      try {
        expect(await worstError()).toBeLessThan(tolerance);
      } finally {
        await registerWebgpuKernels();
      }
    },
  );
});

const config: HicmaeConfig = { ...sizes.micro, classCount: 3 };
const draw = random(7);
const normal = (length: number): Float32Array => Float32Array.from({ length }, () => draw.normal());

describe('a forward pass', () => {
  let params: Params;
  beforeAll(() => {
    params = initParams(config, random(2), 'xavier');
    return () => dispose(params);
  });

  it('makes at most 10 dispatches a transformer block', () => {
    const tokens = (count: number): Tensor3D =>
      tensor3d(normal(count * config.width), [1, count, config.width]);
    const self = countDispatches(() =>
      tidy(() => void block(params, 'encoder.blocks.0', tokens(8), config.heads, 0, {})),
    );
    const cross = countDispatches(() =>
      tidy(() => {
        crossBlock(params, 'encoder_fusion.blocks.0', tokens(8), tokens(4), config.heads, 0, {});
      }),
    );
    console.info(`${self} dispatches a block, ${cross} with cross attention before it`);
    expect(self).toBeGreaterThan(4);
    expect(self).toBeLessThanOrEqual(10);
    // Two layers of attention: their own norms, products and scores.
    expect(cross).toBeLessThanOrEqual(16);
  });

  it('allocates nothing after the first but what carries the new clip over', async () => {
    const size = (modality: Modality): number => tokenCount(config, modality) * patchLength(config, modality);
    const clip = (): ClipPatches => ({ video: normal(size('video')), audio: normal(size('audio')) });
    // The second takes what the first gave back; a buffer's first upload needs no carrier, so it counts from the third.
    await predict(params, config, [clip()]);
    await predict(params, config, [clip()]);
    const tensors = memory().numTensors;
    const made: GPUBufferDescriptor[] = [];
    const dispatches = await watchBuffers(made, () => predict(params, config, [clip()]));
    const carriers = made.filter(({ usage }) => (usage & GPUBufferUsage.MAP_WRITE) !== 0);
    expect(made.length - carriers.length).toBe(0);
    // The patches, the tables of positions that are added to them, and the keys' zero biases.
    const positions = (tokenCount(config, 'video') + tokenCount(config, 'audio')) * config.width;
    const carried = carriers.reduce((sum, { size: bytes }) => sum + bytes, 0);
    expect(carried).toBeGreaterThan(0);
    expect(carried).toBeLessThanOrEqual(4 * (size('video') + size('audio') + positions) + 4096);
    expect(memory().numTensors).toBe(tensors);
    console.info(
      `${dispatches} dispatches, ${made.length} carriers of ${carried} bytes in a reading of micro`,
    );
  });
});

function countDispatches(work: () => void): number {
  const { prototype } = GPUComputePassEncoder;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- bound below
  const original = prototype.dispatchWorkgroups;
  let count = 0;
  prototype.dispatchWorkgroups = function (...counts: Parameters<typeof original>): undefined {
    count++;
    original.apply(this, counts);
  };
  try {
    work();
  } finally {
    prototype.dispatchWorkgroups = original;
  }
  return count;
}

/** Notes every buffer that is made. @returns how many dispatches there were */
async function watchBuffers(made: GPUBufferDescriptor[], work: () => Promise<unknown>): Promise<number> {
  const { prototype } = GPUDevice;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- bound below
  const original = prototype.createBuffer;
  prototype.createBuffer = function (descriptor: GPUBufferDescriptor): GPUBuffer {
    made.push(descriptor);
    return original.call(this, descriptor);
  };
  try {
    let done: Promise<unknown> = Promise.resolve();
    const dispatches = countDispatches(() => {
      done = work();
    });
    await done;
    return dispatches;
  } finally {
    prototype.createBuffer = original;
  }
}
