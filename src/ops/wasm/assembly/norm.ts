// Layer norm over rows, its gradient, and column sums. A row fits in L1, so that its passes cost little.
// Sums over rows go by blocks, so that thousands of rows do not lose digits in one running sum.
import { argument, float, integer, partCount, partsFor, setArgument, setFloat } from './pool';
import { madd, sumLanes } from './simd';

/** Rows summed before they are added to the total. */
const BLOCK: i32 = 64;

// Four sums side by side: one alone would wait for each addition before the next.
function rowMean(x: usize, d: i32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let j: usize = 0;
  const blocks = (<usize>d & ~15) << 2;
  const whole = (<usize>d & ~3) << 2;
  const end = (<usize>d) << 2;
  for (; j < blocks; j += 64) {
    s0 = f32x4.add(s0, v128.load(x + j));
    s1 = f32x4.add(s1, v128.load(x + j, 16));
    s2 = f32x4.add(s2, v128.load(x + j, 32));
    s3 = f32x4.add(s3, v128.load(x + j, 48));
  }
  for (; j < whole; j += 16) s0 = f32x4.add(s0, v128.load(x + j));
  let sum = sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (; j < end; j += 4) sum += load<f32>(x + j);
  return sum / <f32>d;
}

function rowScale(x: usize, mean: f32, d: i32, epsilon: f32): f32 {
  const m = f32x4.splat(mean);
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let j: usize = 0;
  const blocks = (<usize>d & ~15) << 2;
  const whole = (<usize>d & ~3) << 2;
  const end = (<usize>d) << 2;
  for (; j < blocks; j += 64) {
    const c0 = f32x4.sub(v128.load(x + j), m);
    const c1 = f32x4.sub(v128.load(x + j, 16), m);
    const c2 = f32x4.sub(v128.load(x + j, 32), m);
    const c3 = f32x4.sub(v128.load(x + j, 48), m);
    s0 = madd(c0, c0, s0);
    s1 = madd(c1, c1, s1);
    s2 = madd(c2, c2, s2);
    s3 = madd(c3, c3, s3);
  }
  for (; j < whole; j += 16) {
    const c = f32x4.sub(v128.load(x + j), m);
    s0 = madd(c, c, s0);
  }
  let sum = sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (; j < end; j += 4) {
    const c = load<f32>(x + j) - mean;
    sum += c * c;
  }
  return <f32>1 / sqrt<f32>(sum / <f32>d + epsilon);
}

/** y = (x - mean) / sqrt(variance + epsilon) * weight + bias, for each row of x [rows, d]. */
export function startLayerNorm(
  x: usize, weight: usize, bias: usize, y: usize, rows: i32, d: i32, epsilon: f32,
): i32 {
  setArgument(0, x);
  setArgument(1, weight);
  setArgument(2, bias);
  setArgument(3, y);
  setArgument(4, rows);
  setArgument(5, d);
  setFloat(6, epsilon);
  return partsFor((<i64>rows * <i64>d) << 2);
}

export function layerNormPart(part: i32): void {
  const step = (integer(4) + partCount() - 1) / partCount();
  const d = integer(5);
  const first = part * step;
  const at = <usize>first * ((<usize>d) << 2);
  const rows = min(integer(4), first + step) - first;
  normRows(argument(0) + at, argument(1), argument(2), argument(3) + at, rows, d, float(6));
}

function normRows(x: usize, weight: usize, bias: usize, y: usize, rows: i32, d: i32, epsilon: f32): void {
  const whole = (<usize>d & ~3) << 2;
  const end = (<usize>d) << 2;
  for (let i = 0; i < rows; i++) {
    const mean = rowMean(x, d);
    const scale = rowScale(x, mean, d, epsilon);
    const m = f32x4.splat(mean);
    const s = f32x4.splat(scale);
    let j: usize = 0;
    for (; j < whole; j += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + j), m), s);
      v128.store(y + j, madd(normal, v128.load(weight + j), v128.load(bias + j)));
    }
    for (; j < end; j += 4) {
      store<f32>(y + j, (load<f32>(x + j) - mean) * scale * load<f32>(weight + j) + load<f32>(bias + j));
    }
    x += end;
    y += end;
  }
}

/** total += part; part = 0. */
function flush(part: usize, total: usize, d: i32): void {
  for (let j = 0; j < d; j++) {
    store<f32>(total, load<f32>(total) + load<f32>(part));
    store<f32>(part, 0);
    part += 4;
    total += 4;
  }
}

/** Gradients of `layerNorm`. Needs scratch for 2 d floats. */
export function layerNormGrad(
  x: usize, weight: usize, dy: usize, dx: usize, dWeight: usize, dBias: usize,
  rows: i32, d: i32, epsilon: f32, scratch: usize,
): void {
  const whole = (<usize>d & ~3) << 2;
  const end = (<usize>d) << 2;
  const partWeight = scratch;
  const partBias = scratch + end;
  memory.fill(scratch, 0, 2 * end);
  memory.fill(dWeight, 0, end);
  memory.fill(dBias, 0, end);
  for (let i = 0; i < rows; i++) {
    const mean = rowMean(x, d);
    const scale = rowScale(x, mean, d, epsilon);
    const m = f32x4.splat(mean);
    const s = f32x4.splat(scale);
    let sum4 = f32x4.splat(0);
    let dot4 = f32x4.splat(0);
    let j: usize = 0;
    for (; j < whole; j += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + j), m), s);
      const g = v128.load(dy + j);
      const gw = f32x4.mul(g, v128.load(weight + j));
      sum4 = f32x4.add(sum4, gw);
      dot4 = madd(gw, normal, dot4);
      v128.store(partWeight + j, madd(g, normal, v128.load(partWeight + j)));
      v128.store(partBias + j, f32x4.add(g, v128.load(partBias + j)));
    }
    let sum = sumLanes(sum4);
    let dot = sumLanes(dot4);
    for (; j < end; j += 4) {
      const normal = (load<f32>(x + j) - mean) * scale;
      const g = load<f32>(dy + j);
      const gw = g * load<f32>(weight + j);
      sum += gw;
      dot += gw * normal;
      store<f32>(partWeight + j, load<f32>(partWeight + j) + g * normal);
      store<f32>(partBias + j, load<f32>(partBias + j) + g);
    }
    sum /= <f32>d;
    dot /= <f32>d;
    sum4 = f32x4.splat(sum);
    dot4 = f32x4.splat(dot);
    j = 0;
    for (; j < whole; j += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + j), m), s);
      const gw = f32x4.mul(v128.load(dy + j), v128.load(weight + j));
      v128.store(dx + j, f32x4.mul(s, f32x4.sub(f32x4.sub(gw, sum4), f32x4.mul(normal, dot4))));
    }
    for (; j < end; j += 4) {
      const normal = (load<f32>(x + j) - mean) * scale;
      store<f32>(dx + j, scale * (load<f32>(dy + j) * load<f32>(weight + j) - sum - normal * dot));
    }
    if (i % BLOCK == BLOCK - 1 || i == rows - 1) {
      flush(partWeight, dWeight, d);
      flush(partBias, dBias, d);
    }
    x += end;
    dy += end;
    dx += end;
  }
}

/** y [n] = the sum of x [m, n] over its rows. Needs scratch for n floats. */
export function columnSum(x: usize, y: usize, m: i32, n: i32, scratch: usize): void {
  const whole = (<usize>n & ~3) << 2;
  const end = (<usize>n) << 2;
  memory.fill(scratch, 0, end);
  memory.fill(y, 0, end);
  for (let i = 0; i < m; i++) {
    let j: usize = 0;
    for (; j < whole; j += 16) v128.store(scratch + j, f32x4.add(v128.load(scratch + j), v128.load(x + j)));
    for (; j < end; j += 4) store<f32>(scratch + j, load<f32>(scratch + j) + load<f32>(x + j));
    if (i % BLOCK == BLOCK - 1 || i == m - 1) flush(scratch, y, n);
    x += end;
  }
}

/** y [batch, n] = the means of x [batch, tokens, n] over its tokens. Needs scratch for n floats. */
export function tokenMean(x: usize, y: usize, batch: i32, tokens: i32, n: i32, scratch: usize): void {
  const inverse: f32 = <f32>1 / <f32>tokens;
  for (let i = 0; i < batch; i++) {
    columnSum(x, y, tokens, n, scratch);
    for (let j = 0; j < n; j++) store<f32>(y + (<usize>j << 2), load<f32>(y + (<usize>j << 2)) * inverse);
    x += (<usize>(tokens * n)) << 2;
    y += (<usize>n) << 2;
  }
}
