// Pictures to the model's numbers: Pillow's antialiased bilinear resize, luma, and normalization.
import { assert } from '../base/assert.ts';
import type { FrameColor } from './spec.ts';

/** Mean and standard deviation of ImageNet's RGB in 0..1 (by channel), as the official code normalizes with. */
export const mean = [0.485, 0.456, 0.406] as const;
export const std = [0.229, 0.224, 0.225] as const;

/** Each channel's normalized values of the bytes 0..255, in float32 step by step as PyTorch computes them. */
const normalizedBytes = [0, 1, 2].map((c) =>
  Float32Array.from(
    { length: 256 },
    (_, byte) => Math.fround(Math.fround(byte / 255) - Math.fround(mean[c]!)) / Math.fround(std[c]!),
  ),
) as [Float32Array, Float32Array, Float32Array];

/** Pillow resizes bytes with weights in fixed point of this many bits. */
const precisionBits = 22;

/** For each output position: where its input window begins, how long it is, and its integer weights. */
interface ResizeWeights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  /** Weights reserved for each output position. */
  readonly stride: number;
}

function bilinearWeights(inputSize: number, outputSize: number): ResizeWeights {
  const scale = inputSize / outputSize;
  const support = Math.max(scale, 1);
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputSize);
  const count = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * stride);
  const window = new Float64Array(stride);
  for (let o = 0; o < outputSize; o++) {
    const center = (o + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - support + 0.5));
    const high = Math.min(inputSize, Math.trunc(center + support + 0.5));
    let total = 0;
    for (let i = low; i < high; i++) {
      const weight = Math.max(0, 1 - Math.abs((i - center + 0.5) / support));
      window[i - low] = weight;
      total += weight;
    }
    first[o] = low;
    count[o] = high - low;
    for (let i = 0; i < high - low; i++) {
      weights[o * stride + i] = Math.trunc(0.5 + (window[i]! / total) * 2 ** precisionBits);
    }
  }
  return { first, count, weights, stride };
}

/** Weights by sizes: a recording's frames are all resized alike. */
const knownWeights = new Map<string, ResizeWeights>();

function resizeWeights(inputSize: number, outputSize: number): ResizeWeights {
  const key = `${String(inputSize)} ${String(outputSize)}`;
  let known = knownWeights.get(key);
  if (known === undefined) {
    // Live crops come in a handful of sizes; a bound all the same.
    if (knownWeights.size > 64) knownWeights.clear();
    known = bilinearWeights(inputSize, outputSize);
    knownWeights.set(key, known);
  }
  return known;
}

/** Along one axis: `lines` independent rows (or columns) of `inputSize` pixels become `outputSize` pixels. */
function resizeAxis(
  input: Uint8ClampedArray | Uint8Array,
  output: Uint8ClampedArray,
  inputSize: number,
  outputSize: number,
  lines: number,
  inputStep: { readonly line: number; readonly pixel: number },
  outputStep: { readonly line: number; readonly pixel: number },
): void {
  const { first, count, weights, stride } = resizeWeights(inputSize, outputSize);
  for (let line = 0; line < lines; line++) {
    for (let o = 0; o < outputSize; o++) {
      const out = line * outputStep.line + o * outputStep.pixel;
      const end = o * stride + count[o]!;
      // Weights are not negative and sum to 2^22 but for rounding, so a byte's sum stays below 2^31.
      let r = 1 << (precisionBits - 1);
      let g = r;
      let b = r;
      let at = line * inputStep.line + first[o]! * inputStep.pixel;
      for (let w = o * stride; w < end; w++, at += inputStep.pixel) {
        const weight = weights[w]!;
        r = (r + Math.imul(input[at]!, weight)) | 0;
        g = (g + Math.imul(input[at + 1]!, weight)) | 0;
        b = (b + Math.imul(input[at + 2]!, weight)) | 0;
      }
      output[out] = r >> precisionBits;
      output[out + 1] = g >> precisionBits;
      output[out + 2] = b >> precisionBits;
    }
  }
}

/**
 * Pillow's `resize(..., BILINEAR)` of an 8-bit picture, bit for bit: antialiased when shrinking, rows first.
 * @param picture RGB, 0..255; shape [height, width, 3]
 * @returns RGB, 0..255; shape [outputHeight, outputWidth, 3]
 */
export function resizeBilinear(
  picture: Uint8ClampedArray | Uint8Array,
  width: number,
  height: number,
  outputWidth: number,
  outputHeight: number,
): Uint8ClampedArray {
  assert(
    picture.length === width * height * 3,
    `${String(picture.length)} bytes are no RGB picture of ${String(width)} x ${String(height)}`,
  );
  if (width === outputWidth && height === outputHeight) return new Uint8ClampedArray(picture);
  const wide = new Uint8ClampedArray(outputWidth * height * 3);
  resizeAxis(
    picture,
    wide,
    width,
    outputWidth,
    height,
    { line: width * 3, pixel: 3 },
    { line: outputWidth * 3, pixel: 3 },
  );
  const output = new Uint8ClampedArray(outputWidth * outputHeight * 3);
  const columnStep = { line: 3, pixel: outputWidth * 3 };
  resizeAxis(wide, output, height, outputHeight, outputWidth, columnStep, columnStep);
  return output;
}

/**
 * Frames to the model's input values.
 * @param frames RGB, 0..255; shape [..., 3]
 * @param color `rgb`: (value / 255 - mean) / std by channel, as the official code; `gray`: the same of the luma in all three
 *   channels; `gray-standardized`: the luma brought to mean 0 and standard deviation 1 over all that is given (one clip),
 *   so that lighting and contrast drop out
 */
export function normalizeFrames(
  frames: Uint8ClampedArray | Uint8Array,
  color: FrameColor = 'rgb',
): Float32Array {
  assert(frames.length % 3 === 0, `${String(frames.length)} bytes are no RGB frames`);
  const output = new Float32Array(frames.length);
  if (color === 'gray-standardized') {
    for (let i = 0; i < frames.length; i += 3) {
      const y = luma(frames[i]!, frames[i + 1]!, frames[i + 2]!);
      output[i] = y;
      output[i + 1] = y;
      output[i + 2] = y;
    }
    standardize(output);
    return output;
  }
  const [reds, greens, blues] = normalizedBytes;
  for (let i = 0; i < frames.length; i += 3) {
    let r = frames[i]!;
    let g = frames[i + 1]!;
    let b = frames[i + 2]!;
    if (color === 'gray') r = g = b = luma(r, g, b);
    output[i] = reds[r]!;
    output[i + 1] = greens[g]!;
    output[i + 2] = blues[b]!;
  }
  return output;
}

/**
 * The mirror image of every frame.
 * @param frames three values a pixel; shape [..., widthPx, 3]
 */
export function mirrorFrames(frames: Float32Array, widthPx: number): Float32Array {
  const line = widthPx * 3;
  assert(
    frames.length % line === 0,
    `${String(frames.length)} values are no lines of ${String(widthPx)} pixels`,
  );
  const mirrored = new Float32Array(frames.length);
  for (let begin = 0; begin < frames.length; begin += line) {
    for (let x = 0; x < line; x += 3) {
      mirrored.set(frames.subarray(begin + x, begin + x + 3), begin + line - 3 - x);
    }
  }
  return mirrored;
}

/**
 * Brings values to mean 0 and standard deviation 1, in place.
 * @param values luma, 0..255; one gray level is added to the deviation, so that a flat picture stays flat
 */
export function standardize(values: Float32Array): void {
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const center = sum / values.length;
  const scale = 1 / (Math.sqrt(Math.max(0, squares / values.length - center * center)) + 1);
  for (let i = 0; i < values.length; i++) values[i] = (values[i]! - center) * scale;
}

/** ITU-R 601 luma in Pillow's fixed point; 0..255. */
export function luma(r: number, g: number, b: number): number {
  return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
}
