// Small vector building blocks. Compiled twice: with and without relaxed SIMD's fused multiply-add.

/** a * b + c, in one rounding where the module is built with relaxed SIMD. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(f32x4.mul(a, b), c);
}

/** Sum of the four lanes. */
@inline
export function sumLanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** Largest of the four lanes; NaN if one is NaN. */
@inline
export function maxLanes(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/**
 * e^x, to about 1 unit in the last place; x is clamped to [-87, 88], so that 2^n stays a normal number.
 * Range reduction and polynomial as in Cephes' `expf`. The magic number 1.5 * 2^23 rounds to the nearest integer and
 * leaves it in the low bits, which a shift moves into the exponent.
 */
@inline
export function exp4(x: v128): v128 {
  const magic = f32x4.splat(12582912.0);
  x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-87.0)), f32x4.splat(88.0));
  const shifted = f32x4.add(f32x4.mul(x, f32x4.splat(1.44269504088896341)), magic);
  const n = f32x4.sub(shifted, magic);
  let r = madd(n, f32x4.splat(-0.693359375), x);
  r = madd(n, f32x4.splat(2.12194440e-4), r);
  let p = madd(r, f32x4.splat(1.9875691500e-4), f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1.0));
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(0x3f800000)));
}

/** 2^x for x <= 0, to about 2 units in the last place; x is clamped at -126. Polynomial as in Cephes' `exp2f`. */
@inline
export function exp2Negative4(x: v128): v128 {
  const magic = f32x4.splat(12582912.0);
  x = f32x4.pmax(x, f32x4.splat(-126.0));
  const shifted = f32x4.add(x, magic);
  const r = f32x4.sub(x, f32x4.sub(shifted, magic));
  let p = madd(r, f32x4.splat(1.535336188319500e-4), f32x4.splat(1.339887440266574e-3));
  p = madd(p, r, f32x4.splat(9.618437357674640e-3));
  p = madd(p, r, f32x4.splat(5.550332471162809e-2));
  p = madd(p, r, f32x4.splat(2.402264791363012e-1));
  p = madd(p, r, f32x4.splat(6.931472028550421e-1));
  p = madd(p, r, f32x4.splat(1.0));
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(0x3f800000)));
}

/**
 * erf(x), to about 2e-7: the odd rational approximation on [-4, 4] used by Eigen (`generic_fast_erf_float`); beyond
 * it, erf is 1 in single precision.
 */
@inline
export function erf4(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-4.0)), f32x4.splat(4.0));
  const z = f32x4.mul(x, x);
  let p = madd(z, f32x4.splat(-2.72614225801306e-10), f32x4.splat(2.77068142495902e-8));
  p = madd(p, z, f32x4.splat(-2.10102402082508e-6));
  p = madd(p, z, f32x4.splat(-5.69250639462346e-5));
  p = madd(p, z, f32x4.splat(-7.34990630326855e-4));
  p = madd(p, z, f32x4.splat(-2.954599808540250e-3));
  p = madd(p, z, f32x4.splat(-1.60960333262415e-2));
  let q = madd(z, f32x4.splat(-1.45660718464996e-5), f32x4.splat(-2.13374055278905e-4));
  q = madd(q, z, f32x4.splat(-1.68282697438203e-3));
  q = madd(q, z, f32x4.splat(-7.37332916720468e-3));
  q = madd(q, z, f32x4.splat(-1.42647390514189e-2));
  return f32x4.div(f32x4.mul(p, x), q);
}
