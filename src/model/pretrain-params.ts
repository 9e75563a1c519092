// The pre-training model's parameters: official names, layouts and order, how they begin, and how they are optimized.
import { tensor } from '@tensorflow/tfjs-core';
import type { Random } from '../base/random.ts';
import {
  blockShapes,
  crossBlockShapes,
  elementCount,
  encoderShapes,
  fusionShapes,
  initialValues,
  linearShapes,
  normShapes,
} from './params.ts';
import type { Modality, ParameterGroup, ParameterShape, Params } from './params.ts';
import { patchLength } from './embed.ts';
import type { PretrainConfig } from './pretrain-config.ts';

/** The official names' ending of what each modality has for itself: `decoder`, `decoder_audio`. */
export function modalitySuffix(modality: Modality): '' | '_audio' {
  return modality === 'video' ? '' : '_audio';
}

/** Every parameter of the pre-training model in the official order. */
export function pretrainParameterShapes(config: PretrainConfig): ParameterShape[] {
  const { width, decoderWidth } = config;
  const branch = (modality: Modality): ParameterShape[] => [
    ...encoderShapes(config, modality),
    ...decoderShapes(config, modality),
    { name: `encoder_to_decoder${modalitySuffix(modality)}.weight`, shape: [decoderWidth, width] },
  ];
  return [
    { name: 'mask_token', shape: [1, 1, decoderWidth] },
    { name: 'mask_token_audio', shape: [1, 1, decoderWidth] },
    ...branch('video'),
    ...branch('audio'),
    ...fusionShapes(config),
  ];
}

function decoderShapes(config: PretrainConfig, modality: Modality): ParameterShape[] {
  const { decoderWidth, decoderDepth } = config;
  const prefix = `decoder${modalitySuffix(modality)}`;
  const blocks = Array.from({ length: decoderDepth }, (_, i) =>
    (i === 0 ? blockShapes : crossBlockShapes)(`${prefix}.blocks.${String(i)}`, decoderWidth),
  );
  return [
    ...blocks.flat(),
    ...normShapes(`${prefix}.norm`, decoderWidth),
    ...linearShapes(`${prefix}.head`, patchLength(config, modality), decoderWidth),
  ];
}

/** Number of learned scalars. */
export function pretrainParameterCount(config: PretrainConfig): number {
  return pretrainParameterShapes(config).reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/**
 * Fresh parameters, as the official pre-training begins: linear layers Xavier uniform, biases 0, norms 1 and 0; PyTorch's
 * defaults for patch embeddings and encoder_to_decoder; mask tokens normal, deviation 0.02, cut at one deviation. The
 * caller disposes of them.
 * @param random decides every drawn value: the same seed gives the same parameters
 */
export function initPretrainParams(config: PretrainConfig, random: Random): Params {
  return Object.fromEntries(
    pretrainParameterShapes(config).map(({ name, shape }) => [
      name,
      tensor(initialPretrainValues(name, shape, config, random), [...shape], 'float32'),
    ]),
  );
}

/** How one parameter begins; see {@link initPretrainParams}. */
export function initialPretrainValues(
  name: string,
  shape: readonly number[],
  config: PretrainConfig,
  random: Random,
): Float32Array {
  const values = new Float32Array(elementCount(shape));
  if (name.startsWith('mask_token')) return values.map(() => 0.02 * normalWithinOne(random));
  if (name.startsWith('encoder_to_decoder')) {
    const bound = config.width ** -0.5;
    return values.map(() => (2 * random.uniform() - 1) * bound);
  }
  return initialValues(name, shape, config, random, 'xavier');
}

function normalWithinOne(random: Random): number {
  for (;;) {
    const value = random.normal();
    if (Math.abs(value) <= 1) return value;
  }
}

/**
 * Whether weight decay applies to each parameter, as in the official pre-training: to everything with two or more
 * dimensions but mask_token. (mask_token_audio does decay: the official code excludes the other by its name only.) There
 * is no layer decay.
 */
export function pretrainParameterGroups(config: PretrainConfig): ReadonlyMap<string, ParameterGroup> {
  return new Map(
    pretrainParameterShapes(config).map(({ name, shape }) => [
      name,
      { layerId: 0, lrScale: 1, decayed: shape.length > 1 && name !== 'mask_token' },
    ]),
  );
}
