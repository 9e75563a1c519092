// The two kinds of transformer block, by their official parameter names.
import { engine, tensor3d, tidy } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import type { Random } from '../base/random.ts';
import { crossAttention, selfAttention } from '../ops/attention.ts';
import { biasWithoutKeys, residual } from '../ops/combine.ts';
import { layerNorm } from '../ops/layer-norm.ts';
import { linear } from '../ops/linear.ts';
import type { LinearOptions } from '../ops/linear.ts';
import { recomputed } from '../ops/recompute.ts';
import { blockShapes, crossBlockShapes, parameter } from './params.ts';
import type { Params } from './params.ts';

/** What a forward pass may do beside computing. */
export interface ForwardOptions {
  /** Given in training only. */
  readonly training?: {
    /** Stochastic depth of the deepest block; 0.1 in the official fine-tuning. */
    readonly dropPath: number;
    readonly random: Random;
  };
  /**
   * Blocks keep only their inputs for the backward pass and run again in it: far less memory, a third more time. Nothing
   * is recomputed where no gradients are taken, or with a trace.
   */
  readonly recompute?: boolean;
  /** Called with every stage of the golden fixtures by its name there; it must not keep or dispose of the tensor. */
  readonly trace?: (name: string, tensor: Tensor) => void;
}

/** Stochastic depth's rate of layer i of `depth`: from 0 to the deepest layer's rate in equal steps. */
export function dropPathRate(options: ForwardOptions, layer: number, depth: number): number {
  return depth > 1 ? ((options.training?.dropPath ?? 0) * layer) / (depth - 1) : 0;
}

/** One residual branch's factor for each clip: 0 with probability `rate`, else 1 / (1 - rate); null: nothing drops. */
type BranchFactors = readonly number[] | null;

/** The factors of a block's branches, in the order in which they run. */
function drawFactors(
  branches: number,
  batch: number,
  rate: number,
  options: ForwardOptions,
): BranchFactors[] {
  const random = options.training?.random;
  return Array.from({ length: branches }, () =>
    rate === 0 || random === undefined
      ? null
      : Array.from({ length: batch }, () => (random.uniform() < rate ? 0 : 1 / (1 - rate))),
  );
}

function scaleOf(factors: BranchFactors | undefined): Tensor3D | null {
  return factors ? tensor3d([...factors], [factors.length, 1, 1]) : null;
}

/**
 * `compute` of these inputs, again in the backward pass where that is wanted.
 * @param namesOf which parameters it reads
 */
function perhapsRecomputed(
  params: Params,
  namesOf: () => readonly string[],
  tensors: readonly Tensor3D[],
  options: ForwardOptions,
  compute: (params: Params, tensors: readonly Tensor3D[]) => Tensor3D,
): Tensor3D {
  if (options.recompute !== true || options.trace !== undefined || !engine().isTapeOn())
    return compute(params, tensors);
  const names = namesOf();
  const inputs = [...tensors, ...names.map((name) => parameter(params, name))];
  return recomputed(inputs, (current) => {
    const entries = names.map((name, i) => [name, current[tensors.length + i]] as const);
    return compute(Object.fromEntries(entries) as Params, current.slice(0, tensors.length) as Tensor3D[]);
  });
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
  factors: BranchFactors | undefined,
  options: ForwardOptions,
  traceName: string,
): Tensor3D {
  const scale = scaleOf(factors);
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
  const factors = drawFactors(2, x.shape[0], rate, options);
  const names = (): string[] => blockShapes(name, x.shape[2]).map((shape) => shape.name);
  return perhapsRecomputed(params, names, [x], options, (current, tensors) =>
    selfBlock(current, name, tensors[0] ?? x, heads, factors, options),
  );
}

function selfBlock(
  params: Params,
  name: string,
  x: Tensor3D,
  heads: number,
  factors: readonly BranchFactors[],
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
      return addProjected(params, `${name}.attn.proj`, x, attended, factors[0], options, `${name}.attn`);
    });
    const normed = norm(params, `${name}.norm2`, middle);
    const hidden = project(params, `${name}.mlp.fc1`, normed, { gelu: true }); // [B, N, 4D]
    const y = addProjected(params, `${name}.mlp.fc2`, middle, hidden, factors[1], options, `${name}.mlp`);
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
  const factors = drawFactors(3, x.shape[0], rate, options);
  const names = (): string[] =>
    crossBlockShapes(name, x.shape[2])
      .map((shape) => shape.name)
      .filter((each) => context !== null || !/cross_norm|cross_attn\.(q|kv)[._](bias|weight)$/.test(each));
  const inputs = context === null ? [x] : [x, context];
  return perhapsRecomputed(params, names, inputs, options, (current, tensors) =>
    crossThenSelf(current, name, tensors[0] ?? x, tensors[1] ?? null, heads, factors, options),
  );
}

function crossThenSelf(
  params: Params,
  name: string,
  x: Tensor3D,
  context: Tensor3D | null,
  heads: number,
  factors: readonly BranchFactors[],
  options: ForwardOptions,
): Tensor3D {
  return tidy(() => {
    const cross = `${name}.cross_attn`;
    const vBias = parameter(params, `${cross}.v_bias`);
    const middle = tidy(() => {
      if (context === null) {
        const constant = linear(
          vBias,
          parameter(params, `${cross}.proj.weight`),
          parameter(params, `${cross}.proj.bias`),
        );
        return residual(x, constant, scaleOf(factors[0]));
      }
      const q = linear(
        norm(params, `${name}.cross_norm1`, x),
        parameter(params, `${cross}.q.weight`),
        parameter(params, `${cross}.q_bias`),
      );
      const kv = linear(
        norm(params, `${name}.cross_norm2`, context),
        parameter(params, `${cross}.kv.weight`),
        biasWithoutKeys(null, vBias),
      );
      return addProjected(
        params,
        `${cross}.proj`,
        x,
        crossAttention(q, kv, heads),
        factors[0],
        options,
        cross,
      );
    });
    return selfBlock(params, name, middle, heads, factors.slice(1), options);
  });
}
