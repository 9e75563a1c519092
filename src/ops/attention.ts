// Multi-head attention on packed features. The probabilities are never kept: the backward makes them again, since at
// 800 tokens they outweigh everything else.
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
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
import { differentiable, runKernel } from './differentiable.ts';
import { hasKernel } from './kernels.ts';

/**
 * softmax(q k^T / sqrt(D / heads)) v per head, of tokens to each other.
 * @param qkv [B, N, 3D]: q, unscaled, then k, then v
 * @returns [B, N, D]
 */
export function selfAttention(qkv: Tensor3D, heads: number): Tensor3D {
  checkHeads(qkv.shape[2] / 3, heads);
  return differentiable(
    [qkv],
    () => {
      if (hasKernel('HicmaeSelfAttention')) {
        return defined(runKernel('HicmaeSelfAttention', { qkv }, { heads })[0], 'attention') as Tensor3D;
      }
      return forward(part(qkv, 0, 3), part(qkv, 1, 3), part(qkv, 2, 3), heads);
    },
    [qkv],
    (dy, saved) => {
      const kept = saved[0] as Tensor3D;
      if (hasKernel('HicmaeSelfAttentionGrad')) {
        return runKernel('HicmaeSelfAttentionGrad', { qkv: kept, dy }, { heads });
      }
      return [concat(backward(part(kept, 0, 3), part(kept, 1, 3), part(kept, 2, 3), dy, heads), 2)];
    },
  );
}

/**
 * The same of tokens to a context.
 * @param q [B, Nq, D], unscaled
 * @param kv [B, Nk, 2D]: k, then v
 * @returns [B, Nq, D]
 */
export function crossAttention(q: Tensor3D, kv: Tensor3D, heads: number): Tensor3D {
  checkHeads(q.shape[2], heads);
  return differentiable(
    [q, kv],
    () => {
      if (hasKernel('HicmaeCrossAttention')) {
        return defined(runKernel('HicmaeCrossAttention', { q, kv }, { heads })[0], 'attention') as Tensor3D;
      }
      return forward(q, part(kv, 0, 2), part(kv, 1, 2), heads);
    },
    [q, kv],
    (dy, saved) => {
      const [keptQ, keptKv] = saved as [Tensor3D, Tensor3D];
      if (hasKernel('HicmaeCrossAttentionGrad')) {
        return runKernel('HicmaeCrossAttentionGrad', { q: keptQ, kv: keptKv, dy }, { heads });
      }
      const [dq, dk, dv] = backward(keptQ, part(keptKv, 0, 2), part(keptKv, 1, 2), dy, heads);
      return [dq, concat([dk, dv], 2)];
    },
  );
}

function checkHeads(width: number, heads: number): void {
  assert(
    width % heads === 0,
    `attention: width ${String(width)} is not a multiple of ${String(heads)} heads`,
  );
}

/** [B, N, count * D] -> its part `index`, [B, N, D]. */
function part(packed: Tensor3D, index: number, count: number): Tensor3D {
  const [batch, tokens, total] = packed.shape;
  return slice(packed, [0, 0, (index * total) / count], [batch, tokens, total / count]);
}

function forward(q: Tensor3D, k: Tensor3D, v: Tensor3D, heads: number): Tensor3D {
  const scale = (q.shape[2] / heads) ** -0.5;
  return tidy(() => {
    const scores = matMul(mul(splitHeads(q, heads), scale), splitHeads(k, heads), false, true); // [B * A, Nq, Nk]
    return mergeHeads(matMul(softmax(scores), splitHeads(v, heads)), q.shape, heads);
  });
}

function backward(
  q: Tensor3D,
  k: Tensor3D,
  v: Tensor3D,
  dy: Tensor3D,
  heads: number,
): [dq: Tensor3D, dk: Tensor3D, dv: Tensor3D] {
  const scale = (q.shape[2] / heads) ** -0.5;
  const scaledQ = mul(splitHeads(q, heads), scale);
  const [ks, vs, dys] = [splitHeads(k, heads), splitHeads(v, heads), splitHeads(dy, heads)];
  const probabilities = softmax(matMul(scaledQ, ks, false, true)); // [B * A, Nq, Nk]
  const dv = matMul(probabilities, dys, true);
  const dProbabilities = matMul(dys, vs, false, true);
  const along = sum(mul(dProbabilities, probabilities), -1, true);
  const dScores = mul(probabilities, sub(dProbabilities, along));
  return [
    mergeHeads(mul(matMul(dScores, ks), scale), q.shape, heads),
    mergeHeads(matMul(dScores, scaledQ, true), k.shape, heads),
    mergeHeads(dv, k.shape, heads),
  ];
}

/** [B, N, D] -> [B * A, N, K]. */
function splitHeads(x: Tensor3D, heads: number): Tensor3D {
  const [batch, tokens, width] = x.shape;
  const split = transpose(reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
  return reshape(split, [batch * heads, tokens, width / heads]);
}

/** [B * A, N, K] -> [B, N, D]. */
function mergeHeads(x: Tensor, shape: readonly [number, number, number], heads: number): Tensor3D {
  const [batch, tokens, width] = shape;
  const split = reshape(x, [batch, heads, tokens, width / heads]);
  return reshape(transpose(split, [0, 2, 1, 3]), [batch, tokens, width]);
}
