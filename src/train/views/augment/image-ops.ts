// Pillow's point operations and enhancers, bit for bit (9.4): autocontrast, equalize, solarize, color, sharpness, ...
import { luma } from '../../../clip/frames.ts';
import type { Pictures } from './pictures.ts';

/** A value for each byte; a Uint8ClampedArray, as Pillow clips the tables it is given. */
type Table = Uint8ClampedArray;

function makeTable(value: (byte: number) => number): Table {
  const table = new Uint8ClampedArray(256);
  for (let i = 0; i < 256; i++) table[i] = value(i);
  return table;
}

/** Applies one table to everything. */
function point({ data }: Pictures, table: Table): void {
  for (let i = 0; i < data.length; i++) data[i] = table[data[i]!]!;
}

/** Applies to each frame's channels the table that their histogram gives; null leaves them. */
function pointByHistogram(pictures: Pictures, tableOf: (histogram: Int32Array) => Table | null): void {
  const { data, count } = pictures;
  const size = data.length / count;
  const histogram = new Int32Array(256);
  for (let begin = 0; begin < data.length; begin += size) {
    for (let c = 0; c < 3; c++) {
      histogram.fill(0);
      for (let i = begin + c; i < begin + size; i += 3) histogram[data[i]!]!++;
      const table = tableOf(histogram);
      if (table === null) continue;
      for (let i = begin + c; i < begin + size; i += 3) data[i] = table[data[i]!]!;
    }
  }
}

/** ImageOps.autocontrast without cutoff: each channel's darkest value becomes 0 and its brightest 255. */
export function autoContrast(pictures: Pictures): void {
  pointByHistogram(pictures, (histogram) => {
    let low = 0;
    while (low < 255 && histogram[low] === 0) low++;
    let high = 255;
    while (high > 0 && histogram[high] === 0) high--;
    if (high <= low) return null;
    const scale = 255 / (high - low);
    const offset = -low * scale;
    return makeTable((i) => Math.trunc(i * scale + offset));
  });
}

/** ImageOps.equalize: each channel's histogram made flat. */
export function equalize(pictures: Pictures): void {
  pointByHistogram(pictures, (histogram) => {
    let total = 0;
    let used = 0;
    let last = 0;
    for (const n of histogram) {
      if (n === 0) continue;
      total += n;
      used++;
      last = n;
    }
    const step = Math.floor((total - last) / 255);
    if (used <= 1 || step === 0) return null;
    let n = Math.floor(step / 2);
    return makeTable((i) => {
      const value = Math.floor(n / step);
      n += histogram[i]!;
      return value;
    });
  });
}

/** ImageOps.invert. */
export function invert(pictures: Pictures): void {
  point(
    pictures,
    makeTable((i) => 255 - i),
  );
}

/** ImageOps.posterize. @param bits kept of each byte, 0..8 */
export function posterize(pictures: Pictures, bits: number): void {
  const mask = ~(2 ** (8 - bits) - 1);
  if (bits < 8)
    point(
      pictures,
      makeTable((i) => i & mask),
    );
}

/** ImageOps.solarize: inverts what is not below the threshold, 0..256. */
export function solarize(pictures: Pictures, threshold: number): void {
  point(
    pictures,
    makeTable((i) => (i < threshold ? i : 255 - i)),
  );
}

/** Adds to what is below 128. @param amount 0..110 in RandAugment */
export function solarizeAdd(pictures: Pictures, amount: number): void {
  point(
    pictures,
    makeTable((i) => (i < 128 ? Math.min(255, i + amount) : i)),
  );
}

/** Image.blend in float32, as its C code: from `first` (factor 0) through `second` (1) and beyond; truncated. */
function blend(first: number, second: number, factor: number): number {
  return Math.trunc(Math.fround(first + Math.fround(factor * (second - first))));
}

/** ImageEnhance.Brightness. @param factor 0: black, 1: unchanged */
export function brightness(pictures: Pictures, factor: number): void {
  const alpha = Math.fround(factor);
  point(
    pictures,
    makeTable((i) => blend(0, i, alpha)),
  );
}

/** ImageEnhance.Contrast, by frame. @param factor 0: its mean luma all over, 1: unchanged */
export function contrast({ data, count, width, height }: Pictures, factor: number): void {
  const alpha = Math.fround(factor);
  const size = data.length / count;
  for (let begin = 0; begin < data.length; begin += size) {
    let sum = 0;
    for (let i = begin; i < begin + size; i += 3) sum += luma(data[i]!, data[i + 1]!, data[i + 2]!);
    const gray = Math.trunc(sum / (width * height) + 0.5);
    const table = makeTable((i) => blend(gray, i, alpha));
    for (let i = begin; i < begin + size; i++) data[i] = table[data[i]!]!;
  }
}

/** factor x difference in float32, for differences of bytes -255..255 at 0..510. */
function products(factor: number): Float32Array {
  const alpha = Math.fround(factor);
  return Float32Array.from({ length: 511 }, (_, i) => alpha * (i - 255));
}

/** ImageEnhance.Color. @param factor 0: gray, 1: unchanged */
export function color({ data }: Pictures, factor: number): void {
  const product = products(factor);
  for (let i = 0; i < data.length; i += 3) {
    const gray = luma(data[i]!, data[i + 1]!, data[i + 2]!);
    const shifted = 255 - gray;
    // The array rounds and Pillow truncates, so the store is of a whole number.
    data[i] = Math.trunc(Math.fround(gray + product[data[i]! + shifted]!));
    data[i + 1] = Math.trunc(Math.fround(gray + product[data[i + 1]! + shifted]!));
    data[i + 2] = Math.trunc(Math.fround(gray + product[data[i + 2]! + shifted]!));
  }
}

/** ImageEnhance.Sharpness. @param factor 0: smoothed by a 3 x 3 kernel (1, middle 5, over 13), 1: unchanged; edges stay */
export function sharpness({ data, count, width, height }: Pictures, factor: number): void {
  const product = products(factor);
  const line = width * 3;
  const size = height * line;
  const source = new Uint8ClampedArray(size);
  for (let frame = 0; frame < count; frame++) {
    const begin = frame * size;
    source.set(data.subarray(begin, begin + size));
    for (let y = 1; y < height - 1; y++) {
      for (let x = 3; x < line - 3; x++) {
        const i = y * line + x;
        const own = source[i]!;
        const around =
          source[i - line - 3]! +
          source[i - line]! +
          source[i - line + 3]! +
          source[i - 3]! +
          source[i + 3]! +
          source[i + line - 3]! +
          source[i + line]! +
          source[i + line + 3]!;
        // A thirteenth is never half way between bytes, so Pillow's float sum rounds as whole numbers do.
        const smooth = ((2 * (around + 5 * own) + 13) / 26) | 0;
        data[begin + i] = Math.trunc(Math.fround(smooth + product[own - smooth + 255]!));
      }
    }
  }
}
