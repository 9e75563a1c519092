import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PbfReader } from 'pbf';
import { afterAll, expect, it } from 'vitest';
import { crc32c, createEventWriter, maskedCrc32c, toRecord } from './tensorboard.ts';

const root = mkdtempSync(join(tmpdir(), 'tensorboard-'));
afterAll(() => rmSync(root, { recursive: true }));

interface Parsed {
  seconds: number;
  step: number;
  version: string;
  tag: string;
  value: number | null;
  image: { height: number; width: number; channels: number; bytes: number[] } | null;
}

/** Events of a file, every checksum checked. */
function parse(path: string): Parsed[] {
  const bytes = new Uint8Array(readFileSync(path));
  const view = new DataView(bytes.buffer);
  const events: Parsed[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint32(at, true);
    expect(view.getUint32(at + 4, true)).toBe(0);
    expect(view.getUint32(at + 8, true)).toBe(maskedCrc32c(bytes.subarray(at, at + 8)));
    const content = bytes.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(maskedCrc32c(content));
    const found: Parsed = { seconds: 0, step: 0, version: '', tag: '', value: null, image: null };
    new PbfReader(content).readFields((field, event, pbf) => {
      if (field === 1) event.seconds = pbf.readDouble();
      else if (field === 2) event.step = pbf.readVarint();
      else if (field === 3) event.version = pbf.readString();
      else if (field === 5)
        pbf.readMessage((inner, into, summary) => {
          if (inner === 1)
            summary.readMessage((key, value, reader) => {
              if (key === 1) value.tag = reader.readString();
              else if (key === 2) value.value = reader.readFloat();
              else if (key === 4) {
                value.image = { height: 0, width: 0, channels: 0, bytes: [] };
                reader.readMessage((k, image, r) => {
                  if (k === 1) image.height = r.readVarint();
                  else if (k === 2) image.width = r.readVarint();
                  else if (k === 3) image.channels = r.readVarint();
                  else if (k === 4) image.bytes = [...r.readBytes()];
                }, value.image);
              }
            }, into);
        }, event);
    }, found);
    events.push(found);
    at += length + 16;
  }
  return events;
}

it('has the checksum of RFC 3720, and a known record', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  // The length 24 of the version record of a file by TensorFlow: 18 00 .. 00, a3 7f 4b 22.
  expect([...toRecord(new Uint8Array(24)).subarray(0, 12)]).toEqual(
    [0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22], // prettier-ignore
  );
});

it('writes what a reader of the format finds again, a file per session', () => {
  const folder = join(root, 'run');
  const before = Date.now() / 1000;
  const writer = createEventWriter(folder);
  writer.scalar('loss/face', 1, 0.5);
  writer.scalar('loss/face', 70000, -3);
  const png = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
  writer.image('pictures', 2, png, 20, 10);
  writer.close();
  writer.close();
  expect(() => writer.scalar('late', 3, 1)).toThrow('closed');
  const events = parse(writer.path);
  expect(events.map(({ version }) => version)).toEqual(['brain.Event:2', '', '', '']);
  expect(events.map(({ step }) => step)).toEqual([0, 1, 70000, 2]);
  expect(events.map(({ value }) => value)).toEqual([null, 0.5, -3, null]);
  expect(events[3]?.image).toEqual({ height: 10, width: 20, channels: 3, bytes: [...png] });
  for (const { seconds } of events) {
    expect(seconds).toBeGreaterThanOrEqual(before);
    expect(seconds).toBeLessThan(before + 60);
  }

  const resumed = createEventWriter(folder);
  resumed.scalar('loss/face', 70001, 1);
  resumed.close();
  expect(readdirSync(folder)).toHaveLength(2);
  expect(readdirSync(folder).every((name) => name.includes('tfevents'))).toBe(true);
  expect(parse(resumed.path)).toHaveLength(2);
});
