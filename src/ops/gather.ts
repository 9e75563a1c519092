// Choosing rows: clips of a batch, tokens of a clip.
import { engine, gather, reshape, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import type { Rank, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
import { differentiable, runKernel } from './differentiable.ts';
import { hasKernel } from './kernels.ts';
import { gemm } from './matmul.ts';

/**
 * Clips of a batch in a given order, repeats allowed: [B, ...] -> [M, ...].
 * @param indices M clip numbers, 0..B-1
 */
export function selectClips<T extends Tensor>(x: T, indices: readonly number[]): T {
  const batch = defined(x.shape[0], 'batch');
  const rows = gatherRows(asRows(x, batch), Int32Array.from(indices));
  return asShape(rows, [indices.length, ...x.shape.slice(1)]) as T;
}

/**
 * Some tokens of each clip, repeats allowed: [B, N, D] -> [B, K, D].
 * @param positions length B * K: for each clip in turn K token numbers, 0..N-1
 */
export function gatherTokens(x: Tensor3D, positions: Int32Array): Tensor3D {
  const [batch, tokens, width] = x.shape;
  const kept = positions.length / batch;
  assert(
    Number.isInteger(kept),
    `gatherTokens: ${String(positions.length)} positions, ${String(batch)} clips`,
  );
  const rows = positions.map((position, i) => {
    assert(
      position >= 0 && position < tokens,
      `gatherTokens: token ${String(position)} of ${String(tokens)}`,
    );
    return Math.floor(i / kept) * tokens + position;
  });
  return asShape(gatherRows(asRows(x, batch * tokens), rows), [batch, kept, width]) as Tensor3D;
}

/** [r, n] -> [m, n]: rows by their numbers. Not differentiable by itself: ops build on it. */
export function pickRows(x: Tensor2D, indices: Int32Array): Tensor2D {
  const order = tensor1d(indices, 'int32');
  if (!hasKernel('HicmaeGatherRows')) return gather(x, order);
  return defined(runKernel('HicmaeGatherRows', { x, indices: order })[0], 'rows') as Tensor2D;
}

/** [r, n] -> [m, n], with each row's gradient added where the row came from. */
function gatherRows(x: Tensor2D, indices: Int32Array): Tensor2D {
  const [rows, width] = x.shape;
  assert(
    indices.every((i) => i >= 0 && i < rows),
    `gather: rows ${indices.join()} of ${String(rows)}`,
  );
  return differentiable<Tensor2D>(
    [x],
    () => pickRows(x, indices),
    [],
    (dy) => {
      if (hasKernel('HicmaeScatterRows')) {
        return runKernel('HicmaeScatterRows', { dy, indices: tensor1d(indices, 'int32') }, { rows });
      }
      // tfjs' scatter-add is missing on some backends; a product with the one-hot order is one.
      const choice = new Float32Array(indices.length * rows);
      indices.forEach((from, row) => {
        choice[row * rows + from] = 1;
      });
      const order = tensor2d(choice, [indices.length, rows]);
      return [gemm(order, reshape<Rank.R2>(dy, [indices.length, width]), { transposeA: true })];
    },
  );
}

/** A reshape that gradients pass: tfjs-core brings none for its own. */
function asShape(x: Tensor, shape: number[]): Tensor {
  if (!engine().isTapeOn()) return reshape(x, shape);
  return differentiable(
    [x],
    () => reshape(x, shape),
    [],
    (dy) => [reshape(dy, x.shape)],
  );
}

function asRows(x: Tensor, rows: number): Tensor2D {
  return asShape(x, [rows, x.size / rows]) as Tensor2D;
}
