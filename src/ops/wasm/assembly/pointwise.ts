// Number by number: GELU in its exact form, x * Phi(x), and its gradient; sums, scales, rows copied, AdamW.
import { roundUp } from './pack';
import { argument, integer, partCount, partsFor, setArgument } from './pool';
import { erf4, exp4, madd, sumLanes } from './simd';

@inline
function gelu4(x: v128): v128 {
  const half = f32x4.mul(x, f32x4.splat(0.5));
  return madd(half, erf4(f32x4.mul(x, f32x4.splat(0.70710678118654752))), half);
}

/** dy * (Phi(x) + x phi(x)). */
@inline
function geluGrad4(x: v128, dy: v128): v128 {
  const half = f32x4.splat(0.5);
  const phi = madd(half, erf4(f32x4.mul(x, f32x4.splat(0.70710678118654752))), half);
  const density = f32x4.mul(exp4(f32x4.mul(f32x4.mul(x, x), f32x4.splat(-0.5))), f32x4.splat(0.39894228040143268));
  return f32x4.mul(dy, madd(x, density, phi));
}

/** y = GELU(x), n numbers. */
export function geluRow(x: usize, y: usize, n: i32): void {
  const end = x + ((<usize>n & ~3) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, gelu4(v128.load(x)));
  for (let i = n & 3; i > 0; i--, x += 4, y += 4) v128.store_lane<f32>(y, gelu4(v128.load32_splat(x)), 0);
}

/** dx = dy GELU'(x), n numbers. */
function geluGradRow(x: usize, dy: usize, dx: usize, n: i32): void {
  const end = x + ((<usize>n & ~3) << 2);
  for (; x < end; x += 16, dy += 16, dx += 16) v128.store(dx, geluGrad4(v128.load(x), v128.load(dy)));
  for (let i = n & 3; i > 0; i--, x += 4, dy += 4, dx += 4) {
    v128.store_lane<f32>(dx, geluGrad4(v128.load32_splat(x), v128.load32_splat(dy)), 0);
  }
}

/** z = x + y, n numbers. */
function addRow(x: usize, y: usize, z: usize, n: i32): void {
  const whole = (<usize>n & ~3) << 2;
  const end = (<usize>n) << 2;
  let j: usize = 0;
  for (; j < whole; j += 16) v128.store(z + j, f32x4.add(v128.load(x + j), v128.load(y + j)));
  for (; j < end; j += 4) store<f32>(z + j, load<f32>(x + j) + load<f32>(y + j));
}

export const GELU: i32 = 0;
export const GELU_GRAD: i32 = 1;
export const ADD: i32 = 2;

/** z = f(x, y), n numbers; f is one of the constants above, and GELU has no y. */
export function startPointwise(f: i32, x: usize, y: usize, z: usize, n: i32): i32 {
  setArgument(0, f);
  setArgument(1, x);
  setArgument(2, y);
  setArgument(3, z);
  setArgument(4, n);
  return partsFor((<i64>n) << 4);
}

export function pointwisePart(part: i32): void {
  const n = integer(4);
  const parts = partCount();
  const step = roundUp((n + parts - 1) / parts, 4);
  const count = min(n, (part + 1) * step) - part * step;
  if (count <= 0) return;
  const at = (<usize>(part * step)) << 2;
  const x = argument(1) + at;
  const y = argument(2) + at;
  const z = argument(3) + at;
  if (integer(0) == GELU) geluRow(x, z, count);
  else if (integer(0) == GELU_GRAD) geluGradRow(x, y, z, count);
  else addRow(x, y, z, count);
}

/** y = x times one number for each group of `size`: scale has n / size numbers. */
export function scaleGroups(x: usize, scale: usize, y: usize, groups: i32, size: i32): void {
  const whole = (<usize>size & ~3) << 2;
  const end = (<usize>size) << 2;
  for (let i = 0; i < groups; i++) {
    const by = load<f32>(scale);
    const by4 = f32x4.splat(by);
    let j: usize = 0;
    for (; j < whole; j += 16) v128.store(y + j, f32x4.mul(v128.load(x + j), by4));
    for (; j < end; j += 4) store<f32>(y + j, load<f32>(x + j) * by);
    scale += 4;
    x += end;
    y += end;
  }
}

/** y's row i is x's row indices[i]; rows of n numbers. */
export function gatherRows(x: usize, indices: usize, y: usize, count: i32, n: i32): void {
  const bytes = (<usize>n) << 2;
  for (let i = 0; i < count; i++) memory.copy(y + <usize>i * bytes, x + <usize>load<i32>(indices + (<usize>i << 2)) * bytes, bytes);
}

/** dx [rows, n] = 0, then dy's row i is added to its row indices[i]. */
export function scatterRows(dy: usize, indices: usize, dx: usize, count: i32, rows: i32, n: i32): void {
  const bytes = (<usize>n) << 2;
  memory.fill(dx, 0, <usize>rows * bytes);
  for (let i = 0; i < count; i++) {
    const to = dx + <usize>load<i32>(indices + (<usize>i << 2)) * bytes;
    addRow(to, dy + <usize>i * bytes, to, n);
  }
}

/**
 * One AdamW update of n numbers, in place, in the order of PyTorch's: decay, moments, bias-corrected step.
 * `keep` is 1 - learning rate * decay, `stepSize` the learning rate / (1 - beta1^t), `root` sqrt(1 - beta2^t).
 */
export function adamw(
  params: usize, gradients: usize, moment1: usize, moment2: usize, n: i32,
  beta1: f32, beta2: f32, epsilon: f32, keep: f32, stepSize: f32, root: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const b2 = f32x4.splat(beta2);
  const c1 = f32x4.splat(<f32>1 - beta1);
  const c2 = f32x4.splat(<f32>1 - beta2);
  const eps = f32x4.splat(epsilon);
  const keep4 = f32x4.splat(keep);
  const step4 = f32x4.splat(stepSize);
  const inverse = f32x4.splat(<f32>1 / root);
  const whole = (<usize>n & ~3) << 2;
  const end = (<usize>n) << 2;
  let j: usize = 0;
  for (; j < whole; j += 16) {
    const g = v128.load(gradients + j);
    const m = f32x4.add(f32x4.mul(b1, v128.load(moment1 + j)), f32x4.mul(c1, g));
    const v = f32x4.add(f32x4.mul(b2, v128.load(moment2 + j)), f32x4.mul(f32x4.mul(c2, g), g));
    v128.store(moment1 + j, m);
    v128.store(moment2 + j, v);
    const slope = f32x4.div(f32x4.mul(step4, m), f32x4.add(f32x4.mul(f32x4.sqrt(v), inverse), eps));
    v128.store(params + j, f32x4.sub(f32x4.mul(v128.load(params + j), keep4), slope));
  }
  for (; j < end; j += 4) {
    const g = load<f32>(gradients + j);
    const m = beta1 * load<f32>(moment1 + j) + (<f32>1 - beta1) * g;
    const v = beta2 * load<f32>(moment2 + j) + (<f32>1 - beta2) * g * g;
    store<f32>(moment1 + j, m);
    store<f32>(moment2 + j, v);
    store<f32>(params + j, load<f32>(params + j) * keep - (stepSize * m) / (sqrt<f32>(v) / root + epsilon));
  }
}

/** x = by * x, n numbers; answers the sum of the new squares. */
export function scaleAndSquare(x: usize, by: f32, n: i32): f64 {
  const by4 = f32x4.splat(by);
  const whole = (<usize>n & ~3) << 2;
  const end = (<usize>n) << 2;
  let total: f64 = 0;
  let j: usize = 0;
  while (j < whole) {
    // Sums in single precision stay short.
    const stop = min(whole, j + 1024);
    let s = f32x4.splat(0);
    for (; j < stop; j += 16) {
      const y = f32x4.mul(v128.load(x + j), by4);
      v128.store(x + j, y);
      s = madd(y, y, s);
    }
    total += <f64>sumLanes(s);
  }
  for (; j < end; j += 4) {
    const y = load<f32>(x + j) * by;
    store<f32>(x + j, y);
    total += <f64>y * <f64>y;
  }
  return total;
}

/** y += share * (x - y), n numbers. */
export function approach(y: usize, x: usize, share: f32, n: i32): void {
  const share4 = f32x4.splat(share);
  const whole = (<usize>n & ~3) << 2;
  const end = (<usize>n) << 2;
  let j: usize = 0;
  for (; j < whole; j += 16) {
    const old = v128.load(y + j);
    v128.store(y + j, madd(share4, f32x4.sub(v128.load(x + j), old), old));
  }
  for (; j < end; j += 4) {
    const old = load<f32>(y + j);
    store<f32>(y + j, old + share * (load<f32>(x + j) - old));
  }
}
