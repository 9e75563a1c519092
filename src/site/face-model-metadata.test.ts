import { readFileSync } from 'node:fs';
import { ByteBuffer } from 'flatbuffers';
import { describe, expect, it } from 'vitest';
import { addFaceModelMetadata } from './face-model-metadata.ts';

const packaged = new Uint8Array(
  readFileSync(
    new URL('../../node_modules/@mediapipe/face_detection/face_detection_full_range.tflite', import.meta.url),
  ),
);

describe('face model metadata', () => {
  const changed = addFaceModelMetadata(packaged);
  const reader = new ByteBuffer(changed);
  const root = reader.readInt32(0);
  const vector = (field: number): number[] => {
    const at = reader.__indirect(root + reader.__offset(root, 4 + 2 * field));
    return Array.from({ length: reader.readInt32(at) }, (_, i) => reader.__indirect(at + 4 + 4 * i));
  };

  it('keeps the old file behind the new root, aligned to 16 bytes', () => {
    const start = changed.length - Math.ceil(packaged.length / 16) * 16;
    expect(start % 16).toBe(0);
    expect(Buffer.compare(changed.subarray(start, start + packaged.length), packaged)).toBe(0);
  });

  it('names one buffer as metadata, the last one, which begins with its own identifier', () => {
    const [entry] = vector(6);
    const buffers = vector(4);
    expect(entry).toBeDefined();
    const index = reader.readInt32((entry ?? 0) + reader.__offset(entry ?? 0, 6));
    expect(index).toBe(buffers.length - 1);
    const name = reader.__string((entry ?? 0) + reader.__offset(entry ?? 0, 4));
    expect(name).toBe('TFLITE_METADATA');
    const buffer = buffers[index] ?? 0;
    const data = reader.__vector(buffer + reader.__offset(buffer, 4));
    expect(data % 16).toBe(0);
    expect(String.fromCharCode(...changed.subarray(data + 4, data + 8))).toBe('M001');
  });

  it('refuses a model that has metadata, and a file that is no model', () => {
    expect(() => addFaceModelMetadata(changed)).toThrow('metadata already');
    expect(() => addFaceModelMetadata(new Uint8Array(100))).toThrow('no TFLite file');
  });
});
