import { describe, expect, it } from 'vitest';
import { sizes } from '../model/config.ts';
import { parameterShapes } from '../model/params.ts';
import { blockFlops, crossBlockFlops, forwardFlops, trainingFlops, wholeShape } from './flops.ts';

const config = { ...sizes.tiny, classCount: 7 };

/** Two operations for each number of each linear layer's weight, by the parameters' own shapes. */
function linearFlops(prefix: string, rows: number): number {
  return parameterShapes(config)
    .filter(({ name, shape }) => name.startsWith(prefix) && shape.length === 2)
    .reduce((sum, { shape }) => sum + 2 * rows * (shape[0] ?? 0) * (shape[1] ?? 0), 0);
}

describe('flops', () => {
  it('counts a block as its weights and its attention', () => {
    const attention = 4 * 800 * 800 * 256;
    expect(blockFlops(256, 800)).toBe(linearFlops('encoder.blocks.0.', 800) + attention);
  });

  it('counts the context of a cross block once', () => {
    const own = linearFlops('encoder_fusion.blocks.0.', 800);
    const context = linearFlops('encoder_fusion.blocks.0.cross_attn.kv', 1);
    const attention = 4 * 800 * 128 * 256 + 4 * 800 * 800 * 256;
    expect(crossBlockFlops(256, 800, 128)).toBe(own - 800 * context + 128 * context + attention);
  });

  it('grows with the batch, and a backward pass is about twice a forward pass', () => {
    const one = forwardFlops(config, wholeShape(config));
    expect(forwardFlops(config, wholeShape(config, 4))).toBe(4 * one);
    expect(one / 1e9).toBeGreaterThan(25);
    expect(one / 1e9).toBeLessThan(30);
    const share = trainingFlops(config, wholeShape(config)) / one;
    expect(share).toBeLessThan(3);
    expect(share).toBeGreaterThan(2.9);
  });

  it('drops with the tokens that are dropped', () => {
    const whole = wholeShape(config);
    expect(whole).toEqual({ batch: 1, videoTokens: 800, audioTokens: 128 });
    const few = forwardFlops(config, { ...whole, videoTokens: 80 });
    expect(few).toBeLessThan(forwardFlops(config, whole) / 5);
  });
});
