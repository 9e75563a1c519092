// Recomputation changes memory and time, not numbers.
import { dispose, memory, tensor2d, tensor3d } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { backend } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { random } from '../base/random.ts';
import { sizes } from '../model/config.ts';
import type { HicmaeConfig } from '../model/config.ts';
import { patchLength, tokenCount } from '../model/embed.ts';
import { disposeGradients, lossAndGradients } from '../model/gradients.ts';
import { forwardClassify } from '../model/hicmae.ts';
import type { PatchBatch } from '../model/hicmae.ts';
import { meanSquaredError, smoothTargets, softTargetCrossEntropy } from '../model/losses.ts';
import { initParams } from '../model/params.ts';
import type { Modality, Params } from '../model/params.ts';
import { useBackend } from '../testing/backends.ts';
import { gelu } from './gelu.ts';
import { recomputed } from './recompute.ts';
import type { WasmBackend } from './wasm/heap-backend.ts';

const config: HicmaeConfig = { ...sizes.micro, encoderDepth: 8, fusionDepth: 2, classCount: 5 };
const clips = 48;

function inputs(): Readonly<Record<Modality, PatchBatch>> {
  const draw = random(5);
  const of = (modality: Modality): PatchBatch => {
    const shape = [clips, tokenCount(config, modality), patchLength(config, modality)] as const;
    const values = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => draw.normal());
    return { patches: tensor3d(values, [...shape]), positions: null };
  };
  return { video: of('video'), audio: of('audio') };
}

interface Outcome {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Float32Array>>;
  readonly peakBytes: number;
}

/** A training step in a heap of its own. */
async function trained(recompute: boolean, present: readonly Modality[], only = /./): Promise<Outcome> {
  await useBackend('wasm');
  const { heap } = backend() as unknown as WasmBackend;
  const params = initParams(config, random(2), 'xavier');
  const { video, audio } = inputs();
  const target = tensor2d(smoothTargets(Array<number>(clips).fill(3), 5, 0.1), [clips, 5]);
  const before = memory().numTensors;
  const trainedParams: Params = Object.fromEntries(
    Object.entries(params).filter(([name]) => only.test(name)),
  );
  const result = lossAndGradients(trainedParams, () =>
    softTargetCrossEntropy(
      forwardClassify(
        params,
        config,
        present.includes('video') ? video : null,
        present.includes('audio') ? audio : null,
        { recompute, training: { dropPath: 0.3, random: random(7) } },
      ),
      target,
    ),
  );
  const gradients = Object.fromEntries(
    Object.entries(result.gradients).map(([name, gradient]) => [name, gradient.dataSync<'float32'>()]),
  );
  const loss = result.loss.dataSync()[0] ?? NaN;
  disposeGradients(result);
  // Constants (zeros of the key biases, position tables) stay, as many with as without.
  const left = memory().numTensors - before;
  expect(left).toBeLessThan(6);
  dispose([params, video.patches, audio.patches, target]);
  return { loss, gradients, peakBytes: heap.memory.buffer.byteLength };
}

function compare(plain: Outcome, again: Outcome): void {
  expect(again.loss).toBeCloseTo(plain.loss, 6);
  expect(Object.keys(again.gradients)).toEqual(Object.keys(plain.gradients));
  for (const [name, wanted] of Object.entries(plain.gradients)) {
    const actual = again.gradients[name]!;
    const size = Math.max(1e-3, ...wanted.map(Math.abs));
    const worst = Math.max(...wanted.map((value, i) => Math.abs(value - actual[i]!)));
    expect(worst / size, name).toBeLessThan(1e-5);
  }
}

describe('recomputation', () => {
  it('gives the same gradients, drop path included, in less memory', async () => {
    const plain = await trained(false, ['video', 'audio']);
    const again = await trained(true, ['video', 'audio']);
    compare(plain, again);
    expect(again.peakBytes).toBeLessThan(0.6 * plain.peakBytes);
  });

  it('knows absent modalities and frozen parameters', async () => {
    compare(await trained(false, ['audio']), await trained(true, ['audio']));
    const only = /^(head|encoder_fusion|encoder\.blocks\.7)\./;
    const [plain, again] = [
      await trained(false, ['video', 'audio'], only),
      await trained(true, ['video', 'audio'], only),
    ];
    compare(plain, again);
    expect(Object.keys(again.gradients)).not.toContain('encoder.blocks.6.norm1.weight');
  });

  it.each(['cpu', 'wasm'] as const)('runs again only for gradients, on %s', async (name) => {
    await useBackend(name);
    const x = tensor2d([[1, -2, 3]]);
    const target = tensor2d([[0, 0, 0]]);
    let runs = 0;
    const twice = (values: readonly Tensor[]): Tensor2D => {
      runs++;
      return gelu(gelu(values[0] as Tensor2D));
    };
    const before = memory().numTensors;
    dispose(recomputed([x], twice));
    expect(runs).toBe(1);
    const lossOf = (y: Tensor2D): Scalar => meanSquaredError(y, target);
    const plain = lossAndGradients({ x }, () => lossOf(gelu(gelu(x))));
    const again = lossAndGradients({ x }, () => lossOf(recomputed([x], twice)));
    expect(runs).toBe(3);
    expect([...again.gradients['x']!.dataSync()]).toEqual([...plain.gradients['x']!.dataSync()]);
    disposeGradients(plain);
    disposeGradients(again);
    expect(memory().numTensors).toBe(before);
    dispose([x, target]);
  });
});
