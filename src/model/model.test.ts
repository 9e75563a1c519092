// The model's behavior that no golden fixture shows: absent modalities, dropped tokens, stochastic depth, no leaks.
import { dispose, memory, mul, sub, tensor2d, tensor3d, tidy } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defined } from '../base/assert.ts';
import { random } from '../base/random.ts';
import { useBackend } from '../testing/backends.ts';
import { sizes } from './config.ts';
import type { HicmaeConfig } from './config.ts';
import { audioPatches, embedPatches, patchLength, positionTable, tokenCount, videoPatches } from './embed.ts';
import { disposeGradients, lossAndGradients } from './gradients.ts';
import { forwardClassify } from './hicmae.ts';
import type { PatchBatch } from './hicmae.ts';
import { block } from './layers.ts';
import { mixTargets, smoothTargets, softTargetCrossEntropy, weightedSum } from './losses.ts';
import { initParams, parameter, parameterCount, parameterGroups, parameterShapes } from './params.ts';
import type { Modality, Params } from './params.ts';
import { predict } from './predict.ts';

const config: HicmaeConfig = { ...sizes.micro, encoderDepth: 3, fusionDepth: 2, classCount: 7 };
let params: Params;

beforeAll(async () => {
  await useBackend('wasm');
  params = initParams(config, random(3));
});

afterAll(() => {
  dispose(params);
});

function noise(length: number, seed: number): Float32Array {
  const draw = random(seed);
  return Float32Array.from({ length }, () => draw.normal());
}

function patchValues(modality: Modality, seed: number): Float32Array {
  return noise(tokenCount(config, modality) * patchLength(config, modality), seed);
}

function batch(modality: Modality, seeds: readonly number[]): PatchBatch {
  const values = seeds.flatMap((seed) => [...patchValues(modality, seed)]);
  const shape: [number, number, number] = [
    seeds.length,
    tokenCount(config, modality),
    patchLength(config, modality),
  ];
  return { patches: tensor3d(values, shape), positions: null };
}

async function worstDifference(a: Tensor, b: Tensor): Promise<number> {
  const [x, y] = [await a.data(), await b.data()];
  expect(a.shape).toEqual(b.shape);
  return Math.max(...x.map((value, i) => Math.abs(value - (y[i] ?? NaN))));
}

describe('patches', () => {
  it('are cut in the order of the official convolutions', () => {
    const { frameCount, cropPx } = config.video;
    // Each number says where it came from: frame, row, column, channel.
    const frames = Float32Array.from({ length: frameCount * cropPx * cropPx * 3 }, (_, i) => i);
    const patches = videoPatches(frames, config);
    const [token, c, t, y, x] = [2 * 2 + 1 * 2 + 0, 2, 1, 5, 9]; // second slot, second row, first column
    const index = token * patchLength(config, 'video') + ((c * 2 + t) * 16 + y) * 16 + x;
    expect(patches[index]).toBe(((3 * cropPx + (16 + y)) * cropPx + x) * 3 + c);

    const mel = Float32Array.from({ length: 32 * 32 }, (_, i) => i);
    expect(audioPatches(mel, config)[3 * 256 + 4 * 16 + 7]).toBe((16 + 4) * 32 + 16 + 7);
  });

  it('of another length are our own bug', () => {
    expect(() => videoPatches(new Float32Array(5), config)).toThrow('internal: videoPatches: 5 numbers');
  });

  it('may be dropped: the others keep their own positions', async () => {
    const all = batch('video', [1, 2]);
    const positions = Int32Array.of(6, 1, 0, 5);
    const [tokens, length] = [tokenCount(config, 'video'), patchLength(config, 'video')];
    const values = await all.patches.data();
    const kept = [...positions].flatMap((position, n) => {
      const start = (Math.floor(n / 2) * tokens + position) * length;
      return [...values.slice(start, start + length)];
    });
    const few = tensor3d(kept, [2, 2, length]);
    const whole = tidy(() => embedPatches(params, config, 'video', all.patches, null));
    const part = tidy(() => embedPatches(params, config, 'video', few, positions));
    const [wholeValues, partValues] = [await whole.data(), await part.data()];
    [...positions].forEach((position, n) => {
      for (let d = 0; d < config.width; d++) {
        const wanted = wholeValues[(Math.floor(n / 2) * tokens + position) * config.width + d];
        expect(partValues[n * config.width + d]).toBeCloseTo(wanted ?? NaN, 5);
      }
    });
    expect(() => embedPatches(params, config, 'video', few, null)).toThrow('internal: embedPatches');
    dispose([all.patches, few, whole, part]);
  });

  it('have the sine-cosine positions of their numbers', () => {
    const table = positionTable([3], 4);
    const wanted = [Math.sin(3), Math.cos(3), Math.sin(0.03), Math.cos(0.03)];
    expect([...table]).toEqual(wanted.map(Math.fround));
  });
});

describe('an absent modality', () => {
  it('leaves a model of the other alone, and no gradient for its own encoder', async () => {
    const video = batch('video', [1, 2]);
    const target = tensor2d(smoothTargets([0, 3], 7, 0.1), [2, 7]);
    const result = lossAndGradients(params, () =>
      softTargetCrossEntropy(forwardClassify(params, config, video, null), target),
    );
    const names = Object.keys(result.gradients);
    expect(names).toContain('encoder.patch_embed.proj.weight');
    expect(names).toContain('encoder_fusion.blocks.1.cross_attn.v_bias');
    expect(names).toContain('encoder_fusion.blocks.1.cross_attn.proj.weight');
    expect(
      names.filter((name) => name.startsWith('encoder_audio.') || name.includes('blocks_audio')),
    ).toEqual([]);
    expect(names).not.toContain('encoder_fusion.blocks.0.cross_attn.kv.weight');
    for (const gradient of Object.values(result.gradients)) {
      expect((await gradient.data()).every(Number.isFinite)).toBe(true);
    }
    disposeGradients(result);
    dispose([video.patches, target]);
  });

  it.each(['video', 'audio'] as const)('%s present: other inputs, other outputs', async (modality) => {
    const outputs = [1, 2].map((seed) => {
      const one = batch(modality, [seed]);
      const logits =
        modality === 'video'
          ? forwardClassify(params, config, one, null)
          : forwardClassify(params, config, null, one);
      one.patches.dispose();
      return logits;
    });
    expect(await worstDifference(outputs[0]!, outputs[1]!)).toBeGreaterThan(1e-3);
    dispose(outputs);
  });

  it('of both is our own bug', () => {
    expect(() => forwardClassify(params, config, null, null)).toThrow('internal: a modality is missing');
  });
});

describe('stochastic depth', () => {
  const name = 'encoder.blocks.1';

  it('drops whole clips of a branch and scales the kept', async () => {
    const clips = 64;
    const one = noise(2 * config.width, 5);
    const x = tensor3d(Array.from({ length: clips }, () => [...one]).flat(), [clips, 2, config.width]);
    const rate = 0.4;
    const y = block(params, name, x, config.heads, rate, { training: { dropPath: 0.5, random: random(9) } });
    const [values, before] = [await y.data(), await x.data()];
    const distinct = new Set(
      Array.from({ length: clips }, (_, b) => {
        const start = b * 2 * config.width;
        return [0, 17, 100]
          .map((i) => ((values[start + i] ?? NaN) - (before[start + i] ?? NaN)).toFixed(4))
          .join();
      }),
    );
    // Each of the two branches is kept or dropped: four outcomes, one of which changes nothing.
    expect(distinct.size).toBe(4);
    expect(distinct).toContain('0.0000,0.0000,0.0000');
    dispose([x, y]);
  });

  it('is repeatable from its seed and absent without training', async () => {
    const video = batch('video', [1, 2, 3]);
    const run = (seed: number | null): Tensor =>
      forwardClassify(
        params,
        config,
        video,
        null,
        seed === null ? {} : { training: { dropPath: 0.5, random: random(seed) } },
      );
    const [a, b, other, plain, again] = [run(1), run(1), run(2), run(null), run(null)];
    expect(await worstDifference(a, b)).toBe(0);
    expect(await worstDifference(a, other)).toBeGreaterThan(1e-5);
    expect(await worstDifference(plain, again)).toBe(0);
    dispose([video.patches, a, b, other, plain, again]);
  });
});

describe('predict', () => {
  const clip = { video: patchValues('video', 1), audio: patchValues('audio', 2) };

  it('gives probabilities and leaves no tensor behind', async () => {
    const before = memory().numTensors;
    for (const clips of [[clip], [clip, clip], [{ ...clip, audio: null }], [{ ...clip, video: null }]]) {
      const probabilities = await predict(params, config, clips);
      expect(probabilities).toHaveLength(clips.length);
      for (const row of probabilities) {
        expect(row).toHaveLength(7);
        expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
      }
    }
    expect(await predict(params, config, [])).toEqual([]);
    expect(memory().numTensors).toBe(before);
  });

  it('encodes once what views of one clip share, and answers as if apart', async () => {
    const other = { ...clip, video: patchValues('video', 3) };
    const apart = await predict(params, config, [clip, { ...other, audio: other.audio.slice() }]);
    const together = await predict(params, config, [clip, other]);
    together.forEach((row, i) => {
      row.forEach((p, c) => {
        expect(p).toBeCloseTo(apart[i]![c]!, 6);
      });
    });
    let encoded = 0;
    const trace = (name: string): void => void (encoded += name === 'audio_feature' ? 1 : 0);
    const [video, audio] = [batch('video', [2, 3]), batch('audio', [1])];
    tidy(() => forwardClassify(params, config, video, audio, { trace }));
    expect(encoded).toBe(1);
    dispose([video.patches, audio.patches]);
  });

  it('refuses clips with different modalities in one batch', async () => {
    await expect(predict(params, config, [clip, { ...clip, audio: null }])).rejects.toThrow(
      'internal: predict: audio in 1 of 2',
    );
    await expect(predict(params, config, [{ video: null, audio: null }])).rejects.toThrow('internal:');
  });
});

describe('a training step', () => {
  it('leaves no tensor behind and lowers the loss along the gradient', async () => {
    const before = memory().numTensors;
    const inputs = { video: batch('video', [1, 2]), audio: batch('audio', [3, 4]) };
    const target = tensor2d(smoothTargets([0, 3], 7, 0.1), [2, 7]);
    const lossOf = (current: Params) =>
      softTargetCrossEntropy(forwardClassify(current, config, inputs.video, inputs.audio), target);
    const result = lossAndGradients(params, () => lossOf(params));
    const moved: Record<string, Tensor> = {};
    for (const [name, value] of Object.entries(params)) {
      moved[name] = tidy(() => sub(value, mul(defined(result.gradients[name], name), 0.01)));
    }
    const after = tidy(() => lossOf(moved));
    expect((await after.data())[0]).toBeLessThan((await result.loss.data())[0] ?? NaN);
    dispose([moved, after]);
    disposeGradients(result);
    dispose([inputs.video.patches, inputs.audio.patches, target]);
    expect(memory().numTensors).toBe(before);
  });
});

describe('parameters', () => {
  it('start as the official fine-tuning does', async () => {
    const big: HicmaeConfig = { ...sizes.tiny, encoderDepth: 1, fusionDepth: 1, classCount: 6 };
    const fresh = initParams(big, random(1));
    const statistics = async (name: string): Promise<{ std: number; absmax: number }> => {
      const values = Float32Array.from(await parameter(fresh, name).data());
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
      return { std, absmax: values.reduce((a, b) => Math.max(a, Math.abs(b)), 0) };
    };
    expect((await statistics('encoder.blocks.0.mlp.fc1.weight')).std).toBeCloseTo(0.02, 3);
    const xavier = Math.sqrt(6 / (4 * 256)); // the fused matrix as one: 3D outputs, D inputs
    const fused = await statistics('encoder_fusion.blocks.0.attn.qkv.weight');
    expect(fused.absmax).toBeLessThanOrEqual(xavier);
    expect(fused.std).toBeCloseTo(xavier / Math.sqrt(3), 3);
    expect((await statistics('encoder.patch_embed.proj.weight')).absmax).toBeCloseTo(1536 ** -0.5, 4);
    expect((await statistics('encoder_audio.patch_embed.proj.bias')).absmax).toBeLessThanOrEqual(1 / 16);
    expect((await statistics('head.bias')).absmax).toBeLessThanOrEqual(1024 ** -0.5);
    expect((await statistics('head.bias')).absmax).toBeGreaterThan(0);
    expect(await statistics('encoder.blocks.0.attn.q_bias')).toEqual({ std: 0, absmax: 0 });
    expect(await statistics('encoder_fusion.norm.weight')).toEqual({ std: 0, absmax: 1 });
    expect(await statistics('video_layer_weights')).toEqual({ std: 0, absmax: 1 });
    dispose(fresh);
  });

  it('have a group each, and a count', () => {
    const groups = parameterGroups(config, 0.5);
    expect(groups.size).toBe(parameterShapes(config).length);
    expect(groups.get('encoder_audio.blocks.2.attn.qkv.weight')).toEqual({
      layerId: 3,
      lrScale: 0.125,
      decayed: true,
    });
    expect(groups.get('head.bias')).toEqual({ layerId: 6, lrScale: 1, decayed: false });
    expect(parameterCount({ ...sizes.base, classCount: 6 })).toBe(80_792_602);
  });
});

describe('losses', () => {
  it('leave excluded classes out, value and gradient', async () => {
    const logits = tensor2d([
      [1, 2, 9],
      [0.5, -1, 2],
    ]);
    const kept = [true, true, false];
    const targets = tensor2d([...smoothTargets([0], 3, 0.1, kept), ...smoothTargets([2], 3, 0.1)], [2, 3]);
    const excluded = tensor2d([
      [0, 0, 1],
      [0, 0, 0],
    ]);
    const result = lossAndGradients({ logits }, () => softTargetCrossEntropy(logits, targets, excluded));
    const row = (values: readonly number[], wanted: readonly number[]): number => {
      const norm = Math.log(values.reduce((sum, x) => sum + Math.exp(x), 0));
      return values.reduce((sum, x, i) => sum - (wanted[i] ?? NaN) * (x - norm), 0);
    };
    const [loss] = await result.loss.data();
    expect(loss).toBeCloseTo(
      (row([1, 2], [0.95, 0.05]) + row([0.5, -1, 2], [0.1 / 3, 0.1 / 3, 0.9 + 0.1 / 3])) / 2,
      5,
    );
    const gradient = await result.gradients['logits']!.data();
    expect(gradient[2]).toBe(0);
    expect(gradient[0]! + gradient[1]!).toBeCloseTo(0, 6);
    disposeGradients(result);
    dispose([logits, targets, excluded]);
  });

  it('add up with weights', async () => {
    const logits = tensor2d([[1, 2]]);
    const targets = tensor2d([[0, 1]]);
    const once = lossAndGradients({ logits }, () => softTargetCrossEntropy(logits, targets));
    const twice = lossAndGradients({ logits }, () =>
      weightedSum([
        { loss: softTargetCrossEntropy(logits, targets), weight: 0.5 },
        { loss: softTargetCrossEntropy(logits, targets), weight: 2 },
      ]),
    );
    expect((await twice.loss.data())[0]).toBeCloseTo(2.5 * ((await once.loss.data())[0] ?? NaN), 5);
    const [a, b] = [await once.gradients['logits']!.data(), await twice.gradients['logits']!.data()];
    expect(b[0]).toBeCloseTo(2.5 * (a[0] ?? NaN), 5);
    disposeGradients(once);
    disposeGradients(twice);
    dispose([logits, targets]);
  });

  it('mix targets as the official mixup', () => {
    const smoothed = smoothTargets([1, 0], 2, 0);
    expect([...mixTargets(smoothed, 2, [1, 0], 0.75)]).toEqual([0.25, 0.75, 0.75, 0.25]);
    expect(() => smoothTargets([2], 3, 0.1, [true, true, false])).toThrow('internal: smoothTargets');
  });
});
