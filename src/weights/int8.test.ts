// Eight-bit weights: how far they may be off, and how a file holds them.
import { describe, expect, it } from 'vitest';
import { random } from '../base/random.ts';
import { dequantizeRows, quantizeRows } from './int8.ts';
import { parseSafetensors, writeSafetensors } from './safetensors.ts';

function noise(length: number, seed: number): Float32Array {
  const draw = random(seed);
  return Float32Array.from({ length }, () => draw.normal());
}

describe('rows in eight bits', () => {
  it('are never off by more than half a step of their row, and keep its largest value', () => {
    const rows = 7;
    const width = 33;
    // Rows of very different size, where one scale for all would lose the small ones.
    const data = noise(rows * width, 1).map((value, i) => value * 10 ** (Math.floor(i / width) - 3));
    const back = dequantizeRows(quantizeRows(data, rows));
    for (let row = 0; row < rows; row++) {
      const wanted = data.subarray(row * width, (row + 1) * width);
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const errors = wanted.map((value, i) => Math.abs(value - (back[row * width + i] ?? NaN)));
      const worst = errors.reduce((a, b) => Math.max(a, b), 0);
      expect(worst).toBeLessThanOrEqual((largest / 127 / 2) * (1 + 1e-5));
      expect(worst).toBeGreaterThan(0);
      const top = back.subarray(row * width, (row + 1) * width).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      expect(Math.abs(top / largest - 1)).toBeLessThan(1e-6);
    }
  });

  it('of zeros stay zeros; values of both signs reach 127 steps', () => {
    const { values, scales } = quantizeRows(Float32Array.of(0, 0, -2, 2, 1, 0.004), 3);
    expect([...values]).toEqual([0, 0, -127, 127, 127, 1]);
    expect([...scales]).toEqual([0, Math.fround(2 / 127), Math.fround(1 / 127)]);
    expect([...dequantizeRows({ values, scales }).subarray(0, 2)]).toEqual([0, 0]);
  });

  it('once quantized come back the same', () => {
    const once = dequantizeRows(quantizeRows(noise(64, 2), 4));
    expect(dequantizeRows(quantizeRows(once, 4))).toEqual(once);
  });
});

describe('safetensors in eight bits', () => {
  const tensors = {
    'a.weight': { shape: [3, 5], data: noise(15, 3) },
    'a.bias': { shape: [3], data: Float32Array.of(0.1, 1, -2) },
    'patch.weight': { shape: [2, 3, 1, 2], data: noise(12, 4) },
  };

  it('hold matrices with a scale for each row beside them, vectors in half precision', () => {
    const bytes = writeSafetensors(tensors, 'I8');
    const headerBytes = new DataView(bytes.buffer).getUint32(0, true);
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
    expect(header).toEqual({
      'a.weight_scale': { dtype: 'F32', shape: [3, 1], data_offsets: [0, 12] },
      'patch.weight_scale': { dtype: 'F32', shape: [2, 1], data_offsets: [12, 20] },
      'a.bias': { dtype: 'F16', shape: [3], data_offsets: [20, 26] },
      'a.weight': { dtype: 'I8', shape: [3, 5], data_offsets: [26, 41] },
      'patch.weight': { dtype: 'I8', shape: [2, 3, 1, 2], data_offsets: [41, 53] },
    });
  });

  it('come back near, under the names that went in', () => {
    const read = parseSafetensors(writeSafetensors(tensors, 'I8'), 'x');
    expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(tensors).sort());
    expect(read.dtypes).toEqual({ 'a.weight': 'I8', 'a.bias': 'F16', 'patch.weight': 'I8' });
    for (const [name, { shape, data }] of Object.entries(tensors)) {
      expect(read.tensors[name]?.shape).toEqual(shape);
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      data.forEach((value, i) => {
        expect(Math.abs(value - (read.tensors[name]?.data[i] ?? NaN))).toBeLessThan(largest / 250);
      });
    }
  });

  it.each([
    ['without scales', { a: { dtype: 'I8', shape: [2, 2], data_offsets: [0, 4] } }, 4],
    ['with scales of another shape', { a_scale: { dtype: 'F32', shape: [2], data_offsets: [0, 8] }, a: { dtype: 'I8', shape: [2, 2], data_offsets: [8, 12] } }, 12], // prettier-ignore
    ['with scales of another type', { a_scale: { dtype: 'F16', shape: [2, 1], data_offsets: [0, 4] }, a: { dtype: 'I8', shape: [2, 2], data_offsets: [4, 8] } }, 8], // prettier-ignore
  ])('%s are refused', (_name, header, dataBytes) => {
    const json = new TextEncoder().encode(JSON.stringify(header));
    const bytes = new Uint8Array(8 + json.length + dataBytes);
    new DataView(bytes.buffer).setUint32(0, json.length, true);
    bytes.set(json, 8);
    expect(() => parseSafetensors(bytes, 'x.safetensors')).toThrow('tensor a is in eight bits without its scales a_scale [2,1]'); // prettier-ignore
  });
});
