// Draws that the augmentations share, and that the stream of random numbers does not have itself.
import type { Random } from '../../../base/random.ts';

/** Uniform in [low, high). */
export function between(stream: Random, low: number, high: number): number {
  return low + (high - low) * stream.uniform();
}

/** Python's and NumPy's rounding: halves go to the even neighbor. */
export function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low === 0.5) return low % 2 === 0 ? low : low + 1;
  return Math.round(x);
}

/** Gamma, scale 1 (Marsaglia and Tsang 2000). @param shape above 0 */
function gamma(stream: Random, shape: number): number {
  if (shape < 1) return gamma(stream, shape + 1) * (1 - stream.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = stream.normal();
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - stream.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Beta(a, b), 0..1. */
export function beta(stream: Random, a: number, b: number): number {
  const x = gamma(stream, a);
  const y = gamma(stream, b);
  return x / (x + y);
}
