// The model's parameters: official names, layouts and order, and how the official fine-tuning starts them.
import { tensor } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import type { EncoderConfig, HicmaeConfig } from './config.ts';

/** Parameters by their official (state_dict) names. */
export type Params = Readonly<Record<string, Tensor>>;

export type Modality = 'video' | 'audio';

/** A parameter's official name and PyTorch shape. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** How one parameter relates to the optimizer. */
export interface ParameterGroup {
  /** 0: patch embeddings; i + 1: encoder block i; then the fusion layers; last: everything else. */
  readonly layerId: number;
  /** Factor of the learning rate: layerDecay^(last id - layerId). */
  readonly lrScale: number;
  /** Whether weight decay applies: to everything with two or more dimensions. */
  readonly decayed: boolean;
}

/** The parameter of that name; a missing one is our own bug, since the loader checked them all. */
export function parameter(params: Params, name: string): Tensor {
  return defined(params[name], `parameter ${name}`);
}

/** The encoder's prefix in the official names. */
export function encoderPrefix(modality: Modality): 'encoder' | 'encoder_audio' {
  return modality === 'video' ? 'encoder' : 'encoder_audio';
}

/** Every parameter of the fine-tuning model in the official order. */
export function parameterShapes(config: HicmaeConfig): ParameterShape[] {
  const { width, encoderDepth, classCount } = config;
  return [
    { name: 'video_layer_weights', shape: [encoderDepth] },
    { name: 'audio_layer_weights', shape: [encoderDepth] },
    ...encoderShapes(config, 'video'),
    ...encoderShapes(config, 'audio'),
    ...fusionShapes(config),
    ...normShapes('fc_norm', 4 * width),
    ...linearShapes('head', classCount, 4 * width),
  ];
}

/** One modality's encoder. */
export function encoderShapes(config: EncoderConfig, modality: Modality): ParameterShape[] {
  const { width, encoderDepth, video, audio } = config;
  const prefix = encoderPrefix(modality);
  const patch =
    modality === 'video'
      ? [3, video.tubeletFrames, video.patchPx, video.patchPx]
      : [1, audio.patchSize, audio.patchSize];
  return [
    { name: `${prefix}.patch_embed.proj.weight`, shape: [width, ...patch] },
    { name: `${prefix}.patch_embed.proj.bias`, shape: [width] },
    ...repeated(encoderDepth, (i) => blockShapes(`${prefix}.blocks.${String(i)}`, width)),
    ...normShapes(`${prefix}.norm`, width),
  ];
}

/** The fusion of both modalities. */
export function fusionShapes({ width, fusionDepth }: EncoderConfig): ParameterShape[] {
  const blocks = (name: string): ParameterShape[] =>
    repeated(fusionDepth, (i) => crossBlockShapes(`encoder_fusion.${name}.${String(i)}`, width));
  return [
    ...blocks('blocks'),
    ...normShapes('encoder_fusion.norm', width),
    ...blocks('blocks_audio'),
    ...normShapes('encoder_fusion.norm_audio', width),
  ];
}

/** A self-attention block. */
export function blockShapes(name: string, width: number): ParameterShape[] {
  return [
    ...normShapes(`${name}.norm1`, width),
    ...attentionBiases(`${name}.attn`, width),
    { name: `${name}.attn.qkv.weight`, shape: [3 * width, width] },
    ...linearShapes(`${name}.attn.proj`, width, width),
    ...normShapes(`${name}.norm2`, width),
    ...linearShapes(`${name}.mlp.fc1`, 4 * width, width),
    ...linearShapes(`${name}.mlp.fc2`, width, 4 * width),
  ];
}

/** Cross attention, then a self-attention block. */
export function crossBlockShapes(name: string, width: number): ParameterShape[] {
  return [
    ...attentionBiases(`${name}.cross_attn`, width),
    { name: `${name}.cross_attn.q.weight`, shape: [width, width] },
    { name: `${name}.cross_attn.kv.weight`, shape: [2 * width, width] },
    ...linearShapes(`${name}.cross_attn.proj`, width, width),
    ...normShapes(`${name}.cross_norm1`, width),
    ...normShapes(`${name}.cross_norm2`, width),
    ...blockShapes(name, width),
  ];
}

export function normShapes(name: string, size: number): ParameterShape[] {
  return [
    { name: `${name}.weight`, shape: [size] },
    { name: `${name}.bias`, shape: [size] },
  ];
}

export function linearShapes(name: string, outputs: number, inputs: number): ParameterShape[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs] },
    { name: `${name}.bias`, shape: [outputs] },
  ];
}

function attentionBiases(name: string, width: number): ParameterShape[] {
  return [
    { name: `${name}.q_bias`, shape: [width] },
    { name: `${name}.v_bias`, shape: [width] },
  ];
}

function repeated(count: number, shapesOf: (i: number) => readonly ParameterShape[]): ParameterShape[] {
  return Array.from({ length: count }, (_, i) => shapesOf(i)).flat();
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Number of learned scalars. */
export function parameterCount(config: HicmaeConfig): number {
  return parameterShapes(config).reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/**
 * Fresh parameters. The caller disposes of them.
 * @param random decides every drawn value: the same seed gives the same parameters
 * @param encoders how the encoders' linear layers begin: `normal`, deviation 0.02, as the official fine-tuning does (it means
 *   them to be replaced by pre-trained ones); `xavier`, as the official pre-training does, to train from scratch
 */
export function initParams(
  config: HicmaeConfig,
  random: Random,
  encoders: 'normal' | 'xavier' = 'normal',
): Params {
  return Object.fromEntries(
    parameterShapes(config).map(({ name, shape }) => [
      name,
      tensor(initialValues(name, shape, config, random, encoders), [...shape], 'float32'),
    ]),
  );
}

/** How one parameter of encoders, fusion or head begins; see {@link initParams}. */
export function initialValues(
  name: string,
  shape: readonly number[],
  config: EncoderConfig,
  random: Random,
  encoders: 'normal' | 'xavier',
): Float32Array {
  const values = new Float32Array(elementCount(shape));
  const uniform = (bound: number): Float32Array => values.map(() => (2 * random.uniform() - 1) * bound);
  const fanIn = elementCount(shape.slice(1));
  if (name.endsWith('_layer_weights')) return values.fill(1 / config.encoderDepth);
  if (name.includes('norm')) return values.fill(name.endsWith('.weight') ? 1 : 0);
  // PyTorch's default for convolutions and the head: weight and bias uniform within 1/sqrt(fan in of the weight).
  if (name.startsWith('head.')) return uniform((4 * config.width) ** -0.5);
  if (name.includes('patch_embed')) return uniform(patchWidth(config, name) ** -0.5);
  if (shape.length === 1) return values;
  if (encoders === 'xavier' || name.startsWith('encoder_fusion.'))
    return uniform(Math.sqrt(6 / ((shape[0] ?? 0) + fanIn)));
  // The official code truncates at +/-2 absolute: a hundred standard deviations, so in effect not at all.
  return values.map(() => 0.02 * random.normal());
}

function patchWidth({ video, audio }: EncoderConfig, name: string): number {
  return name.startsWith('encoder.') ? 3 * video.tubeletFrames * video.patchPx ** 2 : audio.patchSize ** 2;
}

/**
 * Each parameter's learning rate factor and whether it decays, as the official fine-tuning groups them.
 * @param layerDecay 0.75 in the paper's recipes; 1 gives every parameter the same rate
 */
export function parameterGroups(
  config: HicmaeConfig,
  layerDecay: number,
): ReadonlyMap<string, ParameterGroup> {
  const last = config.encoderDepth + config.fusionDepth + 1;
  return new Map(
    parameterShapes(config).map(({ name, shape }) => {
      const layerId = layerOf(name, config);
      return [name, { layerId, lrScale: layerDecay ** (last - layerId), decayed: shape.length > 1 }];
    }),
  );
}

function layerOf(name: string, { encoderDepth, fusionDepth }: HicmaeConfig): number {
  if (name.includes('patch_embed')) return 0;
  const block = /^(encoder|encoder_audio|encoder_fusion)\.blocks(?:_audio)?\.(\d+)\./.exec(name);
  if (block === null) return encoderDepth + fusionDepth + 1;
  return Number(block[2]) + 1 + (block[1] === 'encoder_fusion' ? encoderDepth : 0);
}
