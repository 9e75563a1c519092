// The kernels as the module exports them. Pointers are byte offsets in the backend's memory; the module has no memory,
// no data and no heap of its own, and takes its scratch from the caller. Kernels with parts run on all threads.
import { attentionGradPart, attentionPart, startAttention, startAttentionGrad } from './attention';
import { gemmPart, startGemm } from './gemm';
import { layerNormPart, startLayerNorm } from './norm';
import { ADD, GELU, GELU_GRAD, pointwisePart, startPointwise } from './pointwise';
import { JOB_BYTES, awaitJob, awaitParts, finishPart, generation, jobKernel, openJob, takePart } from './pool';

export { usePool } from './pool';
export { gemmScratchBytes } from './gemm';
export { adamw, approach, gatherRows, scaleAndSquare, scaleGroups, scatterRows } from './pointwise';
export { columnSum, layerNormGrad, tokenMean } from './norm';
export { attentionGradScratchBytes, attentionScratchBytes } from './attention';

const GEMM: i32 = 0;
const LAYER_NORM: i32 = 1;
const POINTWISE: i32 = 2;
const ATTENTION: i32 = 3;
const ATTENTION_GRAD: i32 = 4;

function takeParts(): void {
  for (;;) {
    const part = takePart();
    if (part < 0) return;
    const kernel = jobKernel();
    if (kernel == GEMM) gemmPart(part);
    else if (kernel == LAYER_NORM) layerNormPart(part);
    else if (kernel == POINTWISE) pointwisePart(part);
    else if (kernel == ATTENTION) attentionPart(part);
    else attentionGradPart(part);
    finishPart();
  }
}

function run(kernel: i32, parts: i32): void {
  if (parts <= 0) return;
  openJob(kernel, parts);
  takeParts();
  awaitParts();
}

/** Bytes of the job block that `usePool` takes. */
export function jobBytes(): usize {
  return JOB_BYTES;
}

/** A helper thread's life: it never returns. */
export function help(): void {
  let seen = generation();
  for (;;) {
    seen = awaitJob(seen);
    takeParts();
  }
}

/** See startGemm. */
export function gemm(
  a: usize, b: usize, bias: usize, residual: usize, residualRows: i32, c: usize, m: i32, k: i32, n: i32,
  transposeA: bool, transposeB: bool, gelu: bool, scratch: usize, scratchStep: usize,
): void {
  run(GEMM, startGemm(a, b, bias, residual, residualRows, c, m, k, n, transposeA, transposeB, gelu, scratch, scratchStep));
}

/** See startLayerNorm. */
export function layerNorm(x: usize, weight: usize, bias: usize, y: usize, rows: i32, d: i32, epsilon: f32): void {
  run(LAYER_NORM, startLayerNorm(x, weight, bias, y, rows, d, epsilon));
}

/** y = GELU(x), n numbers. */
export function gelu(x: usize, y: usize, n: i32): void {
  run(POINTWISE, startPointwise(GELU, x, 0, y, n));
}

/** dx = dy GELU'(x), n numbers. */
export function geluGrad(x: usize, dy: usize, dx: usize, n: i32): void {
  run(POINTWISE, startPointwise(GELU_GRAD, x, dy, dx, n));
}

/** z = x + y, n numbers. */
export function add(x: usize, y: usize, z: usize, n: i32): void {
  run(POINTWISE, startPointwise(ADD, x, y, z, n));
}

/** See startAttention. */
export function attention(
  q: usize, ldq: usize, k: usize, v: usize, ldk: usize, out: usize,
  batch: i32, queries: i32, keys: i32, heads: i32, width: i32, scratch: usize, scratchStep: usize,
): void {
  run(ATTENTION, startAttention(q, ldq, k, v, ldk, out, batch, queries, keys, heads, width, scratch, scratchStep));
}

/** See startAttentionGrad. */
export function attentionGrad(
  q: usize, ldq: usize, k: usize, v: usize, ldk: usize, dy: usize, dq: usize, dk: usize, dv: usize,
  batch: i32, queries: i32, keys: i32, heads: i32, width: i32, scratch: usize, scratchStep: usize,
): void {
  run(
    ATTENTION_GRAD,
    startAttentionGrad(q, ldq, k, v, ldk, dy, dq, dk, dv, batch, queries, keys, heads, width, scratch, scratchStep),
  );
}
