// Multi-head attention and its gradient, head by head and block of queries by block of queries: the scores of one
// block are all that is ever in memory. A head's matrices are strided slices of the packed [B, N, 3D] or [B, N, 2D]; packing evens that
// out. Threads share the heads.
import { exp4, madd, maxLanes, sumLanes } from './simd';
import { MR, NR, packA, packB, roundUp } from './pack';
import { FROM_C, FROM_ZERO, SPARE_BYTES, multiplyPacked } from './gemm';
import { argument, integer, setArgument, threadCount, threadNumber } from './pool';

/** Queries per block: a multiple of the micro-tile's rows; 800 keys make a block of scores of 192 KB. */
const ROWS: i32 = 60;

function floats(count: i32): usize {
  return (((<usize>count) << 2) + 63) & ~63;
}

/**
 * Each row of scores [rows, n] (stride `ld` bytes, n padded to a multiple of 4) becomes e^(scale (s - max)); its sum's
 * inverse goes to `inverse`. `normalize` multiplies the row by it.
 */
function softmaxRows(scores: usize, ld: usize, rows: i32, n: i32, scale: f32, inverse: usize, normalize: bool): void {
  const end = (<usize>roundUp(n, 4)) << 2;
  const s4 = f32x4.splat(scale);
  for (let i = 0; i < rows; i++) {
    for (let j = (<usize>n) << 2; j < end; j += 4) store<f32>(scores + j, -3.4e38);
    let most4 = v128.load(scores);
    for (let j: usize = 16; j < end; j += 16) most4 = f32x4.pmax(most4, v128.load(scores + j));
    const most = f32x4.splat(maxLanes(most4));
    let sum4 = f32x4.splat(0);
    for (let j: usize = 0; j < end; j += 16) {
      const e = exp4(f32x4.mul(f32x4.sub(v128.load(scores + j), most), s4));
      v128.store(scores + j, e);
      sum4 = f32x4.add(sum4, e);
    }
    const inv: f32 = <f32>1 / sumLanes(sum4);
    store<f32>(inverse + ((<usize>i) << 2), inv);
    if (normalize) {
      const inv4 = f32x4.splat(inv);
      for (let j: usize = 0; j < end; j += 16) v128.store(scores + j, f32x4.mul(v128.load(scores + j), inv4));
    }
    scores += ld;
  }
}

/** Bytes of scratch that one thread needs for attention; `width` is a head's. */
export function attentionScratchBytes(queries: i32, keys: i32, width: i32): usize {
  const rows = roundUp(min(queries, ROWS), MR);
  return (
    64 + SPARE_BYTES + floats(roundUp(keys, NR) * width) + floats(keys * roundUp(width, NR)) +
    floats(rows * max(width, keys)) + floats(rows * roundUp(keys, NR)) + floats(rows)
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
  // Whole heads where they are enough for all threads; else heads by blocks of queries.
  const units = batch * heads;
  const spread = threadCount() == 1 || units % threadCount() == 0 ? 1 : (4 * threadCount() + units - 1) / units;
  const blocks = min(spread, (queries + ROWS - 1) / ROWS);
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
  setArgument(12, blocks);
  return units * max(1, blocks);
}

/** One head of one clip, or some of its queries. */
export function attentionPart(part: i32): void {
  const ldq = argument(1);
  const ldk = argument(4);
  const queries = integer(6);
  const keys = integer(7);
  const heads = integer(8);
  const width = integer(9);
  const blocks = max(1, integer(12));
  const unit = part / blocks;
  const n = unit / heads;
  const head = (<usize>((unit % heads) * width)) << 2;
  const step = roundUp((queries + blocks - 1) / blocks, MR);
  const first = (part % blocks) * step;
  const last = min(queries, first + step);
  const ldo = (<usize>(heads * width)) << 2;
  const keysPadded = roundUp(keys, NR);
  const ldScores = (<usize>keysPadded) << 2;
  const scale: f32 = <f32>1 / sqrt<f32>(<f32>width);
  const blockRows = roundUp(min(queries, ROWS), MR);
  const spare = (argument(10) + <usize>threadNumber() * argument(11) + 63) & ~63;
  const packedK = spare + SPARE_BYTES;
  const packedV = packedK + floats(keysPadded * width);
  const packed = packedV + floats(keys * roundUp(width, NR));
  const scores = packed + floats(blockRows * max(width, keys));
  const inverse = scores + floats(blockRows * keysPadded);
  const fromKeys = <usize>(n * keys) * ldk + head;
  packB(argument(2) + fromKeys, ldk, true, width, keys, packedK);
  packB(argument(3) + fromKeys, ldk, false, keys, width, packedV);
  for (let i = first; i < last; i += ROWS) {
    const rows = min(ROWS, last - i);
    const out = argument(5) + <usize>(n * queries + i) * ldo + head;
    packA(argument(0) + <usize>(n * queries + i) * ldq + head, ldq, false, rows, width, packed);
    multiplyPacked(
      packed, width * 20, packedK, width * 32, width,
      scores, ldScores, roundUp(rows, MR), keysPadded, FROM_ZERO, 0, spare,
    );
    softmaxRows(scores, ldScores, rows, keys, scale, inverse, false);
    packA(scores, ldScores, false, rows, keys, packed);
    multiplyPacked(packed, keys * 20, packedV, keys * 32, keys, out, ldo, rows, width, FROM_ZERO, 0, spare);
    let row = out;
    for (let r = 0; r < rows; r++) {
      scaleRow(row, load<f32>(inverse + ((<usize>r) << 2)), width);
      row += ldo;
    }
  }
}

function scaleRow(x: usize, by: f32, n: i32): void {
  const whole = x + ((<usize>n & ~3) << 2);
  const end = x + ((<usize>n) << 2);
  const by4 = f32x4.splat(by);
  for (; x < whole; x += 16) v128.store(x, f32x4.mul(v128.load(x), by4));
  for (; x < end; x += 4) store<f32>(x, load<f32>(x) * by);
}

/** Bytes of scratch that one thread needs for attention's gradient. */
export function attentionGradScratchBytes(queries: i32, keys: i32, width: i32): usize {
  const rows = roundUp(min(queries, ROWS), MR);
  const keysPadded = roundUp(keys, NR);
  return (
    64 + SPARE_BYTES + 2 * floats(keysPadded * width) + floats(keys * roundUp(width, NR)) +
    floats(max(rows * max(width, keys), rows * roundUp(keys, MR))) + floats(rows * roundUp(width, NR)) +
    2 * floats(rows * keysPadded) + floats(rows)
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
  const inverse = grads + floats(blockRows * keysPadded);
  const widthA: usize = width * 20;
  const widthB: usize = width * 32;
  const atKeys = <usize>(n * keys) * ldk + head;
  const dk = argument(7) + atKeys;
  const dv = argument(8) + atKeys;
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
    softmaxRows(scores, ldScores, rows, keys, scale, inverse, true);
    // dv += P^T dy
    packB(dy, ldy, false, rows, width, packedRows);
    packA(scores, ldScores, true, keys, rows, packed);
    multiplyPacked(packed, rows * 20, packedRows, rows * 32, rows, dv, ldk, keys, width, start, 0, spare);
    // dP = dy v^T, then dS
    packA(dy, ldy, false, rows, width, packed);
    multiplyPacked(packed, widthA, packedVt, widthB, width, grads, ldScores, padded, keysPadded, FROM_ZERO, 0, spare);
    softmaxGradRows(scores, grads, ldScores, rows, keys, scale);
    // dq = dS k
    packA(grads, ldScores, false, rows, keys, packed);
    multiplyPacked(packed, keys * 20, packedK, keys * 32, keys, argument(6) + atQ, ldq, rows, width, FROM_ZERO, 0, spare);
    // dk += dS^T q
    packB(q, ldq, false, rows, width, packedRows);
    packA(grads, ldScores, true, keys, rows, packed);
    multiplyPacked(packed, rows * 20, packedRows, rows * 32, rows, dk, ldk, keys, width, start, 0, spare);
  }
}
