// POSIX ustar, as far as shards need it: headers written the same every time, and where each member of an archive lies.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Problem } from '../../../base/errors.ts';

export const blockBytes = 512;
/** Longest member name without a folder. */
export const longestName = 100;
/** Largest member: eleven octal digits. */
const largestSize = 8 ** 11 - 1;

/** A regular file of an archive. */
export interface Member {
  readonly name: string;
  /** Where its bytes begin in the archive. */
  readonly offset: number;
  readonly size: number;
}

/** Bytes a member takes in the archive: header, content, filling. */
export function memberBytes(size: number): number {
  return blockBytes + paddedBytes(size);
}

function paddedBytes(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

/** A regular file's header with nothing in it that differs from run to run: time 0, nobody's, readable by all. */
function header(name: string, size: number): Buffer {
  if (Buffer.byteLength(name) > longestName || size > largestSize) {
    throw new Problem('internal', `internal: ${name} of ${String(size)} bytes does not fit a ustar header`);
  }
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): void => {
    block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  block.write(name, 0);
  octal(0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(0, 136, 11);
  block.write('        0', 148, 'latin1');
  block.write('ustar\0' + '00', 257, 'latin1');
  octal(0, 329, 7);
  octal(0, 337, 7);
  octal(checksum(block), 148, 6);
  block.write('\0 ', 154, 'latin1');
  return block;
}

/** A member's bytes in the archive, ready to be appended. */
export function tarMember(name: string, content: Uint8Array): Uint8Array[] {
  const filling = paddedBytes(content.length) - content.length;
  return [header(name, content.length), content, ...(filling > 0 ? [new Uint8Array(filling)] : [])];
}

/** What an archive ends with. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockBytes);

/** The sum of the header's bytes, its own field read as spaces. */
function checksum(block: Uint8Array): number {
  let sum = 8 * 32;
  for (let i = 0; i < blockBytes; i++) if (i < 148 || i >= 156) sum += block[i]!;
  return sum;
}

function text(block: Buffer, at: number, length: number): string {
  const bytes = block.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? length : end);
}

/** Octal digits, or GNU's base 256 for very large files. */
function numberIn(block: Buffer, at: number, length: number): number {
  if (((block[at] ?? 0) & 0x80) !== 0) {
    let value = (block[at] ?? 0) & 0x7f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] ?? 0);
    return value;
  }
  const digits = text(block, at, length).trim();
  return digits === '' ? 0 : parseInt(digits, 8);
}

/** The records of a pax header: `LENGTH name=value\n`. */
function paxRecords(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space < 0 || !(length > 0)) break;
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

const cutShort = (path: string, what: string): Problem =>
  new Problem(
    'unsupported-file',
    `${path} is cut short or damaged: ${what}. Copy it again, or delete it and run prepare again.`,
  );

/**
 * Where the regular files of an archive lie; only headers are read. ustar, GNU and pax archives.
 * @throws Problem when it is missing, not a tar archive, or cut short
 */
export function readTarIndex(path: string): Member[] {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw new Problem('unsupported-file', `Cannot read the shard ${path}: ${String(error)}`, {
      cause: error,
    });
  }
  try {
    const total = fstatSync(file).size;
    const members: Member[] = [];
    const block = Buffer.alloc(blockBytes);
    let nextName: string | undefined;
    let nextSize: number | undefined;
    for (let at = 0; ;) {
      if (readSync(file, block, 0, blockBytes, at) < blockBytes) {
        throw cutShort(path, `it ends at byte ${String(total)} without the closing blocks of a tar archive`);
      }
      if (block[0] === 0 && block.every((byte) => byte === 0)) return members;
      if (numberIn(block, 148, 8) !== checksum(block)) {
        throw cutShort(path, `there is no tar header at byte ${String(at)}, where one was wanted`);
      }
      const type = String.fromCharCode(block[156] ?? 0);
      const size = nextSize ?? numberIn(block, 124, 12);
      const offset = at + blockBytes;
      if (offset + size > total) {
        const name = nextName ?? text(block, 0, 100);
        throw cutShort(
          path,
          `${name} wants ${String(size)} bytes, of which ${String(Math.max(0, total - offset))} are there`,
        );
      }
      at = offset + paddedBytes(size);
      if (type === 'x' || type === 'L') {
        const content = Buffer.alloc(size);
        readSync(file, content, 0, size, offset);
        if (type === 'L') nextName = text(content, 0, size);
        else {
          const records = paxRecords(content);
          nextName = records.get('path') ?? nextName;
          const large = records.get('size');
          if (large !== undefined) nextSize = Number(large);
        }
        continue;
      }
      if (type === '0' || type === '\0') {
        const prefix = text(block, 257, 6) === 'ustar' ? text(block, 345, 155) : '';
        const short = text(block, 0, 100);
        members.push({ name: nextName ?? (prefix === '' ? short : `${prefix}/${short}`), offset, size });
      }
      nextName = undefined;
      nextSize = undefined;
    }
  } finally {
    closeSync(file);
  }
}
