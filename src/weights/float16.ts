// Half precision by hand: typed arrays of it are not everywhere yet.

let table: Float32Array | undefined;

/** All 65,536 values, so that unpacking is a look-up. */
function allValues(): Float32Array {
  if (table !== undefined) return table;
  table = new Float32Array(65536);
  for (let h = 0; h < 65536; h++) {
    const sign = h & 0x8000 ? -1 : 1;
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    if (exponent === 31) table[h] = fraction === 0 ? sign * Infinity : NaN;
    else if (exponent === 0) table[h] = sign * fraction * 2 ** -24;
    else table[h] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return table;
}

/** IEEE binary16 to binary32, exact. */
export function float16ToFloat32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const values = allValues();
  const output = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) output[i] = values[halves[i]!]!;
  return output;
}

/**
 * binary32 to binary16, rounded to nearest, ties to even.
 * @returns the first finite value too large for half precision (65,520 and above), or null
 */
export function float32ToFloat16(values: Float32Array, output: Uint16Array): number | null {
  const word = new Float32Array(1);
  const bits = new Uint32Array(word.buffer);
  let tooLarge: number | null = null;
  for (let i = 0; i < values.length; i++) {
    word[0] = values[i]!;
    const b = bits[0]!;
    const sign = (b >>> 16) & 0x8000;
    const exponent = ((b >>> 23) & 255) - 112; // half precision's biased exponent
    let fraction = b & 0x7fffff;
    if (exponent >= 31) {
      const notANumber = exponent === 143 && fraction !== 0;
      output[i] = sign | 0x7c00 | (notANumber ? 0x200 : 0);
      if (exponent < 143) tooLarge ??= values[i]!;
    } else if (exponent <= 0) {
      // Subnormal: shift the implicit one in; below half of the smallest it is zero.
      fraction |= 0x800000;
      output[i] = exponent < -10 ? sign : sign | roundShift(fraction, 14 - exponent);
    } else {
      // A carry out of the fraction raises the exponent, as it should.
      const half = (exponent << 10) + roundShift(fraction, 13);
      output[i] = sign | half;
      if (half >= 0x7c00) tooLarge ??= values[i]!;
    }
  }
  return tooLarge;
}

/** value / 2^shift, to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const down = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (down & 1) === 1) ? down + 1 : down;
}
