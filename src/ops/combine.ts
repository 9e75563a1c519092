// Sums, means and joins between the layers. tfjs' own gradients for them are not loaded (its core brings none) and
// would keep copies of inputs that these do not need.
import {
  add,
  concat,
  mean,
  mul,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  square,
  stack,
  step,
  sub,
  sum,
  tanh,
  tensor2d,
} from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
import { constant } from './constant.ts';
import { differentiable, runKernel } from './differentiable.ts';
import { pickRows } from './gather.ts';
import { hasKernel } from './kernels.ts';
import { columnSum, gemm, toRows } from './matmul.ts';

/**
 * x + scale * branch.
 * @param x [B, ...]
 * @param branch like x, or D elements of any shape to be added to every row of x's last dimension
 * @param scale per clip, [B, 1, 1], constant; null is 1
 */
export function residual<T extends Tensor>(x: T, branch: Tensor, scale: Tensor3D | null): T {
  const shared = branch.size !== x.size;
  const width = defined(x.shape.at(-1), 'width');
  assert(!shared || branch.size === width, `residual: branch [${branch.shape.join()}]`);
  const forward = (): T => {
    const aligned = reshape(branch, shared ? [1, 1, width] : x.shape);
    return add(x, scale === null ? aligned : mul(aligned, scale));
  };
  return differentiable<T>([x, branch], forward, scale === null ? [] : [scale], (dy, saved) => {
    const keptScale = saved[0];
    const dBranch = keptScale === undefined ? dy : mul(dy, keptScale);
    // Reshapes are aliases: tfjs disposes of gradients as it accumulates them, so no two may be one tensor.
    return [reshape(dy, x.shape), reshape(shared ? columnSum(toRows(dBranch)) : dBranch, branch.shape)];
  });
}

/** x + constant, which may be broadcast over clips; no gradient flows to the constant. */
export function addConstant<T extends Tensor>(x: T, constant: Tensor): T {
  return differentiable<T>(
    [x],
    () => add(x, constant),
    [],
    (dy) => [reshape(dy, x.shape)],
  );
}

/**
 * One learned token at many places, after the tokens that are there: [B, K, D] -> [B, K + M, D].
 * @param token D elements of any shape
 * @param places [B, M, D], constant; added to the token
 */
export function appendToken(x: Tensor3D, token: Tensor, places: Tensor3D): Tensor3D {
  const [batch, kept, width] = x.shape;
  const added = places.shape[1];
  return differentiable<Tensor3D>(
    [x, token],
    () => concat([x, add(places, reshape(token, [1, 1, width]))], 1),
    [],
    (dy) => {
      // tfjs' slice of a middle dimension goes element by element on CPU backends.
      const rowsOf = (first: number, count: number): Tensor2D =>
        pickRows(
          toRows(dy),
          Int32Array.from(
            { length: batch * count },
            (_, i) => Math.floor(i / count) * (kept + added) + first + (i % count),
          ),
        );
      return [reshape(rowsOf(0, kept), x.shape), reshape(columnSum(rowsOf(kept, added)), token.shape)];
    },
  );
}

/** Mean over tokens: [B, N, D] -> [B, D]. */
export function tokenMean(x: Tensor3D): Tensor2D {
  const [batch, tokens, width] = x.shape;
  const forward = (): Tensor2D => {
    if (hasKernel('HicmaeTokenMean')) {
      return defined(runKernel('HicmaeTokenMean', { x })[0], 'mean') as Tensor2D;
    }
    // In two stages: one sum of 800 float32 numbers loses two digits on backends that add one by one.
    const groups = divisorNearRoot(tokens);
    const parts = mean<Tensor2D>(reshape(x, [batch * groups, tokens / groups, width]), 1);
    return groups === 1 ? parts : mean(reshape(parts, [batch, groups, width]), 1);
  };
  return differentiable<Tensor2D>([x], forward, [], (dy) => {
    // As a product with each clip's rows of 1/N: broadcasting is slow on CPU backends.
    const shares = new Float32Array(batch * tokens * batch);
    for (let row = 0; row < batch * tokens; row++)
      shares[row * batch + Math.floor(row / tokens)] = 1 / tokens;
    return [reshape(gemm(tensor2d(shares, [batch * tokens, batch]), dy), [batch, tokens, width])];
  });
}

/** The largest divisor not above the square root. */
function divisorNearRoot(n: number): number {
  let divisor = Math.floor(Math.sqrt(n));
  while (n % divisor !== 0) divisor--;
  return divisor;
}

/** Rows of several batches, one after the other. @param parts [Bi, E] each */
export function joinRows(parts: readonly Tensor2D[]): Tensor2D {
  const [first, ...others] = parts;
  if (first !== undefined && others.length === 0) return first;
  return differentiable<Tensor2D>(
    [...parts],
    () => concat<Tensor2D>([...parts], 0),
    [],
    (dy) => {
      let at = 0;
      return parts.map(({ shape: [rows, width] }) => {
        at += rows;
        return slice(dy, [at - rows, 0], [rows, width]);
      });
    },
  );
}

/**
 * The layers' features, weighted by the softmax of learned scalars.
 * @param features L times [B, D]
 * @param weights [L]
 * @returns [B, D]
 */
export function weightedLayers(features: readonly Tensor2D[], weights: Tensor): Tensor2D {
  const first = defined(features[0], 'layer feature');
  const count = features.length;
  assert(weights.size === count, `weightedLayers: ${String(weights.size)} weights, ${String(count)} layers`);
  const stacked = (layers: readonly Tensor[]): Tensor2D => reshape(stack([...layers]), [count, first.size]);
  return differentiable<Tensor2D>(
    [weights, ...features],
    () => reshape(gemm(reshape(softmax(weights), [1, count]), stacked(features)), first.shape),
    [weights, ...features],
    (dy, [savedWeights, ...savedFeatures]) => {
      const shares = softmax(defined(savedWeights, 'weights'));
      const dShares = gemm(stacked(savedFeatures), reshape(dy, [first.size, 1])); // [L, 1]
      const centered = sub(dShares, sum(mul(reshape(shares, [count, 1]), dShares)));
      const dFeatures = features.map((_, i) => mul(dy, slice(shares, [i], [1])));
      return [mul(shares, reshape(centered, [count])), ...dFeatures];
    },
  );
}

/** Features side by side: [B, D] each -> [B, sum of D]. */
export function joinFeatures(features: readonly Tensor2D[]): Tensor2D {
  return differentiable<Tensor2D>(
    features,
    () => concat([...features], 1),
    [],
    (dy) => {
      let start = 0;
      return features.map((feature) => {
        const part = slice(dy, [0, start], feature.shape);
        start += feature.shape[1];
        return part;
      });
    },
  );
}

/** The bias of a fused projection whose keys have none: [first, zeros, v_bias], or [zeros, v_bias] with first null. */
export function biasWithoutKeys(first: Tensor | null, vBias: Tensor): Tensor1D {
  const width = vBias.size;
  const inputs = first === null ? [vBias] : [first, vBias];
  const none = constant(`zeros ${String(width)}`, [width], () => new Float32Array(width)) as Tensor1D;
  return differentiable<Tensor1D>(
    inputs,
    () => concat([...(first === null ? [] : [first as Tensor1D]), none, vBias as Tensor1D]),
    [],
    (dy) => inputs.map((_, i) => slice(dy, [first !== null && i === 0 ? 0 : dy.size - width], [width])),
  );
}

/** The head's activation; any shape. */
export function activate<T extends Tensor>(x: T, name: 'none' | 'sigmoid' | 'relu' | 'tanh'): T {
  switch (name) {
    case 'none':
      return x;
    case 'sigmoid':
      return pointwise(x, sigmoid, (kept) => mul(sigmoid(kept), sub(1, sigmoid(kept))));
    case 'relu':
      return pointwise(x, relu, (kept) => step(kept));
    case 'tanh':
      return pointwise(x, tanh, (kept) => sub(1, square(tanh(kept))));
  }
}

function pointwise<T extends Tensor>(x: T, f: (x: T) => T, slope: (x: Tensor) => Tensor): T {
  return differentiable<T>(
    [x],
    () => f(x),
    [x],
    (dy, saved) => [mul(dy, slope(defined(saved[0], 'x')))],
  );
}
