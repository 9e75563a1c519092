// The model's parameters: official names, layouts and order, and how the official fine-tuning starts them.
import { tensor } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import type { Random } from '../base/random.ts';
import type { HicmaeConfig } from './config.ts';

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
  const { width, encoderDepth, fusionDepth, classCount, video, audio } = config;
  const shapes: ParameterShape[] = [];
  const put = (name: string, ...shape: number[]): void => void shapes.push({ name, shape });
  const norm = (name: string, size = width): void => {
    put(`${name}.weight`, size);
    put(`${name}.bias`, size);
  };
  const linear = (name: string, outputs: number, inputs: number): void => {
    put(`${name}.weight`, outputs, inputs);
    put(`${name}.bias`, outputs);
  };
  const attentionBiases = (name: string): void => {
    put(`${name}.q_bias`, width);
    put(`${name}.v_bias`, width);
  };
  const block = (name: string): void => {
    norm(`${name}.norm1`);
    attentionBiases(`${name}.attn`);
    put(`${name}.attn.qkv.weight`, 3 * width, width);
    linear(`${name}.attn.proj`, width, width);
    norm(`${name}.norm2`);
    linear(`${name}.mlp.fc1`, 4 * width, width);
    linear(`${name}.mlp.fc2`, width, 4 * width);
  };
  const crossBlock = (name: string): void => {
    attentionBiases(`${name}.cross_attn`);
    put(`${name}.cross_attn.q.weight`, width, width);
    put(`${name}.cross_attn.kv.weight`, 2 * width, width);
    linear(`${name}.cross_attn.proj`, width, width);
    norm(`${name}.cross_norm1`);
    norm(`${name}.cross_norm2`);
    block(name);
  };

  put('video_layer_weights', encoderDepth);
  put('audio_layer_weights', encoderDepth);
  for (const modality of ['video', 'audio'] as const) {
    const prefix = encoderPrefix(modality);
    const patch =
      modality === 'video'
        ? [3, video.tubeletFrames, video.patchPx, video.patchPx]
        : [1, audio.patchSize, audio.patchSize];
    put(`${prefix}.patch_embed.proj.weight`, width, ...patch);
    put(`${prefix}.patch_embed.proj.bias`, width);
    for (let i = 0; i < encoderDepth; i++) block(`${prefix}.blocks.${String(i)}`);
    norm(`${prefix}.norm`);
  }
  for (let i = 0; i < fusionDepth; i++) crossBlock(`encoder_fusion.blocks.${String(i)}`);
  norm('encoder_fusion.norm');
  for (let i = 0; i < fusionDepth; i++) crossBlock(`encoder_fusion.blocks_audio.${String(i)}`);
  norm('encoder_fusion.norm_audio');
  norm('fc_norm', 4 * width);
  linear('head', classCount, 4 * width);
  return shapes;
}

const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

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

function initialValues(
  name: string,
  shape: readonly number[],
  config: HicmaeConfig,
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

function patchWidth({ video, audio }: HicmaeConfig, name: string): number {
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
