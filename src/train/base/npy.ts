// NumPy's array files, plain or gzipped: how the face images arrive.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Problem } from '../../base/errors.ts';

/** An array of bytes, row-major. */
export interface ByteArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/**
 * Reads a uint8 array in C order, format versions 1 to 3.
 * @throws Problem when the file is missing, cut short, or of another type
 */
export function readNpyBytes(path: string): ByteArray {
  const bad = (what: string, cause?: unknown): Problem =>
    new Problem(
      'unsupported-file',
      `${path}: ${what}. Wanted a NumPy uint8 array (.npy or .npy.gz) in C order.`,
      { cause },
    );
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw bad('cannot be read', error);
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes);
    } catch (error) {
      throw bad('the gzip data is damaged or cut short', error);
    }
  }
  if (bytes.length < 12 || bytes.toString('latin1', 1, 6) !== 'NUMPY') throw bad('is not a NumPy file');
  const wide = (bytes[6] ?? 1) >= 2;
  const headerStart = wide ? 12 : 10;
  const headerLength = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', headerStart, headerStart + headerLength);
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  if (type !== '|u1') throw bad(`holds ${type ?? 'an unknown type'}`);
  if (!/'fortran_order':\s*False/.test(header)) throw bad('is in Fortran order');
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? '')
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const length = shape.reduce((a, b) => a * b, 1);
  const data = bytes.subarray(headerStart + headerLength);
  if (data.length < length) {
    throw bad(`ends after ${String(data.length)} of ${String(length)} bytes of shape [${shape.join(', ')}]`);
  }
  return { shape, data: data.subarray(0, length) };
}
