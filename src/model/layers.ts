// The two kinds of transformer block, by their official parameter names.
import { tensor3d, tidy } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import type { Random } from '../base/random.ts';
import { crossAttention, selfAttention } from '../ops/attention.ts';
import { biasWithoutKeys, residual } from '../ops/combine.ts';
import { layerNorm } from '../ops/layer-norm.ts';
import { linear } from '../ops/linear.ts';
import type { LinearOptions } from '../ops/linear.ts';
import { parameter } from './params.ts';
import type { Params } from './params.ts';

/** What a forward pass may do beside computing. */
export interface ForwardOptions {
  /** Given in training only. */
  readonly training?: {
    /** Stochastic depth of the deepest block; 0.1 in the official fine-tuning. */
    readonly dropPath: number;
    readonly random: Random;
  };
  /** Called with every stage of the golden fixtures by its name there; it must not keep or dispose of the tensor. */
  readonly trace?: (name: string, tensor: Tensor) => void;
}

/** Stochastic depth's rate of layer i of `depth`: from 0 to the deepest layer's rate in equal steps. */
export function dropPathRate(options: ForwardOptions, layer: number, depth: number): number {
  return depth > 1 ? ((options.training?.dropPath ?? 0) * layer) / (depth - 1) : 0;
}

/** One residual branch's factor per clip: 0 with probability `rate`, else 1 / (1 - rate); null when nothing drops. */
function branchScale(batch: number, rate: number, options: ForwardOptions): Tensor3D | null {
  const random = options.training?.random;
  if (rate === 0 || random === undefined) return null;
  const factors = Array.from({ length: batch }, () => (random.uniform() < rate ? 0 : 1 / (1 - rate)));
  return tensor3d(factors, [batch, 1, 1]);
}

function norm(params: Params, name: string, x: Tensor3D): Tensor3D {
  return layerNorm(x, parameter(params, `${name}.weight`), parameter(params, `${name}.bias`));
}

function project(params: Params, name: string, x: Tensor3D, options: LinearOptions = {}): Tensor3D {
  return linear(x, parameter(params, `${name}.weight`), parameter(params, `${name}.bias`), options);
}

/** x + DP(projection of h); as one product where nothing needs the branch by itself. */
function addProjected(
  params: Params,
  name: string,
  x: Tensor3D,
  h: Tensor3D,
  rate: number,
  options: ForwardOptions,
  traceName: string,
): Tensor3D {
  const scale = branchScale(x.shape[0], rate, options);
  if (scale === null && options.trace === undefined) return project(params, name, h, { plus: x });
  const branch = project(params, name, h);
  options.trace?.(traceName, branch);
  return residual(x, branch, scale);
}

/**
 * x += DP(attn(LN(x))); x += DP(MLP(LN(x))).
 * @param x [B, N, D]
 * @param rate stochastic depth of this block
 */
export function block(
  params: Params,
  name: string,
  x: Tensor3D,
  heads: number,
  rate: number,
  options: ForwardOptions,
): Tensor3D {
  return tidy(() => {
    const bias = biasWithoutKeys(
      parameter(params, `${name}.attn.q_bias`),
      parameter(params, `${name}.attn.v_bias`),
    );
    const middle = tidy(() => {
      const normed = norm(params, `${name}.norm1`, x);
      const qkv = linear(normed, parameter(params, `${name}.attn.qkv.weight`), bias); // [B, N, 3D]
      const attended = selfAttention(qkv, heads); // [B, N, 3D] -> [B, N, D]
      return addProjected(params, `${name}.attn.proj`, x, attended, rate, options, `${name}.attn`);
    });
    const normed = norm(params, `${name}.norm2`, middle);
    const hidden = project(params, `${name}.mlp.fc1`, normed, { gelu: true }); // [B, N, 4D]
    const y = addProjected(params, `${name}.mlp.fc2`, middle, hidden, rate, options, `${name}.mlp`);
    options.trace?.(name, y);
    return y;
  });
}

/**
 * x += DP(cross(LN(x), LN(context))), then a {@link block}.
 * @param x [B, N, D]
 * @param context [B, Nc, D]; null when the other modality is absent: one zero token stands in place of the normed
 *   context. Its key is zero and its value is v_bias, and with a single key the softmax is 1 whatever the query:
 *   the branch is the constant proj(v_bias).
 */
export function crossBlock(
  params: Params,
  name: string,
  x: Tensor3D,
  context: Tensor3D | null,
  heads: number,
  rate: number,
  options: ForwardOptions,
): Tensor3D {
  return tidy(() => {
    const cross = `${name}.cross_attn`;
    const qBias = parameter(params, `${cross}.q_bias`);
    const vBias = parameter(params, `${cross}.v_bias`);
    const middle = tidy(() => {
      if (context === null) {
        const constant = linear(
          vBias,
          parameter(params, `${cross}.proj.weight`),
          parameter(params, `${cross}.proj.bias`),
        );
        return residual(x, constant, branchScale(x.shape[0], rate, options));
      }
      const q = linear(norm(params, `${name}.cross_norm1`, x), parameter(params, `${cross}.q.weight`), qBias);
      const kv = linear(
        norm(params, `${name}.cross_norm2`, context),
        parameter(params, `${cross}.kv.weight`),
        biasWithoutKeys(null, vBias),
      );
      return addProjected(params, `${cross}.proj`, x, crossAttention(q, kv, heads), rate, options, cross);
    });
    return block(params, name, middle, heads, rate, options);
  });
}
