import { dispose, memory } from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { random } from '../base/random.ts';
import { officialClipSpec } from '../clip/spec.ts';
import { sizes } from '../model/config.ts';
import { patchLength, tokenCount } from '../model/embed.ts';
import { initParams } from '../model/params.ts';
import type { Modality } from '../model/params.ts';
import { predict } from '../model/predict.ts';
import type { ClipPatches } from '../model/predict.ts';
import { constantCount } from '../ops/constant.ts';
import { startWebgpuBackend } from '../ops/webgpu/backend.ts';
import { compileModel } from './compile.ts';

beforeAll(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  expect(adapter, 'this browser has no WebGPU adapter; SwiftShader will do').not.toBeNull();
  await startWebgpuBackend(adapter!);
});

it('readings compile nothing that was compiled ahead, and are right', async () => {
  const config = { ...sizes.micro, classCount: 3 };
  const device = GPUDevice.prototype;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- bound below
  const original = device.createComputePipeline;
  let compiled = 0;
  device.createComputePipeline = function (descriptor): GPUComputePipeline {
    compiled++;
    return original.call(this, descriptor);
  };
  try {
    const before = memory().numTensors;
    await compileModel(
      { config, clip: { ...officialClipSpec, mirrorView: true }, missingModalities: true },
      true,
    );
    expect(memory().numTensors - constantCount()).toBe(before);
    const params = initParams(config, random(2), 'xavier');
    const draw = random(3);
    const patches = (modality: Modality): Float32Array =>
      Float32Array.from({ length: tokenCount(config, modality) * patchLength(config, modality) }, () =>
        draw.normal(),
      );
    const clip = { video: patches('video'), audio: patches('audio') };
    const mirrored = { ...clip, video: patches('video') };
    const alone = (face: typeof clip): ClipPatches => ({ ...face, audio: null });
    for (const given of [[clip, mirrored], [alone(clip), alone(mirrored)], [{ ...clip, video: null }]]) {
      const [row] = await predict(params, config, given);
      expect(row!.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    }
    expect(compiled).toBe(0);
    dispose(params);
  } finally {
    device.createComputePipeline = original;
  }
});
