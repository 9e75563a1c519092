// The safetensors file format, in and out: strict on the way in, readable by PyTorch users on the way out.
// Layout: u64 little-endian header length, JSON header, tensor bytes without gaps.
import { assert } from '../base/assert.ts';
import { Problem } from '../base/errors.ts';
import { float16ToFloat32, float32ToFloat16 } from './float16.ts';
import { dequantizeRows, quantizeRows } from './int8.ts';

/**
 * How a file holds numbers. I8: matrices in eight bits with a scale for each row, which stand beside them as NAME_scale [rows, 1]
 * in F32 (the convention of compressed-tensors); vectors, which are few, in F16.
 */
export type Dtype = 'F32' | 'F16' | 'I8';

/** Row-major values and their shape; a scalar's shape is empty. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Tensors by their official (PyTorch state_dict) names. */
export type TensorMap = Readonly<Record<string, Tensor>>;

export interface SafetensorsFile {
  readonly tensors: TensorMap;
  /** The header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** How each tensor was stored. */
  readonly dtypes: Readonly<Record<string, Dtype>>;
}

const bytesPer: Readonly<Record<Dtype, number>> = { F32: 4, F16: 2, I8: 1 };
/** The reference implementation's limit. */
const maxHeaderBytes = 100_000_000;

interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const scaleName = (name: string): string => `${name}_scale`;

/**
 * The tensors of a file; F16 and I8 are unpacked to 32 bits. F32 data are views of `bytes` where alignment allows: keep it unchanged.
 * @param fileName for the error message
 * @throws Problem `model-invalid`: truncated, gaps or overlaps, unknown dtype, sizes that do not agree
 */
export function parseSafetensors(bytes: Uint8Array, fileName: string): SafetensorsFile {
  const fail = (got: string): never => {
    throw new Problem(
      'model-invalid',
      `${fileName}: ${got}; wanted a whole safetensors file of F32, F16 or I8 tensors: export or download it again`,
    );
  };
  if (bytes.length < 8) fail(`${String(bytes.length)} bytes are too few`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  if (headerBytes > maxHeaderBytes || headerBytes > bytes.length - 8) {
    fail(`the header's length says ${String(headerBytes)} bytes in a file of ${String(bytes.length)}`);
  }
  let header: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + headerBytes));
    header = JSON.parse(text);
  } catch {
    fail('the header is no JSON');
  }
  if (!isObject(header)) return fail('the header is no JSON object');

  const metadata = header['__metadata__'] ?? {};
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    return fail('__metadata__ is not text by key');
  }
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    entries.push(parseEntry(name, value, fail));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== at)
      fail(`tensor ${name} begins at byte ${String(begin)} of the data instead of ${String(at)}`);
    at = end;
  }
  const dataBytes = bytes.length - 8 - headerBytes;
  if (at !== dataBytes) fail(`the tensors end at byte ${String(at)} of ${String(dataBytes)} bytes of data`);

  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const scales = new Set<string>();
  const tensors = new Map<string, Tensor>();
  for (const entry of entries) {
    const { name, shape } = entry;
    const values = readValues(bytes, 8 + headerBytes + entry.begin, entry);
    if (values instanceof Float32Array) {
      tensors.set(name, { shape, data: values });
      continue;
    }
    const scale = byName.get(scaleName(name));
    const rows = shape[0] ?? 0;
    if (scale?.dtype !== 'F32' || scale.shape.join() !== `${String(rows)},1`)
      return fail(
        `tensor ${name} is in eight bits without its scales ${scaleName(name)} [${String(rows)},1]`,
      );
    scales.add(scale.name);
    const factors = readValues(bytes, 8 + headerBytes + scale.begin, scale);
    if (factors instanceof Float32Array)
      tensors.set(name, { shape, data: dequantizeRows({ values, scales: factors }) });
  }
  for (const name of scales) tensors.delete(name);
  return {
    tensors: Object.fromEntries(tensors),
    metadata: metadata as Record<string, string>,
    dtypes: Object.fromEntries(
      entries.filter(({ name }) => !scales.has(name)).map(({ name, dtype }) => [name, dtype]),
    ),
  };
}

function parseEntry(name: string, value: unknown, fail: (got: string) => never): Entry {
  if (!isObject(value)) return fail(`tensor ${name} is not described`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'I8')
    return fail(`tensor ${name} has dtype ${String(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail(`tensor ${name} has no shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return fail(`tensor ${name} has no data_offsets`);
  }
  const [begin = 0, end = 0] = offsets;
  const wanted = elements(shape) * bytesPer[dtype];
  if (end - begin !== wanted) {
    fail(
      `tensor ${name} [${shape.join()}] ${dtype} takes ${String(wanted)} bytes but has ${String(end - begin)}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

function readValues(bytes: Uint8Array, offset: number, { dtype, shape }: Entry): Float32Array | Int8Array {
  const count = elements(shape);
  const at = bytes.byteOffset + offset;
  const size = bytesPer[dtype];
  // Typed arrays need alignment, which the format does not promise.
  const [buffer, start] =
    at % size === 0 ? [bytes.buffer, at] : [bytes.slice(offset, offset + count * size).buffer, 0];
  if (dtype === 'I8') return new Int8Array(buffer, start, count);
  if (dtype === 'F32') return new Float32Array(buffer, start, count);
  return float16ToFloat32(new Uint16Array(buffer, start, count));
}

/**
 * Values as bytes, little-endian. F32 are a view of `data`.
 * @param name the tensor's, for the error message
 * @throws Problem `model-invalid` when a value exceeds half precision's range
 */
export function storedValues(data: Float32Array, dtype: 'F32' | 'F16', name: string): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const halves = new Uint16Array(data.length);
  const tooLarge = float32ToFloat16(data, halves);
  if (tooLarge !== null) {
    throw new Problem(
      'model-invalid',
      `tensor ${name} holds ${String(tooLarge)}, beyond half precision (65504): write it with --dtype F32`,
    );
  }
  return new Uint8Array(halves.buffer);
}

interface Stored {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

function storedTensors(tensors: TensorMap, dtype: Dtype): Stored[] {
  const stored: Stored[] = [];
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    assert(
      data.length === elements(shape),
      `tensor ${name} [${shape.join()}] has ${String(data.length)} values`,
    );
    const [rows = 0] = shape;
    if (dtype !== 'I8') {
      stored.push({ name, dtype, shape, bytes: storedValues(data, dtype, name) });
    } else if (shape.length < 2 || data.length === 0) {
      stored.push({ name, dtype: 'F16', shape, bytes: storedValues(data, 'F16', name) });
    } else {
      const { values, scales } = quantizeRows(data, rows);
      const scale = storedValues(scales, 'F32', scaleName(name));
      stored.push({ name: scaleName(name), dtype: 'F32', shape: [rows, 1], bytes: scale });
      stored.push({ name, dtype: 'I8', shape, bytes: new Uint8Array(values.buffer) });
    }
  }
  // Wide numbers first, so that all are aligned.
  return stored.sort((a, b) => bytesPer[b.dtype] - bytesPer[a.dtype]);
}

/**
 * A safetensors file, tensors in the order given (of I8: scales, vectors, matrices), header padded so that the data are
 * 8-byte aligned.
 * @throws Problem `model-invalid` when a value exceeds half precision's range; internal when a tensor's data do not fill its
 *   shape
 */
export function writeSafetensors(
  tensors: TensorMap,
  dtype: Dtype,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const stored = storedTensors(tensors, dtype);
  let at = 0;
  const entries = stored.map(({ name, dtype, shape, bytes }) => {
    const begin = at;
    at += bytes.length;
    return [name, { dtype, shape, data_offsets: [begin, at] }] as const;
  });
  const header = {
    ...(Object.keys(metadata).length > 0 && { __metadata__: metadata }),
    ...Object.fromEntries(entries),
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + at);
  new DataView(file.buffer).setUint32(0, headerBytes, true);
  file.fill(0x20, 8, 8 + headerBytes);
  file.set(json, 8);
  let offset = 8 + headerBytes;
  for (const { bytes } of stored) {
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}
