// The pre-training model's behavior that no golden fixture shows: one modality, ablations, masks, how it begins, no leaks.
import { dispose, memory, mul, sub, tidy } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { random } from '../base/random.ts';
import { constantCount } from '../ops/constant.ts';
import { useBackend } from '../testing/backends.ts';
import { sizes } from './config.ts';
import { audioPatches, patchLength, tokenCount, videoPatches } from './embed.ts';
import { disposeGradients, lossAndGradients } from './gradients.ts';
import type { Gradients } from './gradients.ts';
import { drawMask, maskCounts, maskOf } from './masking.ts';
import { finetuneMultiplyAdds, pretrainMultiplyAdds } from './multiply-adds.ts';
import { parameter, parameterShapes } from './params.ts';
import type { Modality, Params } from './params.ts';
import { pretrainSizes } from './pretrain-config.ts';
import { initPretrainParams, pretrainParameterGroups, pretrainParameterShapes } from './pretrain-params.ts';
import { audioTargets, reconstructAudio, reconstructVideo, videoTargets } from './pretrain-targets.ts';
import { forwardPretrain, pretrainInput, pretrainLosses } from './pretrain.ts';
import type { PretrainBatch, PretrainInput, PretrainLosses, PretrainOptions } from './pretrain.ts';
import { planLoading } from './pretrained.ts';

const config = pretrainSizes.micro;

beforeAll(() => useBackend('wasm'));

function noise(length: number, seed: number): Float32Array {
  const draw = random(seed);
  return Float32Array.from({ length }, () => draw.normal());
}

const frames = (seed: number): Float32Array =>
  noise(config.video.frameCount * config.video.cropPx ** 2 * 3, seed);
const mel = (seed: number): Float32Array => noise(config.audio.frameCount * config.audio.melBins, seed);

function input(modality: Modality, seeds: readonly number[]): PretrainInput {
  const draw = random(seeds[0] ?? 0);
  const clips = seeds.map((seed) =>
    modality === 'video'
      ? {
          patches: videoPatches(frames(seed), config),
          targets: videoTargets(frames(seed), config, 'gray-standardized'),
        }
      : { patches: audioPatches(mel(seed), config), targets: audioTargets(mel(seed), config) },
  );
  return pretrainInput(
    config,
    modality,
    clips,
    seeds.map(() => drawMask(config, modality, draw, 0.75)),
  );
}

function disposeInputs({ video, audio }: PretrainBatch): void {
  for (const one of [video, audio]) dispose([one?.patches, one?.targets].filter((tensor) => !!tensor));
}

interface Step extends Gradients {
  readonly parts: PretrainLosses['parts'];
}

function step(params: Params, batch: PretrainBatch, options: PretrainOptions = {}): Step {
  const kept: PretrainLosses['parts'][] = [];
  const result = lossAndGradients(params, () => {
    const { loss, parts } = pretrainLosses(params, config, batch, options);
    kept.push(parts);
    return loss;
  });
  return { ...result, parts: kept[0]! };
}

function disposeStep(result: Step): void {
  disposeGradients(result);
  dispose(Object.values(result.parts).filter((part) => part !== null));
}

const valueOf = (tensor: Tensor | null): number => tensor?.dataSync()[0] ?? NaN;

describe('a pre-training step', () => {
  it('leaves no tensor behind and lowers the loss along the gradient', () => {
    const own = (): number => memory().numTensors - constantCount();
    const before = own();
    const params = initPretrainParams(config, random(1));
    const batch = { video: input('video', [1, 2]), audio: input('audio', [3, 4]) };
    const result = step(params, batch);
    expect(Object.keys(result.gradients)).toHaveLength(pretrainParameterShapes(config).length);
    const [video, audio, contrastive] = [
      valueOf(result.parts.video),
      valueOf(result.parts.audio),
      valueOf(result.parts.contrastive),
    ];
    expect(valueOf(result.loss)).toBeCloseTo(video + audio + 0.0025 * contrastive, 5);
    const moved: Record<string, Tensor> = {};
    for (const [name, value] of Object.entries(params))
      moved[name] = tidy(() => sub(value, mul(result.gradients[name]!, 0.01)));
    const after = pretrainLosses(moved, config, batch);
    expect(valueOf(after.loss)).toBeLessThan(valueOf(result.loss));
    disposeStep(result);
    dispose([params, moved, after.loss, ...Object.values(after.parts).filter((part) => part !== null)]);
    disposeInputs(batch);
    expect(own()).toBe(before);
  });

  it.each(['video', 'audio'] as const)('of %s alone trains its own encoder and decoder', (modality) => {
    const params = initPretrainParams(config, random(1));
    const both = { video: input('video', [1, 2]), audio: input('audio', [3, 4]) };
    const batch = { video: null, audio: null, [modality]: both[modality] };
    const result = step(params, batch);
    const suffix = modality === 'video' ? '' : '_audio';
    const own = pretrainParameterShapes(config)
      .map(({ name }) => name)
      .filter((name) =>
        ['mask_token', 'encoder', 'decoder', 'encoder_to_decoder'].some(
          (part) => name.split('.')[0] === `${part}${suffix}`,
        ),
      );
    expect(Object.keys(result.gradients).sort()).toEqual(own.sort());
    expect(valueOf(result.loss)).toBe(valueOf(result.parts[modality]));
    expect(result.parts.contrastive).toBeNull();
    disposeStep(result);
    disposeInputs(both);
    dispose(params);
  });

  it('goes without skips and without contrast', () => {
    const params = initPretrainParams(config, random(1));
    const batch = { video: input('video', [1, 2]), audio: input('audio', [3, 4]) };
    const plain = step(params, batch);
    const noSkips = step(params, batch, { skips: false });
    expect(valueOf(noSkips.parts.video)).not.toBe(valueOf(plain.parts.video));
    const unused = Object.keys(plain.gradients).filter((name) => !(name in noSkips.gradients));
    expect(unused.length).toBeGreaterThan(0);
    expect(unused.every((name) => /^decoder(_audio)?\.blocks\.[123]\.cross_/.test(name))).toBe(true);
    const noContrast = step(params, batch, { contrastiveWeight: 0 });
    expect(noContrast.parts.contrastive).toBeNull();
    expect(valueOf(noContrast.loss)).toBeCloseTo(valueOf(plain.parts.video) + valueOf(plain.parts.audio), 6);
    for (const result of [plain, noSkips, noContrast]) disposeStep(result);
    disposeInputs(batch);
    dispose(params);
  });

  it('predicts without targets', () => {
    const params = initPretrainParams(config, random(1));
    const mask = drawMask(config, 'audio', random(5), 0.75);
    const audio = pretrainInput(
      config,
      'audio',
      [{ patches: audioPatches(mel(1), config), targets: null }],
      [mask],
    );
    const outputs = forwardPretrain(params, config, { video: null, audio });
    expect(outputs.audio?.shape).toEqual([1, mask.masked.length, 256]);
    expect([outputs.video, outputs.logits]).toEqual([null, []]);
    const pictures = reconstructAudio(mel(1), mask.masked, outputs.audio!.dataSync<'float32'>(), config);
    expect(pictures.every(Number.isFinite)).toBe(true);
    expect(() => pretrainLosses(params, config, { video: null, audio })).toThrow('targets is missing');
    expect(() => forwardPretrain(params, config, { video: null, audio: null })).toThrow('internal:');
    dispose([params, outputs.audio!, audio.patches]);
  });
});

describe('masks', () => {
  it('hide the same places of every temporal slot, and others the next time', () => {
    const { tiny } = pretrainSizes;
    const draw = random(3);
    const masks = Array.from({ length: 50 }, () => drawMask(tiny, 'video', draw));
    const often = new Float64Array(100);
    for (const { visible, masked } of masks) {
      expect([visible.length, masked.length]).toEqual([80, 720]);
      expect([...visible, ...masked].sort((a, b) => a - b)).toEqual(Array.from({ length: 800 }, (_, i) => i));
      expect([...visible]).toEqual([...visible].sort((a, b) => a - b));
      const places = [...visible.subarray(0, 10)];
      expect([...visible]).toEqual(
        Array.from({ length: 8 }, (_, slot) => places.map((place) => slot * 100 + place)).flat(),
      );
      for (const place of places) often[place]!++;
    }
    // 500 draws of 100 places: each is expected 5 times.
    expect(Math.max(...often)).toBeLessThan(20);
    expect(often.filter((count) => count === 0).length).toBeLessThan(10);
  });

  it('have the official counts, and are refused where nothing would be hidden or left', () => {
    const { tiny, nano } = pretrainSizes;
    expect(maskCounts(tiny, 'audio', 0.8)).toEqual({ visible: 26, masked: 102 });
    expect(maskCounts(nano, 'video', 0.9)).toEqual({ visible: 8, masked: 64 });
    expect(() => drawMask(config, 'video', random(1), 0.1)).toThrow('hides 0 of 4 places');
    expect(() => drawMask(config, 'audio', random(1), 1)).toThrow('hides 8 of 8 places');
    expect(() => maskOf(config, 'audio', [1, 1])).toThrow('wanted different ones of 8');
  });
});

describe('targets', () => {
  it.each(['rgb', 'gray', 'gray-standardized'] as const)('of %s frames put back give the frames', (color) => {
    const original = frames(7);
    const all = Int32Array.from({ length: tokenCount(config, 'video') }, (_, i) => i);
    const rows = videoTargets(original, config, color);
    const back = reconstructVideo(original, all, rows, config, color);
    const plain = reconstructVideo(original, new Int32Array(0), new Float32Array(0), config, color);
    if (color === 'gray-standardized') expect(plain).toEqual(original);
    else expect(plain[5]).toBeCloseTo(original[5]! * 0.225 + 0.406, 5);
    expect(Math.max(...back.map((value, i) => Math.abs(value - plain[i]!)))).toBeLessThan(1e-5);
    const empty = reconstructVideo(original, all.subarray(0, 1), null, config, color);
    // The first patch is its mean, by channel; the pixel right of it is as it was.
    expect(empty[3]).toBeCloseTo(empty[0]!, 6);
    expect(empty[16 * 3]).toBe(plain[16 * 3]);
  });

  it('of a spectrogram put back give it', () => {
    const original = mel(8);
    const some = Int32Array.of(1, 6);
    const rows = audioTargets(original, config);
    const chosen = Float32Array.from([...rows.subarray(256, 512), ...rows.subarray(6 * 256, 7 * 256)]);
    const back = reconstructAudio(original, some, chosen, config);
    expect(Math.max(...back.map((value, i) => Math.abs(value - original[i]!)))).toBeLessThan(1e-5);
    expect(reconstructAudio(original, some, null, config)[16]).not.toBe(original[16]);
    expect(() => reconstructAudio(original, some, rows, config)).toThrow('internal: reconstruct');
  });

  it('of a flat patch are zero, and the second frames are differences', () => {
    const flat = videoTargets(frames(1).fill(0.25), config, 'rgb');
    expect(flat.every((value) => Math.abs(value) < 1e-3)).toBe(true);
    const whole = videoTargets(frames(9), config, 'rgb', false);
    const differences = videoTargets(frames(9), config, 'rgb');
    expect(differences[5]).toBe(whole[5]);
    expect(differences[768 + 5]).toBeCloseTo(whole[768 + 5]! - whole[5]!, 5);
  });
});

describe('parameters', () => {
  it('start as the official pre-training does', () => {
    const big = { ...pretrainSizes.tiny, encoderDepth: 1, fusionDepth: 1, decoderDepth: 2, levels: [0] };
    const fresh = initPretrainParams(big, random(1));
    const statistics = (name: string): { std: number; absmax: number } => {
      const values = parameter(fresh, name).dataSync<'float32'>();
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
      return { std, absmax: values.reduce((a, b) => Math.max(a, Math.abs(b)), 0) };
    };
    const xavier = (name: string, outputs: number, inputs: number): void => {
      const bound = Math.sqrt(6 / (outputs + inputs));
      const { std, absmax } = statistics(name);
      expect(absmax, name).toBeLessThanOrEqual(Math.fround(bound));
      expect(std / (bound / Math.sqrt(3)), name).toBeCloseTo(1, 1);
    };
    xavier('encoder.blocks.0.attn.qkv.weight', 768, 256);
    xavier('encoder_fusion.blocks_audio.0.cross_attn.kv.weight', 512, 256);
    xavier('decoder.blocks.1.mlp.fc1.weight', 512, 128);
    xavier('decoder_audio.head.weight', 256, 128);
    expect(statistics('decoder.head.bias')).toEqual({ std: 0, absmax: 0 });
    expect(statistics('decoder.norm.weight')).toEqual({ std: 0, absmax: 1 });
    expect(statistics('encoder_to_decoder.weight').absmax).toBeCloseTo(1 / 16, 3);
    for (const name of ['mask_token', 'mask_token_audio']) {
      const { std, absmax } = statistics(name);
      expect(absmax).toBeLessThanOrEqual(Math.fround(0.02));
      // A normal cut at one deviation has 0.54 of its deviation.
      expect(std / 0.02).toBeGreaterThan(0.44);
      expect(std / 0.02).toBeLessThan(0.64);
    }
    dispose(fresh);
  });

  it('decay as in the official code, quirk included', () => {
    const groups = pretrainParameterGroups(config);
    expect(groups.get('mask_token')).toEqual({ layerId: 0, lrScale: 1, decayed: false });
    expect(groups.get('mask_token_audio')?.decayed).toBe(true);
    expect(groups.get('encoder_to_decoder.weight')?.decayed).toBe(true);
    expect(groups.get('decoder.blocks.1.cross_attn.v_bias')?.decayed).toBe(false);
  });

  it('of every size fill its fine-tuning model', () => {
    for (const name of ['nano', 'tiny', 'small', 'base'] as const) {
      const model = parameterShapes({ ...sizes[name], classCount: 7 });
      const plan = planLoading(model, pretrainParameterShapes(pretrainSizes[name]));
      expect(plan.initial).toEqual([
        'video_layer_weights',
        'audio_layer_weights',
        'fc_norm.weight',
        'fc_norm.bias',
        'head.weight',
        'head.bias',
      ]);
      expect(plan.loaded.length + plan.initial.length).toBe(model.length);
    }
  });

  it('leave a head for other classes, and are refused at another size', () => {
    const model = parameterShapes({ ...sizes.nano, classCount: 7 });
    const other = planLoading(model, parameterShapes({ ...sizes.nano, classCount: 6 }));
    expect([other.initial, other.ignored]).toEqual([
      ['head.weight', 'head.bias'],
      ['head.weight', 'head.bias'],
    ]);
    expect(planLoading(model, model).initial).toEqual([]);
    expect(() => planLoading(model, pretrainParameterShapes(pretrainSizes.tiny))).toThrow(
      "the checkpoint's encoder.patch_embed.proj.weight is [256,3,2,16,16], the model's [128,3,2,8,8]",
    );
    expect(() => planLoading(model, [{ name: 'conv1.weight', shape: [1] }])).toThrow('none of the');
  });
});

describe('multiply-adds', () => {
  it('count only what passes through', () => {
    const { base } = pretrainSizes;
    const visible = { video: 80, audio: 26 };
    const own = pretrainMultiplyAdds(base, visible);
    const official = pretrainMultiplyAdds(base, visible, { video: 800, audio: 128 });
    expect(own.patches / official.patches).toBeCloseTo(0.1, 2);
    expect(own.total - own.patches).toBe(official.total - official.patches);
    const finetune = { ...sizes.base, classCount: 6 };
    expect(finetuneMultiplyAdds(finetune, 1, visible).videoPatches).toBe(
      80 * patchLength(base, 'video') * 512,
    );
    // A second view of the face leaves the voice's cost as it is.
    const [once, twice] = [finetuneMultiplyAdds(finetune), finetuneMultiplyAdds(finetune, 2)];
    expect(twice.audioEncoder).toBe(once.audioEncoder);
    expect(twice.total - once.total).toBe(once.total - once.audioPatches - once.audioEncoder);
  });
});
