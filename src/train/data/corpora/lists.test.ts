// FER+ in its three layouts, any table, any folder.
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { empty, madeTrees } from '../../../testing/made-tree.ts';
import { corpusNamed } from './all.ts';
import type { CorpusListing } from './corpus.ts';
import { keyOf, listingBuilder } from './listing.ts';

const trees = madeTrees();
afterAll(() => trees.close());

const reasons = ({ leftOut }: CorpusListing): string[] =>
  leftOut.map(({ source, why }) => `${source}: ${why}`);

test('keys are safe, unique and sorted, whatever came first', () => {
  expect(keyOf('a b/c.d-é_1')).toBe('a_b-c_d-__1');
  const builder = listingBuilder();
  builder.add({ key: 'z', source: 'z.mp4' });
  builder.add({ key: 'a.b', source: 'a.b.mp4' });
  builder.add({ key: 'a_b', source: 'a_b.mp4' });
  const keys = builder.done().items.map(({ key, source }) => [key, source] as const);
  expect(keys.at(-1)).toEqual(['z', 'z.mp4']);
  expect(new Set(keys.map(([key]) => key)).size).toBe(3);
  for (const [key] of keys.slice(0, 2)) expect(key).toMatch(/^a_b-[0-9a-f]{8}$/);
});

describe('FER+', () => {
  const columns = 'neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown';
  const votes = [
    '4,0,0,1,3,2,0,0,0,0',
    '0,0,0,0,0,0,0,0,6,4',
    '0,0,0,0,5,0,0,0,5,0',
    '0,0,0,0,0,0,0,2,1,7',
    '0,0,0,0,0,0,0,9,1,0',
  ];
  const expected = [
    ['fer0000000', 'neutral', { neutral: 4, sad: 1, angry: 3, disgust: 2 }],
    ['fer0000002', 'angry', { angry: 5 }],
    ['fer0000004', 'contempt', { contempt: 9 }],
  ];
  const names = votes.map((_, i) => `fer000000${String(i)}`);
  const seen = (listing: CorpusListing): unknown =>
    listing.items.map(({ key, label, votes }) => [key, label, votes]);

  test('arrays and their tables', async () => {
    const header = Buffer.alloc(128, ' ');
    header.write('\x93NUMPY\x01\x00', 'latin1');
    header.writeUInt16LE(118, 8);
    header.write("{'descr': '|u1', 'fortran_order': False, 'shape': (5, 8, 8), }", 10);
    const pixels = Uint8Array.from({ length: 5 * 64 }, (_, i) => Math.floor(i / 64));
    const table = [`image,${columns},not_a_face`, ...votes.map((row, i) => `${names[i] ?? ''},${row}`)].join(
      '\n',
    );
    const folder = trees.tree('fer-arrays', {
      'train-images.npy.gz': gzipSync(Buffer.concat([header, pixels])),
      'train-votes.csv': table,
      'valid-votes.csv': table,
    });
    const listing = await corpusNamed('ferplus').list(folder, {});
    expect(seen(listing)).toEqual(expected);
    const last = listing.items[2];
    expect(last).toMatchObject({
      split: 'train',
      sound: null,
      pictures: { kind: 'pixels', count: 1, height: 8, channels: 1 },
    });
    expect(last?.pictures?.kind === 'pixels' ? [...last.pictures.data] : []).toEqual(
      Array.from({ length: 64 }, () => 4),
    );
    expect(reasons(listing)).toEqual([
      'train-votes.csv:fer0000001: most voted unknown',
      'train-votes.csv:fer0000003: most voted not a face',
      'valid-votes.csv: no valid-images.npy.gz beside it',
    ]);
    const short = trees.tree('fer-short', {
      'train-images.npy.gz': gzipSync(Buffer.concat([header, pixels])),
      'train-votes.csv': table.split('\n').slice(0, 3).join('\n'),
    });
    await expect(corpusNamed('ferplus').list(short, {})).rejects.toThrow(
      'has the shape [5, 8, 8] and train-votes.csv 2 rows',
    );
  });

  test('folders of images', async () => {
    const folder = trees.tree('fer-folders', {
      ...empty(...names.map((name) => `data/FER2013Valid/${name}.png`), 'data/FER2013Valid/extra.png'),
      'data/FER2013Valid/label.csv': [...names, 'fer0000009']
        .map((name, i) => `${name}.png,"(0, 0, 48, 48)",${votes[i % 5] ?? ''}`)
        .join('\r\n'),
    });
    const listing = await corpusNamed('ferplus').list(folder, {});
    expect(seen(listing)).toEqual(expected);
    expect(listing.items[0]).toMatchObject({
      split: 'valid',
      pictures: { kind: 'images', paths: [`${folder}/data/FER2013Valid/fer0000000.png`] },
    });
    expect(reasons(listing)).toContain('FER2013Valid/fer0000009.png: a row of label.csv without an image');
    expect(reasons(listing)).toContain('FER2013Valid/extra.png: no row in label.csv');
    const bare = trees.tree('fer-bare', empty('FER2013Train/fer0000000.png'));
    await expect(corpusNamed('ferplus').list(bare, {})).rejects.toThrow('Looked for label.csv in');
  });

  test('votes and pixels, row by row', async () => {
    const usages = ['Training', 'Training', 'PublicTest', 'PrivateTest', 'PrivateTest'];
    const plus = [
      `Usage,Image name,${columns},NF`,
      ...votes.map((row, i) => `${usages[i] ?? ''},${i === 3 ? '' : `${names[i] ?? ''}.png`},${row}`),
    ];
    const pixels = [
      'emotion,pixels,Usage',
      ...votes.map(
        (_, i) => `0,"${Array.from({ length: 2304 }, () => String(i)).join(' ')}",${usages[i] ?? ''}`,
      ),
    ];
    const folder = trees.tree('fer-tables', {
      'fer2013new.csv': plus.join('\n'),
      'fer2013.csv': pixels.join('\n'),
    });
    const listing = await corpusNamed('ferplus').list(folder, {});
    expect(seen(listing)).toEqual(expected);
    expect(listing.items.map(({ split }) => split)).toEqual(['train', 'valid', 'test']);
    expect(listing.items[1]?.pictures).toMatchObject({ width: 48, height: 48, frameRateHz: 0 });
    expect(listing.items[1]?.pictures?.kind === 'pixels' ? listing.items[1].pictures.data[2303] : -1).toBe(2);
    expect(reasons(listing)).toContain('fer2013new.csv:5: it has no image name: not a face');
    const short = trees.tree('fer-cut', {
      'fer2013new.csv': plus.join('\n'),
      'fer2013.csv': pixels.slice(0, 4).join('\n'),
    });
    await expect(corpusNamed('ferplus').list(short, {})).rejects.toThrow('One of them is cut short');
    const half = trees.tree('fer-half', { 'fer2013new.csv': plus.join('\n') });
    await expect(corpusNamed('ferplus').list(half, {})).rejects.toThrow(
      'Looked for fer2013.csv (the pixels) in',
    );
  });
});

describe('any table', () => {
  const csv = corpusNamed('csv');

  test('a header names the columns; cuts, votes, values, groups', async () => {
    const folder = trees.tree('csv', {
      ...empty('a/x.mp4', 'a/y.wav', 'a/faces/2.jpg', 'a/faces/10.jpg'),
      'samples.csv': [
        'Video,audio,label,votes_happy,votes_Sad,valence,dim_tension,speaker,fold,split,start,end,sex,age,group_room,note',
        'a/x.mp4,,joy,3,1,0.5,7,p1,2,train,1.5,3,F,33,"kitchen, left",hm',
        'a/x.mp4,,sadness,,,,,p1,2,train,3,4.25,f,33,,',
        'a/faces,a/y.wav,,,,,,p2,,val,,,,,,',
        'a/none.mp4,,joy,,,,,,,,,,,,,',
        'a/x.mp4,,joy,,,,,,half,,,,,,,',
        'a/x.mp4,,joy,,,,,,,,5,4,,,,',
        'a/none.mp4,a/y.wav,joy,,,,,,,,,,,,,',
      ].join('\r\n'),
    });
    const listing = await csv.list(folder, {});
    expect(listing.items.map(({ key, label, fold, split }) => [key, label, fold, split])).toEqual([
      ['a-faces', null, null, 'valid'],
      ['a-none', 'happy', null, null],
      ['a-x-1500', 'happy', 2, 'train'],
      ['a-x-3000', 'sad', 2, 'train'],
    ]);
    expect(listing.items[2]).toMatchObject({
      source: 'a/x.mp4',
      pictures: { kind: 'video', path: `${folder}/a/x.mp4`, startMs: 1500, endMs: 3000 },
      sound: { path: `${folder}/a/x.mp4`, startMs: 1500, endMs: 3000 },
      votes: { happy: 3, sad: 1 },
      dimensions: { valence: 0.5, tension: 7 },
      identity: 'p1',
      groups: { sex: 'female', age: '30-39', room: 'kitchen, left' },
    });
    expect(listing.items[0]).toMatchObject({
      pictures: { paths: [`${folder}/a/faces/2.jpg`, `${folder}/a/faces/10.jpg`], frameRateHz: 25 },
      sound: { path: `${folder}/a/y.wav` },
      identity: 'p2',
    });
    expect(listing.classes).toEqual(['happy', 'sad']);
    expect(listing.dimensions).toEqual(['valence', 'tension']);
    expect(reasons(listing)).toEqual([
      'samples.csv: the column note is not known and not read',
      'samples.csv:5: a/none.mp4 is not there, or no media file or image folder',
      'samples.csv:6: split "", fold "half": wanted train, valid or test, and a number from 1',
      'samples.csv:7: ends before it starts',
      'samples.csv:8: a/none.mp4 is not there; listed with its sound alone',
    ]);
  });

  test("HiCMAE's annotation files: class numbers, absolute paths, the split by the file's name", async () => {
    const folder = trees.tree(
      'official',
      empty('face_aligned/1001_DFA_ANG_XX/f_1.bmp', 'AudioWAV/1001_DFA_ANG_XX.wav', 'x y/2.mp4'),
    );
    const outside = trees.tree('official-lists', {
      'split01/train.csv': `${folder}/face_aligned/1001_DFA_ANG_XX ${folder}/AudioWAV/1001_DFA_ANG_XX.wav 1\n"x y/2.mp4" 7\n`,
      'split01/test.csv': 'face_aligned/1001_DFA_ANG_XX,AudioWAV/1001_DFA_ANG_XX.wav,0\n',
    });
    const options = {
      'labels-file': `${outside}/split01/train.csv,${outside}/split01/test.csv`,
      classes: 'angry, disgust',
      'frame-rate': '30',
    };
    const listing = await csv.list(folder, options);
    expect(listing.items.map(({ label, split, source }) => [label, split, source]).sort()).toEqual([
      ['angry', 'test', 'face_aligned/1001_DFA_ANG_XX'],
      ['disgust', 'train', 'face_aligned/1001_DFA_ANG_XX'],
    ]);
    expect(listing.items[0]).toMatchObject({
      pictures: { kind: 'images', frameRateHz: 30 },
      sound: { path: `${folder}/AudioWAV/1001_DFA_ANG_XX.wav` },
    });
    expect(listing.leftOut.map(({ why }) => why)).toEqual(['label 7 is none of 0 angry, 1 disgust']);
    await expect(csv.list(folder, { 'labels-file': 'train.csv' })).rejects.toThrow(
      /Looked for the label file train\.csv in .* there is AudioWAV\/, face_aligned\/, x y\//,
    );
    await expect(csv.list(folder, { 'frame-rate': 'fast' })).rejects.toThrow('--frame-rate is "fast"');
  });

  test('three values instead of a label; other numbers of values are refused unless they are named', async () => {
    const folder = trees.tree('values', {
      ...empty('a/1.wav', 'v/1/1.jpg'),
      'test.csv': 'v/1 a/1.wav 1.0 -0.25 0.5\n',
    });
    const listing = await csv.list(folder, {});
    expect(listing.items[0]).toMatchObject({
      key: 'v-1',
      label: null,
      split: 'test',
      dimensions: { arousal: 1, valence: -0.25, dominance: 0.5 },
    });
    expect(listing.dimensions).toEqual(['arousal', 'valence', 'dominance']);
    await expect(csv.list(folder, { dimensions: 'valence' })).rejects.toThrow(
      'Line 1 has "1.0 -0.25 0.5" after its paths; wanted a label, or 1 numbers (valence;',
    );
  });

  test('several tables and none named', async () => {
    const folder = trees.tree('csv-two', empty('a.csv', 'b.csv'));
    await expect(csv.list(folder, {})).rejects.toThrow('Say by --labels-file which one');
  });
});

describe('any folder', () => {
  const media = corpusNamed('media');

  test('films with the sound beside them, sounds, pictures, with keys from their paths', async () => {
    const frames = [8, 9, 10, 11].map((n) => `faces/x/f${String(n)}.png`);
    const folder = trees.tree('media', {
      ...empty(
        'b.webm',
        'b.wav',
        'sub/c.opus',
        'sub/d e.mpg',
        'faces/one.png',
        ...frames,
        'readme.txt',
        '.b.mp4',
      ),
      'cut.npy': 'no array',
    });
    const listing = await media.list(folder, {});
    expect(listing.items.map(({ key, source }) => [key, source])).toEqual([
      ['b', 'b.webm'],
      ['faces-one', 'faces/one.png'],
      ['faces-x', 'faces/x'],
      ['sub-c', 'sub/c.opus'],
      ['sub-d_e', 'sub/d e.mpg'],
    ]);
    expect(listing.items[0]).toMatchObject({
      sound: { path: `${folder}/b.wav` },
      label: null,
      identity: null,
    });
    expect(listing.items[2]?.pictures).toMatchObject({
      paths: frames.map((path) => `${folder}/${path}`),
      frameRateHz: 25,
    });
    expect(listing.items[3]?.pictures).toBeNull();
    expect(reasons(listing)[0]).toMatch(/^cut\.npy: .*is not a NumPy file/);
    expect(reasons(listing)[1]).toBe('readme.txt: no film, sound or picture by its name');
    const stills = await media.list(folder, { images: 'stills' });
    expect(stills.items.map(({ key }) => key)).toContain('faces-x-f10');
    expect(stills.items).toHaveLength(8);
  });

  test('one file', async () => {
    const folder = trees.tree('media-file', empty('a.mp4', 'b.mp4', '1.png', '2.png', '3.png', '4.png'));
    expect((await media.list(`${folder}/a.mp4`, {})).items.map(({ source }) => source)).toEqual(['a.mp4']);
    expect((await media.list(`${folder}/2.png`, {})).items.map(({ source }) => source)).toEqual(['2.png']);
  });
});
