// Matrix product after the classic blocking (Goto, BLIS): panels of A and B packed into scratch, a micro-kernel of MR x 8
// whose accumulators stay in registers, and blocks small enough that A's stays in L2 and B's panel in L1.
import { madd } from './simd';
import { MR, NR, PANEL, packA, packB, roundUp } from './pack';
import { geluRow } from './pointwise';
import { argument, integer, partCount, partsFor, setArgument, threadNumber } from './pool';

/** Steps along the shared dimension per block: a B panel of 8 KB, half of a small L1. */
const KC: i32 = 256;
/** Rows of A per block: 100 KB packed. */
const MC: i32 = MR == 5 ? 100 : 96;
/** Columns of B per block: 512 KB packed. */
const NC: i32 = 512;

/** What a tile starts from. */
export const FROM_ZERO: i32 = 0;
export const FROM_BIAS: i32 = 1;
export const FROM_C: i32 = 2;

/**
 * One full tile: C[MR, 8] = start + A panel @ B panel.
 * @param from the tile's first start row, eight floats; the next is `fromStep` bytes on. No branches between loads and
 *   stores: V8's revectorizing must see each pair of halves all the way.
 */
function tile(a: usize, b: usize, k: i32, c: usize, ldc: usize, from: usize, fromStep: usize): void {
  let x0 = v128.load(from);
  let y0 = v128.load(from, 16);
  from += fromStep;
  let x1 = v128.load(from);
  let y1 = v128.load(from, 16);
  from += fromStep;
  let x2 = v128.load(from);
  let y2 = v128.load(from, 16);
  from += fromStep;
  let x3 = v128.load(from);
  let y3 = v128.load(from, 16);
  from += fromStep;
  let x4 = v128.load(from);
  let y4 = v128.load(from, 16);
  from += fromStep;
  let x5 = x0;
  let y5 = y0;
  if (MR > 5) {
    x5 = v128.load(from);
    y5 = v128.load(from, 16);
    from += fromStep;
  }
  let x6 = x0;
  let y6 = y0;
  if (MR > 6) {
    x6 = v128.load(from);
    y6 = v128.load(from, 16);
    from += fromStep;
  }
  let x7 = x0;
  let y7 = y0;
  if (MR > 6) {
    x7 = v128.load(from);
    y7 = v128.load(from, 16);
    from += fromStep;
  }
  let x8 = x0;
  let y8 = y0;
  if (MR > 6) {
    x8 = v128.load(from);
    y8 = v128.load(from, 16);
    from += fromStep;
  }
  let x9 = x0;
  let y9 = y0;
  if (MR > 6) {
    x9 = v128.load(from);
    y9 = v128.load(from, 16);
    from += fromStep;
  }
  let x10 = x0;
  let y10 = y0;
  if (MR > 6) {
    x10 = v128.load(from);
    y10 = v128.load(from, 16);
    from += fromStep;
  }
  let x11 = x0;
  let y11 = y0;
  if (MR > 6) {
    x11 = v128.load(from);
    y11 = v128.load(from, 16);
    from += fromStep;
  }
  // One step at a time: V8 moves all loads of a loop's body to its front, and two steps' would spill registers.
  const end = b + (<usize>k << 5);
  while (b < end) {
    const p = v128.load(b);
    const q = v128.load(b, 16);
    const s0 = v128.load32_splat(a, 0);
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
    if (MR > 5) {
      const s5 = v128.load32_splat(a, 20);
      x5 = madd(s5, p, x5);
      y5 = madd(s5, q, y5);
    }
    if (MR > 6) {
      const s6 = v128.load32_splat(a, 24);
      x6 = madd(s6, p, x6);
      y6 = madd(s6, q, y6);
    }
    if (MR > 6) {
      const s7 = v128.load32_splat(a, 28);
      x7 = madd(s7, p, x7);
      y7 = madd(s7, q, y7);
    }
    if (MR > 6) {
      const s8 = v128.load32_splat(a, 32);
      x8 = madd(s8, p, x8);
      y8 = madd(s8, q, y8);
    }
    if (MR > 6) {
      const s9 = v128.load32_splat(a, 36);
      x9 = madd(s9, p, x9);
      y9 = madd(s9, q, y9);
    }
    if (MR > 6) {
      const s10 = v128.load32_splat(a, 40);
      x10 = madd(s10, p, x10);
      y10 = madd(s10, q, y10);
    }
    if (MR > 6) {
      const s11 = v128.load32_splat(a, 44);
      x11 = madd(s11, p, x11);
      y11 = madd(s11, q, y11);
    }
    a += PANEL;
    b += 32;
  }
  v128.store(c, x0);
  v128.store(c, y0, 16);
  c += ldc;
  v128.store(c, x1);
  v128.store(c, y1, 16);
  c += ldc;
  v128.store(c, x2);
  v128.store(c, y2, 16);
  c += ldc;
  v128.store(c, x3);
  v128.store(c, y3, 16);
  c += ldc;
  v128.store(c, x4);
  v128.store(c, y4, 16);
  c += ldc;
  if (MR > 5) {
    v128.store(c, x5);
    v128.store(c, y5, 16);
    c += ldc;
  }
  if (MR > 6) {
    v128.store(c, x6);
    v128.store(c, y6, 16);
    c += ldc;
  }
  if (MR > 6) {
    v128.store(c, x7);
    v128.store(c, y7, 16);
    c += ldc;
  }
  if (MR > 6) {
    v128.store(c, x8);
    v128.store(c, y8, 16);
    c += ldc;
  }
  if (MR > 6) {
    v128.store(c, x9);
    v128.store(c, y9, 16);
    c += ldc;
  }
  if (MR > 6) {
    v128.store(c, x10);
    v128.store(c, y10, 16);
    c += ldc;
  }
  if (MR > 6) {
    v128.store(c, x11);
    v128.store(c, y11, 16);
    c += ldc;
  }
}

/**
 * What a tile at C's edge starts from, into a whole tile in scratch; what lies outside of C stays as it is, and is not used.
 * So an element at the edge is added up in the same order as one inside, and does not depend on the build's MR.
 */
function edgeStart(spare: usize, from: usize, fromStep: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++) {
    for (let j: usize = 0; j < <usize>columns << 2; j += 4) store<f32>(spare + j, load<f32>(from + j));
    spare += NR * 4;
    from += fromStep;
  }
}

/** The part of a whole tile that lies inside C. */
function edgeEnd(spare: usize, c: usize, ldc: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++) {
    for (let j: usize = 0; j < <usize>columns << 2; j += 4) store<f32>(c + j, load<f32>(spare + j));
    spare += NR * 4;
    c += ldc;
  }
}

/** Bytes of the spare tile that `multiplyPacked` needs, and of a row of zeros behind it. */
export const SPARE_BYTES: usize = MR * 32 + 64;

/** Makes scratch the spare memory of `multiplyPacked`. */
export function clearSpare(spare: usize): void {
  memory.fill(spare + MR * 32, 0, 32);
}

/**
 * C [m, n] = start + A @ B, from packed panels of depth k.
 * @param stepA bytes from one A panel to the next (PANEL k, or more where the panels hold more steps than these)
 * @param stepB bytes from one B panel to the next
 * @param spare memory of SPARE_BYTES that `clearSpare` has seen
 */
export function multiplyPacked(
  a: usize, stepA: usize, b: usize, stepB: usize, k: i32,
  c: usize, ldc: usize, m: i32, n: i32, start: i32, bias: usize, spare: usize,
): void {
  const zeros = spare + MR * 32;
  for (let j = 0; j < n; j += NR) {
    const columns = min(NR, n - j);
    let panel = a;
    let row = c;
    for (let i = 0; i < m; i += MR) {
      const rows = min(MR, m - i);
      const from = start == FROM_C ? row : start == FROM_BIAS ? bias : zeros;
      const fromStep = start == FROM_C ? ldc : 0;
      if (rows == MR && columns == NR) tile(panel, b, k, row, ldc, from, fromStep);
      else {
        edgeStart(spare, from, fromStep, rows, columns);
        tile(panel, b, k, spare, NR * 4, spare, NR * 4);
        edgeEnd(spare, row, ldc, rows, columns);
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
  clearSpare(spare);
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
