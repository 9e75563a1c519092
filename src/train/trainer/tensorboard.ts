// TensorBoard event files: what a run logs, readable by TensorBoard. A file is a row of records (TFRecord: length and
// content, each with a masked CRC-32C), a record an Event message (tensorflow/core/util/event.proto, summary.proto).
import { closeSync, existsSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PbfWriter } from 'pbf';

/** One session of a run. Records are on disk when a call returns, so a killed run's file is whole up to its last record. */
export interface EventWriter {
  /** The file that is written. */
  readonly path: string;
  /**
   * A value of a curve.
   * @param tag its name; a part before `/` groups curves: `loss/face`
   */
  scalar(tag: string, step: number, value: number): void;
  /** A picture, of a PNG file's bytes and its size in pixels. */
  image(tag: string, step: number, png: Uint8Array, widthPx: number, heightPx: number): void;
  close(): void;
}

// Castagnoli's polynomial, reversed.
const polynomial = 0x82f63b78;
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
  return value >>> 0;
});

/** CRC-32C (Castagnoli) of bytes, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The checksum as TFRecord stores it: rotated by 15 bits, plus a constant. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Content as a record: u64 length, its checksum, content, its checksum; all little-endian. */
export function toRecord(content: Uint8Array): Uint8Array {
  const record = new Uint8Array(content.length + 16);
  const view = new DataView(record.buffer);
  view.setUint32(0, content.length, true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(content, 12);
  view.setUint32(12 + content.length, maskedCrc32c(content), true);
  return record;
}

type Summary =
  | { readonly tag: string; readonly value: number }
  | { readonly tag: string; readonly png: Uint8Array; readonly widthPx: number; readonly heightPx: number };

function writeImage(image: Extract<Summary, { png: Uint8Array }>, pbf: PbfWriter): void {
  pbf.writeVarintField(1, image.heightPx);
  pbf.writeVarintField(2, image.widthPx);
  pbf.writeVarintField(3, 3); // RGB
  pbf.writeBytesField(4, image.png);
}

function writeValue(summary: Summary, pbf: PbfWriter): void {
  pbf.writeStringField(1, summary.tag);
  if ('png' in summary) pbf.writeMessage(4, writeImage, summary);
  else pbf.writeFloatField(2, summary.value);
}

function writeSummary(summary: Summary, pbf: PbfWriter): void {
  pbf.writeMessage(1, writeValue, summary);
}

/** An Event: its time in seconds since 1970, and a summary or, once per file, the version of the format. */
function event(seconds: number, step: number, summary: Summary | null): Uint8Array {
  const pbf = new PbfWriter();
  pbf.writeDoubleField(1, seconds);
  if (step !== 0) pbf.writeVarintField(2, step);
  if (summary) pbf.writeMessage(5, writeSummary, summary);
  else pbf.writeStringField(3, 'brain.Event:2');
  return pbf.finish();
}

/**
 * Opens a new event file in a folder, which is made when it is missing; a resumed run opens another one beside the first,
 * as TensorBoard expects.
 */
export function createEventWriter(folder: string): EventWriter {
  mkdirSync(folder, { recursive: true });
  const now = (): number => Date.now() / 1000;
  const started = now();
  const name = `events.out.tfevents.${Math.floor(started).toString().padStart(10, '0')}.${hostname()}.${String(process.pid)}`;
  let number = 0;
  while (existsSync(join(folder, `${name}.${String(number)}`))) number++;
  const path = join(folder, `${name}.${String(number)}`);
  let file: number | null = openSync(path, 'wx');
  const write = (content: Uint8Array): void => {
    if (file === null) throw new Error('internal: an event file is written to after it was closed');
    const record = toRecord(content);
    // A full disk takes a part only, and says so at the next attempt.
    for (let done = 0; done < record.length;) done += writeSync(file, record, done);
  };
  write(event(started, 0, null));
  return {
    path,
    scalar: (tag, step, value) => write(event(now(), step, { tag, value })),
    image: (tag, step, png, widthPx, heightPx) => write(event(now(), step, { tag, png, widthPx, heightPx })),
    close: () => {
      if (file !== null) closeSync(file);
      file = null;
    },
  };
}
