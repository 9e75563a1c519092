// GELU in its exact form, x * Phi(x), and its gradient.
import { erf4, exp4, madd } from './simd';

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
export function gelu(x: usize, y: usize, n: i32): void {
  const end = x + ((<usize>n & ~3) << 2);
  for (; x < end; x += 16, y += 16) v128.store(y, gelu4(v128.load(x)));
  for (let i = n & 3; i > 0; i--, x += 4, y += 4) v128.store_lane<f32>(y, gelu4(v128.load32_splat(x)), 0);
}

/** dx = dy GELU'(x), n numbers. */
export function geluGrad(x: usize, dy: usize, dx: usize, n: i32): void {
  const end = x + ((<usize>n & ~3) << 2);
  for (; x < end; x += 16, dy += 16, dx += 16) v128.store(dx, geluGrad4(v128.load(x), v128.load(dy)));
  for (let i = n & 3; i > 0; i--, x += 4, dy += 4, dx += 4) {
    v128.store_lane<f32>(dx, geluGrad4(v128.load32_splat(x), v128.load32_splat(dy)), 0);
  }
}
