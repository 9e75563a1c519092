// How much arithmetic the model is, whoever computes it: two operations per multiply and add of every product, attention
// included; norms, softmax, GELU and what a backward pass makes again are not counted.
import type { HicmaeConfig } from '../model/config.ts';
import { patchLength, tokenCount } from '../model/embed.ts';

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

/** Scores and weighted values, all heads together. */
function attentionFlops(queries: number, keys: number, width: number): number {
  return productFlops(queries, width, keys) + productFlops(queries, keys, width);
}

/** One block of an encoder on `tokens` tokens. */
export function blockFlops(width: number, tokens: number): number {
  return (
    productFlops(tokens, width, 3 * width) +
    attentionFlops(tokens, tokens, width) +
    productFlops(tokens, width, width) +
    2 * productFlops(tokens, width, 4 * width)
  );
}

/** One block of the fusion: `tokens` read `context`, then an encoder's block. */
export function crossBlockFlops(width: number, tokens: number, context: number): number {
  return (
    productFlops(tokens, width, width) +
    productFlops(context, width, 2 * width) +
    attentionFlops(tokens, context, width) +
    productFlops(tokens, width, width) +
    blockFlops(width, tokens)
  );
}

function embeddingFlops(config: HicmaeConfig, { batch, videoTokens, audioTokens }: Shape): number {
  return (
    batch *
    (productFlops(videoTokens, patchLength(config, 'video'), config.width) +
      productFlops(audioTokens, patchLength(config, 'audio'), config.width))
  );
}

/** One forward pass. */
export function forwardFlops(config: HicmaeConfig, shape: Shape): number {
  const { width, encoderDepth, fusionDepth, classCount } = config;
  const { batch, videoTokens, audioTokens } = shape;
  const clip =
    encoderDepth * (blockFlops(width, videoTokens) + blockFlops(width, audioTokens)) +
    fusionDepth *
      (crossBlockFlops(width, videoTokens, audioTokens) + crossBlockFlops(width, audioTokens, videoTokens)) +
    productFlops(1, 4 * width, classCount);
  return embeddingFlops(config, shape) + batch * clip;
}

/** Forward and backward: each product has two gradients, but for the patches', which are data. */
export function trainingFlops(config: HicmaeConfig, shape: Shape): number {
  return 3 * forwardFlops(config, shape) - embeddingFlops(config, shape);
}
