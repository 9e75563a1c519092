// What readings and training steps hold on to: nothing, in tensors or in bytes of the wasm heap.
import { backend, dispose, memory, tensor2d, tensor3d } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { random } from '../base/random.ts';
import type { WasmBackend } from '../ops/wasm/heap-backend.ts';
import { useBackend } from '../testing/backends.ts';
import { sizes } from './config.ts';
import type { HicmaeConfig } from './config.ts';
import { patchLength, tokenCount } from './embed.ts';
import { disposeGradients, lossAndGradients } from './gradients.ts';
import { forwardClassify } from './hicmae.ts';
import { smoothTargets, softTargetCrossEntropy } from './losses.ts';
import { initParams } from './params.ts';
import type { Modality } from './params.ts';
import { predict } from './predict.ts';

const config: HicmaeConfig = { ...sizes.micro, classCount: 3 };
const draw = random(1);

const patches = (modality: Modality, clips: number): Float32Array =>
  Float32Array.from({ length: clips * tokenCount(config, modality) * patchLength(config, modality) }, () =>
    draw.normal(),
  );

/** Tensors, bytes in use and bytes of the memory. */
function state(): number[] {
  const { heap } = backend() as unknown as WasmBackend;
  return [memory().numTensors, heap.usedBytes, heap.memory.buffer.byteLength];
}

describe('on wasm', () => {
  beforeAll(() => useBackend('wasm'));

  it('a reading needs no more after the first', async () => {
    const params = initParams(config, random(2), 'xavier');
    const clip = { video: patches('video', 1), audio: patches('audio', 1) };
    await predict(params, config, [clip]);
    const after = state();
    for (let i = 0; i < 5; i++) await predict(params, config, [clip]);
    expect(state()).toEqual(after);
    dispose(params);
  });

  it('nor does a training step', () => {
    const params = initParams(config, random(2), 'xavier');
    const step = (): void => {
      const batch = (modality: Modality) => ({
        patches: tensor3d(patches(modality, 2), [
          2,
          tokenCount(config, modality),
          patchLength(config, modality),
        ]),
        positions: null,
      });
      const [video, audio] = [batch('video'), batch('audio')];
      const target = tensor2d(smoothTargets([0, 2], 3, 0.1), [2, 3]);
      const training = { training: { dropPath: 0.1, random: random(4) } };
      const result = lossAndGradients(params, () =>
        softTargetCrossEntropy(forwardClassify(params, config, video, audio, training), target),
      );
      expect(Number.isFinite(result.loss.dataSync()[0])).toBe(true);
      disposeGradients(result);
      dispose([video.patches, audio.patches, target]);
    };
    step();
    const after = state();
    for (let i = 0; i < 5; i++) step();
    expect(state()).toEqual(after);
    dispose(params);
  });
});
