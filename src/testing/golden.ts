// The golden fixtures' formula and records: every weight and input is computed from a salt, so that the model can be
// held to the official code's numbers without any checkpoint. The fixtures' own README defines both.
import { assert } from '../base/assert.ts';
import { Problem } from '../base/errors.ts';

/** One tensor of a fixture: a sample of its elements and statistics of all of them. */
export interface TensorRecord {
  readonly shape: readonly number[];
  /** Sampled elements of the float32 reference; where they lie: {@link sampleIndices}. */
  readonly v: readonly number[];
  /** The same elements of the float64 reference; absent for tensors that are exact. */
  readonly v64?: readonly number[];
  /** Largest difference of the two references over the whole tensor. */
  readonly maxdiff_f32_f64?: number;
  readonly sum: number;
  readonly mean: number;
  readonly std: number;
  readonly l2: number;
  readonly absmax: number;
}

/** One compared tensor (or number): the error may not exceed the tolerance. A NaN error is a miss. */
export interface Comparison {
  readonly tensor: string;
  readonly error: number;
  readonly tolerance: number;
}

/** A check knows some fixtures by their file name and compares everything in them that the code covers. */
export interface GoldenCheck {
  readonly name: string;
  /** Whether this check understands the fixture of that file name (for example `finetune_micro.json`). */
  covers(fileName: string): boolean;
  /** @param fixture the file's JSON. */
  run(fixture: unknown): Promise<Comparison[]>;
}

/** True when the comparison holds. */
export function holds(comparison: Comparison): boolean {
  return comparison.error <= comparison.tolerance;
}

/** FNV-1a over the UTF-8 bytes, 32 bits. */
export function fnv1a32(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

/** Unsigned 32-bit hash number i of a name. */
export type Hash = (i: number) => number;

/** The hashes of `name` under a fixture's salt. */
export function nameHash(salt: string, name: string): Hash {
  const base = fnv1a32(`${salt}/${name}`);
  return (i) => {
    let x = (base + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) >>> 0;
  };
}

/** v(name, i) in [-1, 1), exact in double. */
export function nameValues(salt: string, name: string): (i: number) => number {
  const hash = nameHash(salt, name);
  return (i) => ((hash(i) >>> 8) - 8388608) / 8388608;
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A formula-made parameter, row-major in its PyTorch shape. */
export function formulaParameter(salt: string, name: string, shape: readonly number[]): Float32Array {
  const [offset, scale] = formulaRange(name, shape);
  const v = nameValues(salt, name);
  const values = new Float32Array(product(shape));
  for (let i = 0; i < values.length; i++) values[i] = offset + scale * v(i);
  return values;
}

function formulaRange(name: string, shape: readonly number[]): readonly [offset: number, scale: number] {
  const parts = name.split('.');
  if (parts.at(-1) === 'weight' && parts.at(-2)?.includes('norm') === true) return [1, 0.2];
  if (name === 'video_layer_weights' || name === 'audio_layer_weights') return [0, 1];
  if (name === 'mask_token' || name === 'mask_token_audio') return [0, 0.5];
  if (shape.length === 1) return [0, 0.1];
  return [0, Math.sqrt(3 / product(shape.slice(1)))];
}

/**
 * The formula's video, as the official code lays it out.
 * @param shape [B, 3, T, H, W]
 */
export function formulaVideo(salt: string, shape: readonly number[]): Float32Array {
  const [batch = 0, channels = 0, frames = 0, height = 0, width = 0] = shape;
  const fine = nameValues(salt, 'input.video.fine');
  const coarse = nameValues(salt, 'input.video.coarse');
  const clip = nameValues(salt, 'input.video.clip');
  const rows = Math.ceil(height / 8);
  const columns = Math.ceil(width / 8);
  const out = new Float32Array(product(shape));
  let i = 0;
  for (let bc = 0; bc < batch * channels; bc++)
    for (let t = 0; t < frames; t++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++, i++)
          out[i] =
            0.5 * fine(i) +
            1.0 * coarse(((bc * frames + t) * rows + (y >> 3)) * columns + (x >> 3)) +
            0.5 * clip(bc);
  return out;
}

/**
 * The formula's spectrogram.
 * @param shape [B, 1, F, M]
 */
export function formulaAudio(salt: string, shape: readonly number[]): Float32Array {
  const [batch = 0, , frames = 0, bins = 0] = shape;
  const fine = nameValues(salt, 'input.audio.fine');
  const coarse = nameValues(salt, 'input.audio.coarse');
  const clip = nameValues(salt, 'input.audio.clip');
  const rows = Math.ceil(frames / 4);
  const columns = Math.ceil(bins / 4);
  const out = new Float32Array(batch * frames * bins);
  let i = 0;
  for (let b = 0; b < batch; b++)
    for (let t = 0; t < frames; t++)
      for (let f = 0; f < bins; f++, i++)
        out[i] = 0.3 * fine(i) + 0.6 * coarse((b * rows + (t >> 2)) * columns + (f >> 2)) + 0.3 * clip(b);
  return out;
}

/**
 * The formula's picture NAME, frame f.
 * @returns RGB, 0..255; shape [height, width, 3]
 */
export function formulaPicture(
  salt: string,
  name: string,
  frame: number,
  width: number,
  height: number,
): Uint8ClampedArray {
  const coarse = nameHash(salt, `${name}.coarse`);
  const fine = nameHash(salt, `${name}.fine`);
  const [rows, columns] = [Math.ceil(height / 8), Math.ceil(width / 8)];
  const size = height * width * 3;
  return Uint8ClampedArray.from({ length: size }, (_, i) => {
    const c = i % 3;
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / 3 / width);
    const a = coarse(((frame * rows + (y >> 3)) * columns + (x >> 3)) * 3 + c) >>> 24;
    const b = fine(frame * size + i) >>> 24;
    return (3 * a + b) >> 2;
  });
}

/** The visible positions of clip b in ascending order. @param name `mask.video` or `mask.audio` */
export function formulaVisible(
  salt: string,
  name: string,
  clip: number,
  positionCount: number,
  maskedCount: number,
): number[] {
  const hash = nameHash(salt, name);
  const key = (p: number): number => hash(clip * positionCount + p);
  return Array.from({ length: positionCount }, (_, p) => p)
    .sort((a, b) => key(a) - key(b) || a - b)
    .slice(0, positionCount - maskedCount)
    .sort((a, b) => a - b);
}

/** Flat row-major indices of a record's sampled elements. */
export function sampleIndices(elementCount: number, sampleCount: number): number[] {
  return Array.from({ length: sampleCount }, (_, k) =>
    elementCount <= sampleCount ? k : (k * 1000003 + 12345) % elementCount,
  );
}

/** What a float32 implementation may differ by: 10 x the references' own difference + 1e-6. */
export function recordTolerance(record: TensorRecord): number {
  return 10 * (record.maxdiff_f32_f64 ?? 0) + 1e-6;
}

/**
 * The whole tensor against its record: the largest of the sampled elements' errors (against float64) and of the
 * errors of mean, root mean square and largest magnitude, none of which can exceed the largest element's error.
 * A wrong shape is an infinite error.
 */
export function compareRecord(
  tensor: string,
  actual: { readonly shape: readonly number[]; readonly values: ArrayLike<number> },
  record: TensorRecord,
  tolerance = recordTolerance(record),
): Comparison {
  const count = product(record.shape);
  if (actual.shape.join() !== record.shape.join() || actual.values.length !== count) {
    return {
      tensor: `${tensor} [${actual.shape.join()}], wanted [${record.shape.join()}]`,
      error: Infinity,
      tolerance,
    };
  }
  const reference = record.v64 ?? record.v;
  const errors = sampleIndices(count, reference.length).map((index, k) =>
    Math.abs((actual.values[index] ?? NaN) - (reference[k] ?? NaN)),
  );
  const statistics = summarize(actual.values);
  errors.push(Math.abs(statistics.mean - record.mean));
  errors.push(Math.abs(statistics.l2 - record.l2) / Math.sqrt(count));
  errors.push(Math.abs(statistics.absmax - record.absmax));
  return { tensor, error: worst(errors), tolerance };
}

/** A single number against its reference. */
export function compareNumber(tensor: string, actual: number, wanted: number, tolerance: number): Comparison {
  return { tensor, error: Math.abs(actual - wanted), tolerance };
}

function summarize(values: ArrayLike<number>): { mean: number; l2: number; absmax: number } {
  let sum = 0;
  let squares = 0;
  let absmax = 0;
  for (let i = 0; i < values.length; i++) {
    const x = values[i] ?? NaN;
    sum += x;
    squares += x * x;
    if (!(Math.abs(x) <= absmax)) absmax = Math.abs(x);
  }
  return { mean: sum / values.length, l2: Math.sqrt(squares), absmax };
}

/** Euclidean length, summed in double. */
export function vectorLength(values: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] ?? NaN) ** 2;
  return Math.sqrt(squares);
}

/** The largest error; NaN if any is NaN. */
export function worst(errors: readonly number[]): number {
  assert(errors.length > 0, 'nothing was compared');
  return errors.reduce((a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.max(a, b)), 0);
}

/** A fixture's entry as an object. @throws Problem when it is anything else */
export function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem(
      'unsupported-file',
      `${what} is ${describe(value)}; wanted an object as in the project's own fixtures`,
    );
  }
  return value as Readonly<Record<string, unknown>>;
}

/** A fixture's entry as text (for example its salt). */
export function asText(value: unknown, what: string): string {
  if (typeof value !== 'string')
    throw new Problem('unsupported-file', `${what} is ${describe(value)}; wanted text`);
  return value;
}

/** A fixture's entry as numbers. */
export function asNumbers(value: unknown, what: string): readonly number[] {
  if (!Array.isArray(value) || !value.every((x) => typeof x === 'number')) {
    throw new Problem('unsupported-file', `${what} is ${describe(value)}; wanted a list of numbers`);
  }
  return value;
}

/** A fixture's entry as a tensor record. */
export function asTensorRecord(value: unknown, what: string): TensorRecord {
  const record = asRecord(value, what);
  asNumbers(record['shape'], `${what}.shape`);
  asNumbers(record['v'], `${what}.v`);
  return value as TensorRecord;
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  return value === null ? 'null' : `a ${typeof value}`;
}
