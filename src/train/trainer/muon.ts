// Muon: the blocks' matrices move by their momentum made orthogonal, so that every direction of a matrix learns at the same
// rate (Jordan et al. 2024). Scaled so that AdamW's learning rate fits both: "Muon is scalable for LLM training" (Liu et al.
// 2025, arXiv 2502.16982) does so too, with a fifth of our scale, which learned more slowly here (docs/training-log.md).
// Everything else is AdamW's.
import { add, mul, tensor2d, tidy } from '@tensorflow/tfjs-core';
import type { Tensor2D } from '@tensorflow/tfjs-core';
import { constant } from '../../ops/constant.ts';
import { gemm } from '../../ops/matmul.ts';
import type { Slot } from './flat-params.ts';

/** A matrix within the flat arrays. */
export interface Matrix {
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
}

/** Momentum of Muon's matrices; the usual one. */
export const muonMomentum = 0.95;

/** Matrices fused into one parameter. */
const fused: Readonly<Record<string, number>> = { 'attn.qkv.weight': 3, 'cross_attn.kv.weight': 2 };

/** The matrices of a parameter: those of the blocks, each of q, k and v by itself; none for everything else. */
export function muonMatrices({ name, shape, offset }: Slot): Matrix[] {
  if (shape.length !== 2 || !name.includes('.blocks')) return [];
  const [all = 0, columns = 0] = shape;
  const parts = Object.entries(fused).find(([end]) => name.endsWith(end))?.[1] ?? 1;
  const rows = all / parts;
  return Array.from({ length: parts }, (_, i) => ({ offset: offset + i * rows * columns, rows, columns }));
}

/** Of a quintic whose iteration brings singular values from (0, 1] near to 1, quickly. */
const [a, b, c] = [3.4445, -4.775, 2.0315];
const iterations = 5;

/**
 * The nearest matrix with all singular values near 1 (0.7 to 1.2), by Newton-Schulz iteration.
 * @param values [rows, columns], row by row
 * @returns the same shape; zeros stay zeros
 */
export function orthogonalized(values: Float32Array, rows: number, columns: number): Tensor2D {
  const wide = rows <= columns;
  const side = Math.min(rows, columns);
  // Loops without callbacks: they take as long as the products otherwise.
  let square = 0;
  for (let i = 0; i < values.length; i++) square += values[i]! ** 2;
  const scale = 1 / (Math.sqrt(square) + 1e-7);
  const scaled = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) scaled[i] = scale * values[i]!;
  return tidy(() => {
    let x = tensor2d(scaled, [rows, columns]);
    for (let i = 0; i < iterations; i++) {
      const previous = x;
      // (a + b gram + c gram^2) x, in which only the small gram matrix is touched number by number.
      x = tidy(() => {
        const gram = gemm(previous, previous, wide ? { transposeB: true } : { transposeA: true });
        const inner = add<Tensor2D>(mul(gram, c), diagonal(b, side));
        const factor = gemm(gram, inner, { residual: diagonal(a, side) });
        return wide ? gemm(factor, previous) : gemm(previous, factor);
      });
    }
    return x;
  });
}

/** value * identity, [side, side]. */
function diagonal(value: number, side: number): Tensor2D {
  return constant(`${String(value)} x identity ${String(side)}`, [side, side], () => {
    const values = new Float32Array(side * side);
    for (let i = 0; i < side; i++) values[i * (side + 1)] = value;
    return values;
  }) as Tensor2D;
}

/** Factor of the orthogonal update: its elements' root mean square becomes about 1, the most that AdamW's can be. */
export function updateScale({ rows, columns }: Matrix): number {
  return Math.sqrt(Math.max(rows, columns));
}
