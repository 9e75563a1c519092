// The kernels a backend may bring for HiCMAE's ops. An op runs the backend's kernel when it is registered under
// the name below, and its composite reference otherwise; the model never knows which.
import { getBackend, getKernel } from '@tensorflow/tfjs-core';
import type { KernelConfig } from '@tensorflow/tfjs-core';

/**
 * Kernel names, each with its inputs, attributes and outputs. All tensors are float32, row-major.
 *
 * - `HicmaeGemm`: a, b (2-D), optional bias [n]; { transposeA, transposeB } -> op(a) @ op(b) + bias, [m, n]
 * - `HicmaeColumnSum`: x [m, n] -> [n]
 * - `HicmaeGelu`: x -> exact (erf) GELU, same shape
 * - `HicmaeGeluGrad`: x, dy -> dx
 * - `HicmaeLayerNorm`: x [..., D], weight [D], bias [D]; { epsilon } -> same shape as x
 * - `HicmaeLayerNormGrad`: x, weight, dy; { epsilon } -> [dx, dWeight, dBias]
 * - `HicmaeAttention`: q [B, Nq, D] (unscaled), k, v [B, Nk, D]; { heads } -> [B, Nq, D]; scale is (D/heads)^-1/2
 * - `HicmaeAttentionGrad`: q, k, v, dy; { heads } -> [dq, dk, dv]
 */
export const kernelNames = [
  'HicmaeGemm',
  'HicmaeColumnSum',
  'HicmaeGelu',
  'HicmaeGeluGrad',
  'HicmaeLayerNorm',
  'HicmaeLayerNormGrad',
  'HicmaeAttention',
  'HicmaeAttentionGrad',
] as const;

export type KernelName = (typeof kernelNames)[number];

/** Whether the current backend registered its own kernel under this name. */
export function hasKernel(name: KernelName): boolean {
  // Typed as always found.
  const kernel = getKernel(name, getBackend()) as KernelConfig | undefined;
  return kernel !== undefined;
}
