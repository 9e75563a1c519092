// Multi-head attention and its gradient, head by head and block of queries by block of queries: the scores of one
// block are all that is ever in memory. A head's matrices are strided slices of [B, N, D]; packing evens that out.
import { exp4, madd, maxLanes, sumLanes } from './simd';
import { MR, NR, packA, packB, roundUp } from './pack';
import { FROM_C, FROM_ZERO, SPARE_BYTES, multiplyPacked } from './gemm';

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

/** Bytes of scratch that `attention` needs; `width` is a head's. */
export function attentionScratchBytes(queries: i32, keys: i32, width: i32): usize {
  const rows = roundUp(min(queries, ROWS), MR);
  return (
    64 + SPARE_BYTES + floats(roundUp(keys, NR) * width) + floats(keys * roundUp(width, NR)) +
    floats(rows * max(width, keys)) + floats(rows * roundUp(keys, NR)) + floats(rows)
  );
}

/** out [batch, queries, D] = softmax(q k^T / sqrt(D / heads)) v for each head; q like out, k and v [batch, keys, D]. */
export function attention(
  q: usize, k: usize, v: usize, out: usize,
  batch: i32, queries: i32, keys: i32, heads: i32, width: i32, scratch: usize,
): void {
  const ld = (<usize>(heads * width)) << 2;
  const keysPadded = roundUp(keys, NR);
  const ldScores = (<usize>keysPadded) << 2;
  const scale: f32 = <f32>1 / sqrt<f32>(<f32>width);
  const blockRows = roundUp(min(queries, ROWS), MR);
  const spare = (scratch + 63) & ~63;
  const packedK = spare + SPARE_BYTES;
  const packedV = packedK + floats(keysPadded * width);
  const packed = packedV + floats(keys * roundUp(width, NR));
  const scores = packed + floats(blockRows * max(width, keys));
  const inverse = scores + floats(blockRows * keysPadded);
  for (let n = 0; n < batch; n++) {
    for (let h = 0; h < heads; h++) {
      const head = (<usize>(h * width)) << 2;
      const fromKeys = <usize>(n * keys) * ld + head;
      packB(k + fromKeys, ld, true, width, keys, packedK);
      packB(v + fromKeys, ld, false, keys, width, packedV);
      for (let i = 0; i < queries; i += ROWS) {
        const rows = min(ROWS, queries - i);
        const at = <usize>(n * queries + i) * ld + head;
        packA(q + at, ld, false, rows, width, packed);
        multiplyPacked(
          packed, width * 20, packedK, width * 32, width,
          scores, ldScores, roundUp(rows, MR), keysPadded, FROM_ZERO, 0, spare,
        );
        softmaxRows(scores, ldScores, rows, keys, scale, inverse, false);
        packA(scores, ldScores, false, rows, keys, packed);
        multiplyPacked(packed, keys * 20, packedV, keys * 32, keys, out + at, ld, rows, width, FROM_ZERO, 0, spare);
        let row = out + at;
        for (let r = 0; r < rows; r++) {
          scaleRow(row, load<f32>(inverse + ((<usize>r) << 2)), width);
          row += ld;
        }
      }
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

/** Bytes of scratch that `attentionGrad` needs. */
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

/** Gradients of `attention`, with the scores computed again block by block. */
export function attentionGrad(
  q: usize, k: usize, v: usize, dy: usize, dq: usize, dk: usize, dv: usize,
  batch: i32, queries: i32, keys: i32, heads: i32, width: i32, scratch: usize,
): void {
  const ld = (<usize>(heads * width)) << 2;
  const keysPadded = roundUp(keys, NR);
  const widthPadded = roundUp(width, NR);
  const ldScores = (<usize>keysPadded) << 2;
  const scale: f32 = <f32>1 / sqrt<f32>(<f32>width);
  const blockRows = roundUp(min(queries, ROWS), MR);
  const spare = (scratch + 63) & ~63;
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
  for (let n = 0; n < batch; n++) {
    for (let h = 0; h < heads; h++) {
      const head = (<usize>(h * width)) << 2;
      const atKeys = <usize>(n * keys) * ld + head;
      packB(k + atKeys, ld, true, width, keys, packedKt);
      packB(v + atKeys, ld, true, width, keys, packedVt);
      packB(k + atKeys, ld, false, keys, width, packedK);
      for (let i = 0; i < queries; i += ROWS) {
        const rows = min(ROWS, queries - i);
        const padded = roundUp(rows, MR);
        const start = i == 0 ? FROM_ZERO : FROM_C;
        const at = <usize>(n * queries + i) * ld + head;
        packA(q + at, ld, false, rows, width, packed);
        multiplyPacked(packed, widthA, packedKt, widthB, width, scores, ldScores, padded, keysPadded, FROM_ZERO, 0, spare);
        softmaxRows(scores, ldScores, rows, keys, scale, inverse, true);
        // dv += P^T dy
        packB(dy + at, ld, false, rows, width, packedRows);
        packA(scores, ldScores, true, keys, rows, packed);
        multiplyPacked(packed, rows * 20, packedRows, rows * 32, rows, dv + atKeys, ld, keys, width, start, 0, spare);
        // dP = dy v^T, then dS
        packA(dy + at, ld, false, rows, width, packed);
        multiplyPacked(packed, widthA, packedVt, widthB, width, grads, ldScores, padded, keysPadded, FROM_ZERO, 0, spare);
        softmaxGradRows(scores, grads, ldScores, rows, keys, scale);
        // dq = dS k
        packA(grads, ldScores, false, rows, keys, packed);
        multiplyPacked(packed, keys * 20, packedK, keys * 32, keys, dq + at, ld, rows, width, FROM_ZERO, 0, spare);
        // dk += dS^T q
        packB(q + at, ld, false, rows, width, packedRows);
        packA(grads, ldScores, true, keys, rows, packed);
        multiplyPacked(packed, rows * 20, packedRows, rows * 32, rows, dk + atKeys, ld, keys, width, start, 0, spare);
      }
    }
  }
}
