// What people give the trainer: tables of other habits are read, what cannot be read is named.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadFaces } from '../data/stills/align-faces.ts';
import { readCsv } from '../base/csv.ts';
import { withoutFolders } from '../weights/read-weights.ts';
import { readNpyBytes } from '../base/npy.ts';
import { listVoices } from '../data/stills/voices.ts';

const root = mkdtempSync(join(tmpdir(), 'bad-inputs-'));
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function npy(type: string, shape: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(128, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(118, 8);
  header.write(`{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`, 10);
  return Buffer.concat([header, data]);
}

test('a table with a byte-order mark, CRLF and quotes is read; one without its columns is named', () => {
  const path = join(root, 'table.csv');
  writeFileSync(path, '\uFEFF"clip", emotion\r\n"a ""b"", c",HAP\r\n\r\nd\r\n');
  expect(readCsv(path, ['clip', 'emotion']).rows).toEqual([
    { clip: 'a "b", c', emotion: 'HAP' },
    { clip: 'd', emotion: '' },
  ]);
  expect(() => readCsv(path, ['fold'])).toThrow('it lacks fold');
  expect(() => readCsv(join(root, 'none.csv'), [])).toThrow('Cannot read the label table');
});

test('an array of another type or cut short is named', () => {
  const path = join(root, 'x.npy');
  writeFileSync(path, npy('<f4', [1, 8, 8], new Uint8Array(256)));
  expect(() => readNpyBytes(path)).toThrow('x.npy: holds <f4');
  writeFileSync(path, npy('|u1', [2, 8, 8], new Uint8Array(100)));
  expect(() => readNpyBytes(path)).toThrow('ends after 100 of 128 bytes');
  writeFileSync(path, 'no array');
  expect(() => readNpyBytes(path)).toThrow('is not a NumPy file');
});

test('other spellings of emotions are known, others are counted, and folds are checked', () => {
  const folder = join(root, 'voices');
  mkdirSync(join(folder, 'audio'), { recursive: true });
  const rows = ['Happiness,1', 'surprised,1', 'ANGER,2', 'calm,2', 'constructor,2'];
  rows.forEach((_, i) => {
    writeFileSync(join(folder, 'audio', `c${String(i)}.opus`), '');
  });
  const table = join(folder, 'clips.csv');
  writeFileSync(table, ['clip,emotion,fold', ...rows.map((row, i) => `c${String(i)},${row}`)].join('\r\n'));
  const { clips, dropped } = listVoices(folder, 'any');
  expect(clips.map(({ label }) => label)).toEqual([3, 6, 0]);
  expect(dropped).toEqual({
    'emotion "calm" is none of ours': 1,
    'emotion "constructor" is none of ours': 1,
  });
  expect(() => listVoices(folder, { only: 9 })).toThrow('no clip of fold 9 (it has 1, 2)');
  writeFileSync(table, 'clip,emotion,fold\nc0,HAP,first\n');
  expect(() => listVoices(folder, { except: 1 })).toThrow('the fold of c0 is "first"');
});

/** A split `test` of three faces with the given rows of votes. */
function writeFaces(rows: readonly string[]): void {
  const pixels = Uint8Array.from({ length: 3 * 48 * 48 }, (_, i) => (i * 7919) % 251);
  writeFileSync(join(root, 'test-images.npy'), npy('|u1', [3, 48, 48], pixels));
  const columns = 'image,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,not_a_face';
  writeFileSync(join(root, 'test-votes.csv'), [columns, ...rows].join('\n'));
}

const wish = { folder: root, split: 'test', ties: 'drop', cropPx: 48, sidePx: 48 } as const;
const silent = (): void => undefined;

test('a split that leaves no face says why', async () => {
  writeFaces(['a,0,0,0,0,0,0,0,9,0,0', 'b,5,5,0,0,0,0,0,0,0,0', 'c,0,0,0,0,0,0,0,0,0,0']);
  await expect(loadFaces({ ...wish, align: 'as-is' }, silent)).rejects.toThrow(
    'leaves no face with one of our emotions: {"plurality contempt":1,"tied":1,"no votes":1} of 3',
  );
});

test('a Chromium that does not start is explained, with the way to do without', async () => {
  writeFaces(['a,9,0,0,0,0,0,0,0,0,0', 'b,0,9,0,0,0,0,0,0,0,0', 'c,0,0,9,0,0,0,0,0,0,0']);
  const before = process.env['CHROMIUM_PATH'];
  process.env['CHROMIUM_PATH'] = process.execPath;
  try {
    await expect(loadFaces({ ...wish, align: 'detect' }, silent)).rejects.toThrow('give --align as-is');
  } finally {
    if (before === undefined) delete process.env['CHROMIUM_PATH'];
    else process.env['CHROMIUM_PATH'] = before;
  }
  const { set, report } = await loadFaces({ ...wish, align: 'as-is' }, silent);
  expect([...set.labels]).toEqual([4, 3, 6]);
  expect(report.undetected).toBeNull();
}, 60_000);

test('an exported command keeps its options and loses its folders', () => {
  expect(withoutFolders('finetune --faces /home/me/my faces --voices v --size nano --out /runs/a b')).toBe(
    'finetune --faces DIR --voices DIR --size nano --out DIR',
  );
});
