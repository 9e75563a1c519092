// Multi-head attention on head-major features. The probabilities are never kept: the backward makes them again, since
// at 800 tokens they outweigh everything else.
import {
  concat,
  matMul,
  mul,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  tidy,
  transpose,
} from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
import { differentiable, runKernel } from './differentiable.ts';
import { hasKernel } from './kernels.ts';
import { gemm, prefersPlainProducts } from './matmul.ts';

/**
 * softmax(q k^T / sqrt(D / heads)) v, per head.
 * @param q [B, Nq, D], unscaled
 * @param k [B, Nk, D]
 * @param v [B, Nk, D]
 * @returns [B, Nq, D]
 */
export function attention(q: Tensor3D, k: Tensor3D, v: Tensor3D, heads: number): Tensor3D {
  return differentiable(
    [q, k, v],
    () => forward(q, k, v, heads),
    [q, k, v],
    (dy, saved) => backward(saved[0] as Tensor3D, saved[1] as Tensor3D, saved[2] as Tensor3D, dy, heads),
  );
}

/**
 * Attention of tokens to each other.
 * @param qkv [B, N, 3D]: q, then k, then v
 * @returns [B, N, D]
 */
export function selfAttention(qkv: Tensor3D, heads: number): Tensor3D {
  const run = (packed: Tensor3D): [Tensor3D, Tensor3D, Tensor3D] => [
    part(packed, 0, 3),
    part(packed, 1, 3),
    part(packed, 2, 3),
  ];
  return differentiable(
    [qkv],
    () => forward(...run(qkv), heads),
    [qkv],
    (dy, saved) => [concat(backward(...run(saved[0] as Tensor3D), dy, heads), 2)],
  );
}

/**
 * Attention of tokens to a context.
 * @param q [B, Nq, D]
 * @param kv [B, Nk, 2D]: k, then v
 * @returns [B, Nq, D]
 */
export function crossAttention(q: Tensor3D, kv: Tensor3D, heads: number): Tensor3D {
  const run = (packed: Tensor3D): [Tensor3D, Tensor3D] => [part(packed, 0, 2), part(packed, 1, 2)];
  return differentiable(
    [q, kv],
    () => forward(q, ...run(kv), heads),
    [q, kv],
    (dy, saved) => {
      const [dq, dk, dv] = backward(saved[0] as Tensor3D, ...run(saved[1] as Tensor3D), dy, heads);
      return [dq, concat([dk, dv], 2)];
    },
  );
}

/** [B, N, count * D] -> its part `index`, [B, N, D]. */
function part(packed: Tensor3D, index: number, count: number): Tensor3D {
  const [batch, tokens, total] = packed.shape;
  return slice(packed, [0, 0, (index * total) / count], [batch, tokens, total / count]);
}

function forward(q: Tensor3D, k: Tensor3D, v: Tensor3D, heads: number): Tensor3D {
  const width = q.shape[2];
  assert(
    width % heads === 0,
    `attention: width ${String(width)} is not a multiple of ${String(heads)} heads`,
  );
  if (hasKernel('HicmaeAttention')) {
    return defined(runKernel('HicmaeAttention', { q, k, v }, { heads })[0], 'attention') as Tensor3D;
  }
  const scale = (width / heads) ** -0.5;
  const [qs, ks, vs] = [splitHeads(q, heads), splitHeads(k, heads), splitHeads(v, heads)];
  const outputs = qs.map((one, i) =>
    tidy(() => {
      const probabilities = softmax(product(mul(one, scale), at(ks, i), false, true));
      return product(probabilities, at(vs, i));
    }),
  );
  return mergeHeads(outputs, q.shape, heads);
}

function backward(
  q: Tensor3D,
  k: Tensor3D,
  v: Tensor3D,
  dy: Tensor3D,
  heads: number,
): [dq: Tensor3D, dk: Tensor3D, dv: Tensor3D] {
  if (hasKernel('HicmaeAttentionGrad')) {
    return runKernel('HicmaeAttentionGrad', { q, k, v, dy }, { heads }) as [Tensor3D, Tensor3D, Tensor3D];
  }
  const scale = (q.shape[2] / heads) ** -0.5;
  const [qs, ks, vs, dys] = [q, k, v, dy].map((x) => splitHeads(x, heads)) as [Heads, Heads, Heads, Heads];
  const gradients = qs.map((one, i) =>
    tidy((): [Tensor, Tensor, Tensor] => {
      const scaled = mul(one, scale);
      const probabilities = softmax(product(scaled, at(ks, i), false, true)); // [.., Nq, Nk]
      const dv = product(probabilities, at(dys, i), true);
      const dProbabilities = product(at(dys, i), at(vs, i), false, true);
      const along = sum(mul(dProbabilities, probabilities), -1, true);
      const dScores = mul(probabilities, sub(dProbabilities, along));
      return [mul(product(dScores, at(ks, i)), scale), product(dScores, scaled, true), dv];
    }),
  );
  return [
    mergeHeads(
      gradients.map((g) => g[0]),
      q.shape,
      heads,
    ),
    mergeHeads(
      gradients.map((g) => g[1]),
      k.shape,
      heads,
    ),
    mergeHeads(
      gradients.map((g) => g[2]),
      k.shape,
      heads,
    ),
  ];
}

/** One [B * A, N, K] where batched products are fast, else B * A times [N, K]. */
type Heads = readonly Tensor[];

function splitHeads(x: Tensor3D, heads: number): Heads {
  const [batch, tokens, width] = x.shape;
  const headWidth = width / heads;
  if (prefersPlainProducts()) {
    return Array.from({ length: batch * heads }, (_, i) =>
      reshape(slice(x, [Math.floor(i / heads), 0, (i % heads) * headWidth], [1, tokens, headWidth]), [
        tokens,
        headWidth,
      ]),
    );
  }
  const split = transpose(reshape(x, [batch, tokens, heads, headWidth]), [0, 2, 1, 3]); // [B, N, D] -> [B, A, N, K]
  return [reshape(split, [batch * heads, tokens, headWidth])];
}

function mergeHeads(parts: Heads, shape: readonly [number, number, number], heads: number): Tensor3D {
  const [batch, tokens, width] = shape;
  if (prefersPlainProducts()) {
    const clips = Array.from({ length: batch }, (_, b) => {
      const own = parts.slice(b * heads, (b + 1) * heads) as Tensor2D[];
      return concat(own, 1);
    });
    return reshape(concat(clips, 0), [batch, tokens, width]);
  }
  const merged = reshape(at(parts, 0), [batch, heads, tokens, width / heads]);
  return reshape(transpose(merged, [0, 2, 1, 3]), [batch, tokens, width]); // [B, A, N, K] -> [B, N, D]
}

function at(parts: Heads, i: number): Tensor {
  return defined(parts[i], 'head');
}

function product(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  return a.rank === 2
    ? gemm(a as Tensor2D, b as Tensor2D, { transposeA, transposeB })
    : matMul(a, b, transposeA, transposeB);
}
