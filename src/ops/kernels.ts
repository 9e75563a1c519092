// The kernels a backend may bring for HiCMAE's ops. An op runs the backend's kernel when it is registered under
// the name below, and its composite reference otherwise; the model never knows which.
import { getBackend, getKernel } from '@tensorflow/tfjs-core';
import type { KernelConfig } from '@tensorflow/tfjs-core';

/**
 * Kernel names, each with its inputs, attributes and outputs. All tensors are float32, row-major.
 *
 * - `HicmaeGemm`: a, b (2-D), optional bias [n], optional residual [r, n] with r a divisor of m;
 *   { transposeA, transposeB, gelu } -> f(op(a) @ op(b) + bias) + residual, [m, n]; f is exact GELU or nothing; row i
 *   takes the residual's row i mod r
 * - `HicmaeColumnSum`: x [m, n] -> [n]
 * - `HicmaeGelu`: x -> exact (erf) GELU, same shape
 * - `HicmaeGeluGrad`: x, dy -> dx
 * - `HicmaeLayerNorm`: x [..., D], weight [D], bias [D]; { epsilon } -> same shape as x
 * - `HicmaeLayerNormGrad`: x, weight, dy; { epsilon } -> [dx, dWeight, dBias]
 * - `HicmaeSelfAttention`: qkv [B, N, 3D] (q, unscaled, then k, then v); { heads } -> [B, N, D]; scale (D/heads)^-1/2
 * - `HicmaeSelfAttentionGrad`: qkv, dy [B, N, D]; { heads } -> dqkv
 * - `HicmaeCrossAttention`: q [B, Nq, D], kv [B, Nk, 2D]; { heads } -> [B, Nq, D]
 * - `HicmaeCrossAttentionGrad`: q, kv, dy; { heads } -> [dq, dkv]
 * - `HicmaeTokenMean`: x [B, N, D] -> [B, D]
 * - `HicmaeGatherRows`: x [r, n], indices [m] (int32, 0..r-1) -> [m, n], row i is x's row indices[i]
 * - `HicmaeScatterRows`: dy [m, n], indices [m]; { rows: r } -> [r, n], zero plus dy's row i at row indices[i]
 */
export const kernelNames = [
  'HicmaeGemm',
  'HicmaeColumnSum',
  'HicmaeGelu',
  'HicmaeGeluGrad',
  'HicmaeLayerNorm',
  'HicmaeLayerNormGrad',
  'HicmaeSelfAttention',
  'HicmaeSelfAttentionGrad',
  'HicmaeCrossAttention',
  'HicmaeCrossAttentionGrad',
  'HicmaeTokenMean',
  'HicmaeGatherRows',
  'HicmaeScatterRows',
] as const;

export type KernelName = (typeof kernelNames)[number];

/** Whether the current backend registered its own kernel under this name. */
export function hasKernel(name: KernelName): boolean {
  // Typed as always found.
  const kernel = getKernel(name, getBackend()) as KernelConfig | undefined;
  return kernel !== undefined;
}
