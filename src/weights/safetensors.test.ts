import { describe, expect, test } from 'vitest';
import { Problem } from '../base/errors.ts';
import { float16ToFloat32, float32ToFloat16 } from './float16.ts';
import { parseSafetensors, writeSafetensors } from './safetensors.ts';

const tensors = {
  'head.weight': { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-3, 65504) },
  'head.bias': { shape: [2], data: Float32Array.of(0.1, -0.25) },
  scalar: { shape: [], data: Float32Array.of(7) },
};

/** A file with this header and this many zero bytes of data. */
function file(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, 8);
  return bytes;
}

function problem(bytes: Uint8Array): Problem {
  try {
    parseSafetensors(bytes, 'x.safetensors');
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('safetensors', () => {
  test('F32 comes back bit for bit, names in order, with metadata', () => {
    const read = parseSafetensors(writeSafetensors(tensors, 'F32', { format: 'pt' }), 'x');
    expect(read.tensors).toEqual(tensors);
    expect(Object.keys(read.tensors)).toEqual(Object.keys(tensors));
    expect(read.metadata).toEqual({ format: 'pt' });
    expect(read.dtypes['head.bias']).toBe('F32');
  });

  test('F16 comes back rounded to half precision', () => {
    const read = parseSafetensors(writeSafetensors(tensors, 'F16'), 'x');
    const weight = read.tensors['head.weight']!.data;
    expect([...weight.subarray(0, 4)]).toEqual([1, -2, 3.5, 0]);
    expect(weight[4]).toBeCloseTo(1e-3, 6);
    expect(weight[5]).toBe(65504);
    expect(read.tensors['head.bias']!.data[0]).toBe(0.0999755859375);
  });

  test('reads data that begin at any address', () => {
    const bytes = writeSafetensors(tensors, 'F32');
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(parseSafetensors(shifted.subarray(1), 'x').tensors).toEqual(tensors);
  });

  test('the bytes are as the format says: length, header, data without gaps', () => {
    const bytes = writeSafetensors({ a: { shape: [1], data: Float32Array.of(1) } }, 'F32');
    const headerBytes = new DataView(bytes.buffer).getUint32(0, true);
    expect(headerBytes % 8).toBe(0);
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
    expect(header).toEqual({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
    expect([...bytes.subarray(8 + headerBytes)]).toEqual([0, 0, 0x80, 0x3f]);
  });

  const entry = (begin: number, end: number, more = {}): object => ({
    dtype: 'F32',
    shape: [(end - begin) / 4],
    data_offsets: [begin, end],
    ...more,
  });
  test.each([
    ['an empty file', new Uint8Array(0), '0 bytes are too few'],
    ['a header longer than the file', Uint8Array.of(255, 0, 0, 0, 0, 0, 0, 0, 123), 'says 255 bytes'],
    ['a header of astronomic length', new Uint8Array(16).fill(255), "the header's length says"],
    ['a header that is no JSON', file('{"a":', 0), 'the header is no JSON'],
    ['a header that is a list', file([], 0), 'no JSON object'],
    ['bad UTF-8', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 255), 'the header is no JSON'],
    ['an unknown dtype', file({ a: entry(0, 4, { dtype: 'I64' }) }, 4), 'has dtype I64'],
    ['a negative dimension', file({ a: entry(0, 4, { shape: [-1] }) }, 4), 'has no shape'],
    ['a shape that does not fit', file({ a: entry(0, 4, { shape: [2] }) }, 4), 'takes 8 bytes but has 4'],
    ['reversed offsets', file({ a: entry(4, 0, { shape: [1] }) }, 4), 'takes 4 bytes but has -4'],
    ['a gap', file({ a: entry(0, 4), b: entry(8, 12) }, 12), 'begins at byte 8 of the data instead of 4'],
    ['an overlap', file({ a: entry(0, 8), b: entry(4, 8) }, 8), 'begins at byte 4 of the data instead of 8'],
    ['data cut off', file({ a: entry(0, 8) }, 4), 'end at byte 8 of 4'],
    ['data left over', file({ a: entry(0, 8) }, 12), 'end at byte 8 of 12'],
    ['metadata that is no text', file({ __metadata__: { a: 1 } }, 0), '__metadata__'],
    ['a tensor that is no object', file({ a: null }, 0), 'a is not described'],
  ])('refuses %s', (_name, bytes, message) => {
    const { kind, message: text } = problem(bytes);
    expect(kind).toBe('model-invalid');
    expect(text).toContain('x.safetensors: ');
    expect(text).toContain(message);
  });

  test('a tensor named __proto__ is a tensor like any other', () => {
    const read = parseSafetensors(
      file('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      'x',
    );
    expect(Object.keys(read.tensors)).toEqual(['__proto__']);
  });

  test('does not write what would not come back', () => {
    const wrong = { a: { shape: [3], data: Float32Array.of(1) } };
    expect(() => writeSafetensors(wrong, 'F32')).toThrow('internal: tensor a [3] has 1 values');
    const large = { a: { shape: [1], data: Float32Array.of(70000) } };
    expect(() => writeSafetensors(large, 'F16')).toThrow('beyond half precision');
  });
});

describe('half precision', () => {
  test('every half survives the way to 32 bits and back', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const back = new Uint16Array(65536);
    float32ToFloat16(float16ToFloat32(all), back);
    const different = [...all].filter((h) => back[h] !== h && !((h & 0x7c00) === 0x7c00 && (h & 1023) !== 0));
    expect(different).toEqual([]);
  });

  test.each([
    [1 + 2 ** -11, 1], // a tie goes to even
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
    [2 ** -25, 0],
    [2 ** -25 + 2 ** -40, 2 ** -24],
    [65519, 65504],
  ])('%d rounds to %d', (value, rounded) => {
    const half = new Uint16Array(1);
    expect(float32ToFloat16(Float32Array.of(value), half)).toBeNull();
    expect(float16ToFloat32(half)[0]).toBe(rounded);
  });

  test('65,520 is too large, infinity is not', () => {
    expect(float32ToFloat16(Float32Array.of(1, 65520), new Uint16Array(2))).toBe(65520);
    expect(float32ToFloat16(Float32Array.of(Infinity), new Uint16Array(1))).toBeNull();
  });
});
