// Attention of a token to others of its own or of the other modality, and its gradient.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { assert } from '../../base/assert.ts';
import { input } from '../inputs.ts';
import type { Inputs } from '../inputs.ts';
import type { Call, Run } from './call.ts';

/** Where queries, keys and values lie: pointers, and bytes from one row to the next. */
interface AttentionLayout {
  readonly q: number;
  readonly ldq: number;
  readonly k: number;
  readonly v: number;
  readonly ldk: number;
}

interface AttentionSizes {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  /** D, all heads together. */
  readonly d: number;
}

const selfLayout = (pointer: number, d: number): AttentionLayout => ({
  q: pointer,
  ldq: 12 * d,
  k: pointer + 4 * d,
  v: pointer + 8 * d,
  ldk: 12 * d,
});

const crossLayout = (q: number, kv: number, d: number): AttentionLayout => ({
  q,
  ldq: 4 * d,
  k: kv,
  v: kv + 4 * d,
  ldk: 8 * d,
});

function headsOf(attrs: Record<string, unknown>, d: number): number {
  const { heads } = attrs;
  assert(
    typeof heads === 'number' && heads > 0 && d % heads === 0,
    `attention of width ${d} with ${String(heads)} heads`,
  );
  return heads;
}

function selfSizes(inputs: Inputs, attrs: Record<string, unknown>): AttentionSizes {
  const [batch = 0, tokens = 0, packed = 0] = input(inputs, 'qkv', 3).shape;
  const d = packed / 3;
  return { batch, queries: tokens, keys: tokens, heads: headsOf(attrs, d), d };
}

function crossSizes(inputs: Inputs, attrs: Record<string, unknown>): AttentionSizes {
  const q = input(inputs, 'q', 3);
  const kv = input(inputs, 'kv', 3);
  const [batch = 0, queries = 0, d = 0] = q.shape;
  const keys = kv.shape[1] ?? 0;
  assert(
    kv.shape[0] === batch && kv.shape[2] === 2 * d && keys > 0,
    `attention of queries [${q.shape.join()}] to keys and values [${kv.shape.join()}]`,
  );
  return { batch, queries, keys, heads: headsOf(attrs, d), d };
}

function attend({ kernels, output }: Call, sizes: AttentionSizes, from: AttentionLayout): TensorInfo {
  const { batch, queries, keys, heads, d } = sizes;
  const width = d / heads;
  const y = output([batch, queries, d]);
  const { pointer, step } = kernels.scratch(
    kernels.exports.attentionScratchBytes(queries, keys, width) >>> 0,
  );
  const { q, ldq, k, v, ldk } = from;
  kernels.exports.attention(
    ...[q, ldq, k, v, ldk, y.pointer],
    ...[batch, queries, keys, heads, width, pointer, step],
  );
  return y.info;
}

function attendBack(
  { kernels, at }: Call,
  inputs: Inputs,
  sizes: AttentionSizes,
  from: AttentionLayout,
  to: AttentionLayout,
): void {
  const { batch, queries, keys, heads, d } = sizes;
  const dy = input(inputs, 'dy', 3);
  assert(dy.shape.join() === [batch, queries, d].join(), `attention gradient of dy [${dy.shape.join()}]`);
  const width = d / heads;
  const { pointer, step } = kernels.scratch(
    kernels.exports.attentionGradScratchBytes(queries, keys, width) >>> 0,
  );
  kernels.exports.attentionGrad(
    ...[from.q, from.ldq, from.k, from.v, from.ldk, at(dy), to.q, to.k, to.v],
    ...[batch, queries, keys, heads, width, pointer, step],
  );
}

export const selfAttention: Run = (call, inputs, attrs) => {
  const sizes = selfSizes(inputs, attrs);
  return attend(call, sizes, selfLayout(call.at(input(inputs, 'qkv')), sizes.d));
};

export const selfAttentionGrad: Run = (call, inputs, attrs) => {
  const sizes = selfSizes(inputs, attrs);
  const qkv = input(inputs, 'qkv');
  const dqkv = call.output(qkv.shape);
  attendBack(call, inputs, sizes, selfLayout(call.at(qkv), sizes.d), selfLayout(dqkv.pointer, sizes.d));
  return dqkv.info;
};

export const crossAttention: Run = (call, inputs, attrs) => {
  const sizes = crossSizes(inputs, attrs);
  const from = crossLayout(call.at(input(inputs, 'q')), call.at(input(inputs, 'kv')), sizes.d);
  return attend(call, sizes, from);
};

export const crossAttentionGrad: Run = (call, inputs, attrs) => {
  const sizes = crossSizes(inputs, attrs);
  const q = input(inputs, 'q');
  const kv = input(inputs, 'kv');
  const dq = call.output(q.shape);
  const dkv = call.output(kv.shape);
  attendBack(
    call,
    inputs,
    sizes,
    crossLayout(call.at(q), call.at(kv), sizes.d),
    crossLayout(dq.pointer, dkv.pointer, sizes.d),
  );
  return [dq.info, dkv.info];
};
