// A widened model against the narrower one: the same answers, and new parts that learn.
import { dispose, fill, tensor3d, tidy } from '@tensorflow/tfjs-core';
import type { Rank, Tensor3D } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { patchLength, tokenCount } from '../../model/embed.ts';
import { disposeGradients, lossAndGradients } from '../../model/gradients.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import { softTargetCrossEntropy } from '../../model/losses.ts';
import { elementCount, initialValues, parameterShapes } from '../../model/params.ts';
import type { Modality, Params } from '../../model/params.ts';
import type { TensorMap } from '../../weights/safetensors.ts';
import { startBackend } from '../base/backend.ts';
import { flatOf, slotsOf, tensorsOf } from './flat-params.ts';
import { widened } from './widen.ts';

const narrow: HicmaeConfig = { ...sizes.micro, fusionDepth: 2, classCount: 7 };
const wider = (factor: number): HicmaeConfig => ({
  ...narrow,
  width: factor * narrow.width,
  heads: factor * narrow.heads,
});

beforeAll(async () => {
  await startBackend();
});

/** Weights as after training: norms and biases are not at their beginnings. */
function trained(): TensorMap {
  const draw = random(1);
  return Object.fromEntries(
    parameterShapes(narrow).map(({ name, shape }) => {
      const data = initialValues(name, shape, narrow, draw, 'xavier');
      if (shape.length === 1) for (let i = 0; i < data.length; i++) data[i]! += 0.3 * draw.normal();
      return [name, { shape, data }];
    }),
  );
}

const weights = trained();

function tensorsFor(config: HicmaeConfig): Params {
  const { slots } = slotsOf(parameterShapes(config));
  return tensorsOf(
    flatOf(
      slots,
      config === narrow ? (name) => weights[name]!.data : widened(weights, narrow, config, random(2)),
    ),
    slots,
  );
}

function batch(modality: Modality, seed: number): { patches: Tensor3D; positions: null } {
  const draw = random(seed);
  const shape: [number, number, number] = [3, tokenCount(narrow, modality), patchLength(narrow, modality)];
  return {
    patches: tensor3d(
      Float32Array.from({ length: elementCount(shape) }, () => draw.normal()),
      shape,
    ),
    positions: null,
  };
}

function logits(config: HicmaeConfig, face: boolean, voice: boolean): number[] {
  const params = tensorsFor(config);
  const values = tidy(() => [
    ...forwardClassify(
      params,
      config,
      face ? batch('video', 3) : null,
      voice ? batch('audio', 4) : null,
    ).dataSync(),
  ]);
  dispose(params);
  return values;
}

describe.each([2, 3])('%i times as wide', (factor) => {
  it.each([
    [true, true],
    [true, false],
    [false, true],
  ])('answers as before: face %s, voice %s', (face, voice) => {
    const [before, after] = [logits(narrow, face, voice), logits(wider(factor), face, voice)];
    const size = Math.hypot(...before);
    const difference = Math.hypot(...before.map((value, i) => value - after[i]!));
    // What is left is the position table's: a channel and its copy have different frequencies.
    expect(difference / size).toBeLessThan(0.1);
  });
});

it('lets what nothing reads yet learn from the first step on', () => {
  const config = wider(2);
  const params = tensorsFor(config);
  const video = batch('video', 3);
  const audio = batch('audio', 4);
  const targets = fill<Rank.R2>([3, 7], 1 / 7);
  const found = lossAndGradients(params, () =>
    softTargetCrossEntropy(forwardClassify(params, config, video, audio), targets),
  );
  // New heads' and hidden units' columns come last; a copied channel pair follows its original.
  const matrices = Object.keys(params).filter((name) => /\.(proj|fc2)\.weight$/.test(name));
  const written = matrices.filter((name) => !name.includes('patch_embed'));
  expect(written).toHaveLength(2 * 2 * narrow.encoderDepth + 3 * 2 * narrow.fusionDepth);
  for (const name of [...written, 'head.weight']) {
    const gradient = found.gradients[name]!;
    const [, columns = 0] = gradient.shape;
    const values = gradient.dataSync();
    const isNew = (c: number): boolean => (name === 'head.weight' ? c % 4 >= 2 : c >= columns / 2);
    expect(
      values.some((value, i) => isNew(i % columns) && value !== 0),
      name,
    ).toBe(true);
  }
  disposeGradients(found);
  dispose([params, video.patches, audio.patches, targets]);
});

it('refuses what is not the same model at a multiple of its width', () => {
  const refused = (to: HicmaeConfig) => () => widened(weights, narrow, to, random(1));
  expect(refused({ ...wider(2), encoderDepth: 3 })).toThrow('wanted a multiple of width and heads');
  expect(refused({ ...wider(2), heads: narrow.heads })).toThrow('widened to 128, 4 and 2');
  expect(refused(narrow)).toThrow('cannot be widened');
  expect(refused({ ...wider(2), width: 96 })).toThrow('cannot be widened');
});
