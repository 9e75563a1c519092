// Multi-head attention and its gradient, head by head and some queries at a time: their scores are all of the score
// matrix that is ever in memory. A head's matrices are strided slices of the packed [B, N, 3D] or [B, N, 2D]; packing
// evens that out. Threads share the heads.
import { exp2Negative4, madd, maxLanes, sumLanes } from './simd';
import { MR, NR, PANEL, packA, packB, roundUp } from './pack';
import { FROM_C, FROM_ZERO, SPARE_BYTES, clearSpare, multiplyPacked } from './gemm';
import { argument, integer, setArgument, threadCount, threadNumber } from './pool';

/** Queries per block of the gradient: a multiple of the micro-tile's rows; 800 keys make a block of scores of 192 KB. */
const ROWS: i32 = 60;

const LOG2E: f32 = 1.44269504088896341;

function floats(count: i32): usize {
  return (((<usize>count) << 2) + 63) & ~63;
}

/** Each row of scores [rows, n] (stride `ld` bytes, n padded to a multiple of 4) becomes softmax(scale * row). */
function softmaxRows(scores: usize, ld: usize, rows: i32, n: i32, scale: f32): void {
  const end = (<usize>roundUp(n, 4)) << 2;
  const s4 = f32x4.splat(scale * LOG2E);
  for (let i = 0; i < rows; i++) {
    for (let j = (<usize>n) << 2; j < end; j += 4) store<f32>(scores + j, -3.4e38);
    let most4 = v128.load(scores);
    for (let j: usize = 16; j < end; j += 16) most4 = f32x4.pmax(most4, v128.load(scores + j));
    const most = f32x4.splat(maxLanes(most4));
    let sum4 = f32x4.splat(0);
    for (let j: usize = 0; j < end; j += 16) {
      const e = exp2Negative4(f32x4.mul(f32x4.sub(v128.load(scores + j), most), s4));
      v128.store(scores + j, e);
      sum4 = f32x4.add(sum4, e);
    }
    const inverse = f32x4.splat(<f32>1 / sumLanes(sum4));
    for (let j: usize = 0; j < end; j += 16) v128.store(scores + j, f32x4.mul(v128.load(scores + j), inverse));
    scores += ld;
  }
}

/**
 * Scores [n, 8] of eight queries in place: e^(scale (s - max)) down each column, and the inverses of their sums to
 * `inverse` [8].
 */
function softmaxColumns(scores: usize, n: i32, scale: f32, inverse: usize): void {
  const end = scores + ((<usize>n) << 5);
  const s4 = f32x4.splat(scale * LOG2E);
  let most0 = v128.load(scores);
  let most1 = v128.load(scores, 16);
  for (let at = scores + 32; at < end; at += 32) {
    most0 = f32x4.pmax(most0, v128.load(at));
    most1 = f32x4.pmax(most1, v128.load(at, 16));
  }
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (let at = scores; at < end; at += 32) {
    const e0 = exp2Negative4(f32x4.mul(f32x4.sub(v128.load(at), most0), s4));
    const e1 = exp2Negative4(f32x4.mul(f32x4.sub(v128.load(at, 16), most1), s4));
    v128.store(at, e0);
    v128.store(at, e1, 16);
    sum0 = f32x4.add(sum0, e0);
    sum1 = f32x4.add(sum1, e1);
  }
  const one = f32x4.splat(1);
  v128.store(inverse, f32x4.div(one, sum0));
  v128.store(inverse, f32x4.div(one, sum1), 16);
}

/** to [rows, n], rows `ld` bytes apart, = from [n, 8], its first `rows` columns times `by` [8]. */
function storeColumns(from: usize, by: usize, to: usize, ld: usize, rows: i32, n: i32): void {
  const by0 = v128.load(by);
  const by1 = v128.load(by, 16);
  for (let j = 0; j < n; j++) {
    v128.store(from, f32x4.mul(v128.load(from), by0));
    v128.store(from, f32x4.mul(v128.load(from, 16), by1), 16);
    const column = to + ((<usize>j) << 2);
    for (let i = 0; i < rows; i++) store<f32>(column + <usize>i * ld, load<f32>(from + ((<usize>i) << 2)));
    from += 32;
  }
}

/** Bytes of scratch that one thread needs for attention; `width` is a head's. */
export function attentionScratchBytes(queries: i32, keys: i32, width: i32): usize {
  const keysPadded = roundUp(keys, MR);
  const widthPadded = roundUp(width, MR);
  return (
    128 + SPARE_BYTES + floats(keysPadded * width) + floats(widthPadded * keys) + floats(NR * width) + floats(keysPadded * NR) +
    floats(widthPadded * NR) + floats(NR)
  );
}

/**
 * out [batch, queries, D] = softmax(q k^T / sqrt(D / heads)) v for each head. Rows of q are `ldq` bytes apart, those of
 * k and v `ldk`; a clip's follow the one's before. Scratch is for each thread `scratchStep` bytes.
 */
export function startAttention(
  q: usize, ldq: usize, k: usize, v: usize, ldk: usize, out: usize,
  batch: i32, queries: i32, keys: i32, heads: i32, width: i32, scratch: usize, scratchStep: usize,
): i32 {
  // Whole heads where they are enough for all threads; else heads by groups of queries.
  const units = batch * heads;
  const spread = threadCount() == 1 || units % threadCount() == 0 ? 1 : (4 * threadCount() + units - 1) / units;
  const groups = max(1, min(spread, queries / 64));
  setArgument(0, q);
  setArgument(1, ldq);
  setArgument(2, k);
  setArgument(3, v);
  setArgument(4, ldk);
  setArgument(5, out);
  setArgument(6, queries);
  setArgument(7, keys);
  setArgument(8, heads);
  setArgument(9, width);
  setArgument(10, scratch);
  setArgument(11, scratchStep);
  setArgument(12, groups);
  return units * groups;
}

/**
 * One head of one clip, or some of its queries; eight queries at a time. Their scores are made transposed, [keys, 8]:
 * that is the packed form in which the product with the values reads them, and softmax goes down its columns.
 */
export function attentionPart(part: i32): void {
  const ldq = argument(1);
  const ldk = argument(4);
  const queries = integer(6);
  const keys = integer(7);
  const heads = integer(8);
  const width = integer(9);
  const groups = integer(12);
  const unit = part / groups;
  const n = unit / heads;
  const head = (<usize>((unit % heads) * width)) << 2;
  const step = roundUp((queries + groups - 1) / groups, NR);
  const first = (part % groups) * step;
  const last = min(queries, first + step);
  const ldo = (<usize>(heads * width)) << 2;
  const scale: f32 = <f32>1 / sqrt<f32>(<f32>width);
  const keysPadded = roundUp(keys, MR);
  const widthPadded = roundUp(width, MR);
  const spare = (argument(10) + <usize>threadNumber() * argument(11) + 63) & ~63;
  const packedK = spare + SPARE_BYTES;
  const packedV = packedK + floats(keysPadded * width);
  const packedQ = packedV + floats(widthPadded * keys);
  const scores = packedQ + floats(NR * width);
  const sums = scores + floats(keysPadded * NR);
  const inverse = sums + floats(widthPadded * NR);
  const fromKeys = <usize>(n * keys) * ldk + head;
  clearSpare(spare);
  packA(argument(2) + fromKeys, ldk, false, keys, width, packedK);
  packA(argument(3) + fromKeys, ldk, true, width, keys, packedV);
  for (let i = first; i < last; i += NR) {
    const rows = min(NR, last - i);
    packB(argument(0) + <usize>(n * queries + i) * ldq + head, ldq, true, width, rows, packedQ);
    multiplyPacked(packedK, width * PANEL, packedQ, 0, width, scores, 32, keysPadded, NR, FROM_ZERO, 0, spare);
    softmaxColumns(scores, keys, scale, inverse);
    multiplyPacked(packedV, keys * PANEL, scores, 0, keys, sums, 32, widthPadded, NR, FROM_ZERO, 0, spare);
    storeColumns(sums, inverse, argument(5) + <usize>(n * queries + i) * ldo + head, ldo, rows, width);
  }
}

/** Bytes of scratch that one thread needs for attention's gradient. */
export function attentionGradScratchBytes(queries: i32, keys: i32, width: i32): usize {
  const rows = roundUp(min(queries, ROWS), MR);
  const keysPadded = roundUp(keys, NR);
  return (
    64 + SPARE_BYTES + 2 * floats(keysPadded * width) + floats(keys * roundUp(width, NR)) +
    floats(max(rows * max(width, keys), rows * roundUp(keys, MR))) + floats(rows * roundUp(width, NR)) +
    2 * floats(rows * keysPadded)
  );
}

/** grads = probabilities * (grads - sum over the row of probabilities * grads) * scale, row by row. */
function softmaxGradRows(probabilities: usize, grads: usize, ld: usize, rows: i32, n: i32, scale: f32): void {
  const end = (<usize>roundUp(n, 4)) << 2;
  const s4 = f32x4.splat(scale);
  for (let i = 0; i < rows; i++) {
    let dot4 = f32x4.splat(0);
    for (let j: usize = 0; j < end; j += 16) {
      dot4 = madd(v128.load(probabilities + j), v128.load(grads + j), dot4);
    }
    dot4 = f32x4.splat(sumLanes(dot4));
    for (let j: usize = 0; j < end; j += 16) {
      const g = f32x4.mul(f32x4.sub(v128.load(grads + j), dot4), s4);
      v128.store(grads + j, f32x4.mul(v128.load(probabilities + j), g));
    }
    probabilities += ld;
    grads += ld;
  }
}

/**
 * Gradients of attention, with the scores computed again block by block. dq has the layout of q; dk and dv that of k
 * and v; dy is dense.
 */
export function startAttentionGrad(
  q: usize, ldq: usize, k: usize, v: usize, ldk: usize, dy: usize, dq: usize, dk: usize, dv: usize,
  batch: i32, queries: i32, keys: i32, heads: i32, width: i32, scratch: usize, scratchStep: usize,
): i32 {
  setArgument(0, q);
  setArgument(1, ldq);
  setArgument(2, k);
  setArgument(3, v);
  setArgument(4, ldk);
  setArgument(5, dy);
  setArgument(6, dq);
  setArgument(7, dk);
  setArgument(8, dv);
  setArgument(9, queries);
  setArgument(10, keys);
  setArgument(11, heads);
  setArgument(12, width);
  setArgument(13, scratch);
  setArgument(14, scratchStep);
  return batch * heads;
}

/** One head of one clip. */
export function attentionGradPart(part: i32): void {
  const ldq = argument(1);
  const ldk = argument(4);
  const queries = integer(9);
  const keys = integer(10);
  const heads = integer(11);
  const width = integer(12);
  const n = part / heads;
  const head = (<usize>((part % heads) * width)) << 2;
  const ldy = (<usize>(heads * width)) << 2;
  const keysPadded = roundUp(keys, NR);
  const widthPadded = roundUp(width, NR);
  const ldScores = (<usize>keysPadded) << 2;
  const scale: f32 = <f32>1 / sqrt<f32>(<f32>width);
  const blockRows = roundUp(min(queries, ROWS), MR);
  const spare = (argument(13) + <usize>threadNumber() * argument(14) + 63) & ~63;
  const packedKt = spare + SPARE_BYTES;
  const packedVt = packedKt + floats(keysPadded * width);
  const packedK = packedVt + floats(keysPadded * width);
  const packedRows = packedK + floats(keys * widthPadded);
  const packed = packedRows + floats(blockRows * widthPadded);
  const scores = packed + floats(max(blockRows * max(width, keys), blockRows * roundUp(keys, MR)));
  const grads = scores + floats(blockRows * keysPadded);
  const widthA: usize = width * PANEL;
  const widthB: usize = width * 32;
  const atKeys = <usize>(n * keys) * ldk + head;
  const dk = argument(7) + atKeys;
  const dv = argument(8) + atKeys;
  clearSpare(spare);
  packB(argument(2) + atKeys, ldk, true, width, keys, packedKt);
  packB(argument(3) + atKeys, ldk, true, width, keys, packedVt);
  packB(argument(2) + atKeys, ldk, false, keys, width, packedK);
  for (let i = 0; i < queries; i += ROWS) {
    const rows = min(ROWS, queries - i);
    const padded = roundUp(rows, MR);
    const start = i == 0 ? FROM_ZERO : FROM_C;
    const atQ = <usize>(n * queries + i) * ldq + head;
    const q = argument(0) + atQ;
    const dy = argument(5) + <usize>(n * queries + i) * ldy + head;
    packA(q, ldq, false, rows, width, packed);
    multiplyPacked(packed, widthA, packedKt, widthB, width, scores, ldScores, padded, keysPadded, FROM_ZERO, 0, spare);
    softmaxRows(scores, ldScores, rows, keys, scale);
    // dv += P^T dy
    packB(dy, ldy, false, rows, width, packedRows);
    packA(scores, ldScores, true, keys, rows, packed);
    multiplyPacked(packed, rows * PANEL, packedRows, rows * 32, rows, dv, ldk, keys, width, start, 0, spare);
    // dP = dy v^T, then dS
    packA(dy, ldy, false, rows, width, packed);
    multiplyPacked(packed, widthA, packedVt, widthB, width, grads, ldScores, padded, keysPadded, FROM_ZERO, 0, spare);
    softmaxGradRows(scores, grads, ldScores, rows, keys, scale);
    // dq = dS k
    packA(grads, ldScores, false, rows, keys, packed);
    multiplyPacked(packed, keys * PANEL, packedK, keys * 32, keys, argument(6) + atQ, ldq, rows, width, FROM_ZERO, 0, spare);
    // dk += dS^T q
    packB(q, ldq, false, rows, width, packedRows);
    packA(grads, ldScores, true, keys, rows, packed);
    multiplyPacked(packed, rows * PANEL, packedRows, rows * 32, rows, dk, ldk, keys, width, start, 0, spare);
  }
}
