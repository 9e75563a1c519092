// Matrix product after the classic blocking (Goto, BLIS): panels of A and B packed into scratch, a 6 x 8 (or 5 x 8) micro-kernel
// whose accumulators stay in registers, and blocks small enough that A's stays in L2 and B's panel in L1.
import { madd } from './simd';
import { MR, NR, PANEL, packA, packB, roundUp } from './pack';
import { geluRow } from './pointwise';
import { argument, integer, partCount, partsFor, setArgument, threadNumber } from './pool';

/** Steps along the shared dimension per block: a B panel of 8 KB, half of a small L1. */
const KC: i32 = 256;
/** Rows of A per block: 100 KB packed. */
const MC: i32 = MR == 6 ? 96 : 100;
/** Columns of B per block: 512 KB packed. */
const NC: i32 = 512;

/** What a tile starts from. */
export const FROM_ZERO: i32 = 0;
export const FROM_BIAS: i32 = 1;
export const FROM_C: i32 = 2;

/** One full tile: C[MR, 8] = start + A panel @ B panel. */
function tile(a: usize, b: usize, k: i32, c: usize, ldc: usize, start: i32, bias: usize): void {
  let x0 = f32x4.splat(0);
  let y0 = x0;
  if (start == FROM_BIAS) {
    x0 = v128.load(bias);
    y0 = v128.load(bias, 16);
  }
  let x1 = x0;
  let y1 = y0;
  let x2 = x0;
  let y2 = y0;
  let x3 = x0;
  let y3 = y0;
  let x4 = x0;
  let y4 = y0;
  let x5 = x0;
  let y5 = y0;
  const c1 = c + ldc;
  const c2 = c1 + ldc;
  const c3 = c2 + ldc;
  const c4 = c3 + ldc;
  const c5 = c4 + ldc;
  if (start == FROM_C) {
    x0 = v128.load(c);
    y0 = v128.load(c, 16);
    x1 = v128.load(c1);
    y1 = v128.load(c1, 16);
    x2 = v128.load(c2);
    y2 = v128.load(c2, 16);
    x3 = v128.load(c3);
    y3 = v128.load(c3, 16);
    x4 = v128.load(c4);
    y4 = v128.load(c4, 16);
    if (MR == 6) {
      x5 = v128.load(c5);
      y5 = v128.load(c5, 16);
    }
  }
  // One step at a time: V8 moves all loads of a loop's body to its front, and two steps' would spill registers.
  const end = b + (<usize>k << 5);
  while (b < end) {
    const p = v128.load(b);
    const q = v128.load(b, 16);
    const s0 = v128.load32_splat(a);
    x0 = madd(s0, p, x0);
    y0 = madd(s0, q, y0);
    const s1 = v128.load32_splat(a, 4);
    x1 = madd(s1, p, x1);
    y1 = madd(s1, q, y1);
    const s2 = v128.load32_splat(a, 8);
    x2 = madd(s2, p, x2);
    y2 = madd(s2, q, y2);
    const s3 = v128.load32_splat(a, 12);
    x3 = madd(s3, p, x3);
    y3 = madd(s3, q, y3);
    const s4 = v128.load32_splat(a, 16);
    x4 = madd(s4, p, x4);
    y4 = madd(s4, q, y4);
    if (MR == 6) {
      const s5 = v128.load32_splat(a, 20);
      x5 = madd(s5, p, x5);
      y5 = madd(s5, q, y5);
    }
    a += PANEL;
    b += 32;
  }
  v128.store(c, x0);
  v128.store(c, y0, 16);
  v128.store(c1, x1);
  v128.store(c1, y1, 16);
  v128.store(c2, x2);
  v128.store(c2, y2, 16);
  v128.store(c3, x3);
  v128.store(c3, y3, 16);
  v128.store(c4, x4);
  v128.store(c4, y4, 16);
  if (MR == 6) {
    v128.store(c5, x5);
    v128.store(c5, y5, 16);
  }
}

/** The part of a tile that lies inside C, by way of a whole tile in scratch. */
function edgeTile(spare: usize, c: usize, ldc: usize, rows: i32, columns: i32, start: i32, bias: usize): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = c + ((<usize>j) << 2);
      let value = load<f32>(spare + <usize>(i * NR + j) * 4);
      if (start == FROM_C) value += load<f32>(at);
      if (start == FROM_BIAS) value += load<f32>(bias + ((<usize>j) << 2));
      store<f32>(at, value);
    }
    c += ldc;
  }
}

/** Bytes of the spare tile that `multiplyPacked` needs. */
export const SPARE_BYTES: usize = 192;

/**
 * C [m, n] = start + A @ B, from packed panels of depth k.
 * @param stepA bytes from one A panel to the next (PANEL k, or more where the panels hold more steps than these)
 * @param stepB bytes from one B panel to the next
 */
export function multiplyPacked(
  a: usize, stepA: usize, b: usize, stepB: usize, k: i32,
  c: usize, ldc: usize, m: i32, n: i32, start: i32, bias: usize, spare: usize,
): void {
  for (let j = 0; j < n; j += NR) {
    const columns = min(NR, n - j);
    let panel = a;
    let row = c;
    for (let i = 0; i < m; i += MR) {
      const rows = min(MR, m - i);
      if (rows == MR && columns == NR) {
        tile(panel, b, k, row, ldc, start, bias);
      } else {
        tile(panel, b, k, spare, NR * 4, FROM_ZERO, 0);
        edgeTile(spare, row, ldc, rows, columns, start, bias);
      }
      panel += stepA;
      row += <usize>MR * ldc;
    }
    b += stepB;
    c += NR * 4;
    bias += NR * 4;
  }
}

/** Bytes of scratch that one thread needs for a product of these sizes. */
export function gemmScratchBytes(m: i32, k: i32, n: i32): usize {
  const depth = min(k, KC);
  return SPARE_BYTES + <usize>4 * <usize>depth * <usize>(roundUp(min(m, MC), MR) + roundUp(min(n, NC), NR)) + 128;
}

/** C = gelu(C), if so; then C += the residual's rows, of which there are `residualRows`, from number `row` on. */
function epilogue(
  c: usize, ldc: usize, rows: i32, columns: i32, gelu: bool, residual: usize, residualRows: i32, row: i32,
): void {
  const whole = (<usize>columns & ~3) << 2;
  const end = (<usize>columns) << 2;
  row %= residualRows;
  for (let i = 0; i < rows; i++) {
    if (gelu) geluRow(c, c, columns);
    if (residual != 0) {
      const from = residual + <usize>row * ldc;
      let j: usize = 0;
      for (; j < whole; j += 16) v128.store(c + j, f32x4.add(v128.load(c + j), v128.load(from + j)));
      for (; j < end; j += 4) store<f32>(c + j, load<f32>(c + j) + load<f32>(from + j));
      row++;
      if (row == residualRows) row = 0;
    }
    c += ldc;
  }
}

/**
 * C [m, n] = f(op(A) op(B) + bias) + residual, all dense and row-major; pointers of 0 leave bias or residual out.
 * op(A) is [m, k]: A is stored [m, k], or [k, m] when transposed; likewise op(B) [k, n]. f is GELU or nothing. The
 * residual has `residualRows` rows, which repeat. Scratch is for each thread `scratchStep` bytes.
 */
export function startGemm(
  a: usize, b: usize, bias: usize, residual: usize, residualRows: i32, c: usize, m: i32, k: i32, n: i32,
  transposeA: bool, transposeB: bool, gelu: bool, scratch: usize, scratchStep: usize,
): i32 {
  setArgument(0, a);
  setArgument(1, b);
  setArgument(2, bias);
  setArgument(3, residual);
  setArgument(4, residualRows);
  setArgument(5, c);
  setArgument(6, m);
  setArgument(7, k);
  setArgument(8, n);
  setArgument(9, transposeA);
  setArgument(10, transposeB);
  setArgument(11, gelu);
  setArgument(12, scratch);
  setArgument(13, scratchStep);
  return partsFor(<i64>m * <i64>k * <i64>n);
}

/** A part of a product: some of C's rows where they are many, else some of its columns, so that least is packed twice. */
export function gemmPart(part: i32): void {
  const m = integer(6);
  const n = integer(8);
  const parts = partCount();
  if (m >= n) {
    const step = roundUp((m + parts - 1) / parts, MR);
    block(part * step, min(m, (part + 1) * step), 0, n);
  } else {
    const step = roundUp((n + parts - 1) / parts, NR);
    block(0, m, part * step, min(n, (part + 1) * step));
  }
}

/** C's rows from `top` to `bottom`, columns from `left` to `right`. */
function block(top: i32, bottom: i32, left: i32, right: i32): void {
  const a = argument(0);
  const b = argument(1);
  const bias = argument(2);
  const residual = argument(3);
  const c = argument(5);
  const k = integer(7);
  const transposeA = integer(9) != 0;
  const transposeB = integer(10) != 0;
  const gelu = integer(11) != 0;
  const lda: usize = (<usize>(transposeA ? integer(6) : k)) << 2;
  const ldc: usize = (<usize>integer(8)) << 2;
  const ldb: usize = transposeB ? (<usize>k) << 2 : ldc;
  const spare = (argument(12) + <usize>threadNumber() * argument(13) + 63) & ~63;
  const packedB = spare + SPARE_BYTES;
  for (let j = left; j < right; j += NC) {
    const columns = min(NC, right - j);
    let p = 0;
    do {
      const depth = min(KC, k - p);
      const start = p > 0 ? FROM_C : bias != 0 ? FROM_BIAS : FROM_ZERO;
      const last = p + depth >= k;
      const fromB = b + (transposeB ? <usize>j * ldb + (<usize>p << 2) : <usize>p * ldb + (<usize>j << 2));
      packB(fromB, ldb, transposeB, depth, columns, packedB);
      const packedA = packedB + <usize>4 * <usize>depth * <usize>roundUp(columns, NR);
      for (let i = top; i < bottom; i += MC) {
        const rows = min(MC, bottom - i);
        const fromA = a + (transposeA ? <usize>p * lda + (<usize>i << 2) : <usize>i * lda + (<usize>p << 2));
        packA(fromA, lda, transposeA, rows, depth, packedA);
        const toC = c + <usize>i * ldc + (<usize>j << 2);
        multiplyPacked(
          packedA, <usize>depth * PANEL, packedB, <usize>depth * 32, depth,
          toC, ldc, rows, columns, start, bias + (<usize>j << 2), spare,
        );
        // While the block is still in the cache.
        if (last && (gelu || residual != 0)) {
          epilogue(toC, ldc, rows, columns, gelu, residual == 0 ? 0 : residual + (<usize>j << 2), integer(4), i);
        }
      }
      p += depth;
    } while (p < k);
  }
}
