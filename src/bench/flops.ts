// How much arithmetic the model is, whoever computes it: two operations per multiply-add of the model's own count; what a
// backward pass makes again is not counted.
import type { HicmaeConfig } from '../model/config.ts';
import { tokenCount } from '../model/embed.ts';
import { blockCost, crossBlockCost, finetuneMultiplyAdds } from '../model/multiply-adds.ts';

/** Clips and the tokens of each that pass through the model. */
export interface Shape {
  readonly batch: number;
  readonly videoTokens: number;
  readonly audioTokens: number;
}

/** All tokens of so many clips. */
export function wholeShape(config: HicmaeConfig, batch = 1): Shape {
  return { batch, videoTokens: tokenCount(config, 'video'), audioTokens: tokenCount(config, 'audio') };
}

/** [m, k] @ [k, n]. */
export function productFlops(m: number, k: number, n: number): number {
  return 2 * m * k * n;
}

/** One block of an encoder on `tokens` tokens. */
export function blockFlops(width: number, tokens: number): number {
  return 2 * blockCost(tokens, width);
}

/** One block of the fusion: `tokens` read `context`, then an encoder's block. */
export function crossBlockFlops(width: number, tokens: number, context: number): number {
  return 2 * crossBlockCost(tokens, context, width);
}

const costs = (config: HicmaeConfig, { videoTokens, audioTokens }: Shape) =>
  finetuneMultiplyAdds(config, 1, { video: videoTokens, audio: audioTokens });

/** One forward pass. */
export function forwardFlops(config: HicmaeConfig, shape: Shape): number {
  return 2 * shape.batch * costs(config, shape).total;
}

/** Forward and backward: each product has two gradients, but for the patches', which are data. */
export function trainingFlops(config: HicmaeConfig, shape: Shape): number {
  const { videoPatches, audioPatches } = costs(config, shape);
  return 3 * forwardFlops(config, shape) - 2 * shape.batch * (videoPatches + audioPatches);
}
