// Corpora of found or free footage, each on a small tree in its own layout, and on broken ones.
import { deflateRawSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { empty, madeTrees } from '../../../testing/made-tree.ts';
import { corpusNamed } from './all.ts';
import type { CorpusListing } from './corpus.ts';
import { readXlsx } from './xlsx.ts';

const trees = madeTrees();
afterAll(() => trees.close());

const reasons = ({ leftOut }: CorpusListing): string[] =>
  leftOut.map(({ source, why }) => `${source}: ${why}`);

/** A workbook: a zip of the two files that hold a sheet, one stored and one deflated. */
function workbook(rows: readonly (readonly (string | number)[])[]): Uint8Array {
  const strings: string[] = [];
  const cell = (value: string | number, column: number, row: number): string => {
    const at = `${String.fromCharCode(65 + column)}${String(row + 1)}`;
    if (typeof value === 'number') return `<c r="${at}"><v>${String(value)}</v></c>`;
    strings.push(value);
    return `<c r="${at}" s="1" t="s"><v>${String(strings.length - 1)}</v></c>`;
  };
  const sheet = rows.map(
    (row, i) => `<row r="${String(i + 1)}">${row.map((v, j) => cell(v, j, i)).join('')}</row>`,
  );
  const files = {
    'xl/sharedStrings.xml': `<sst>${strings.map((text) => `<si><t xml:space="preserve">${text}</t></si>`).join('')}</sst>`,
    'xl/worksheets/sheet1.xml': `<worksheet><sheetData>${sheet.join('')}</sheetData></worksheet>`,
  };
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const method = name.includes('sheet1') ? 8 : 0;
    const data = method === 8 ? deflateRawSync(text) : Buffer.from(text);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    parts.push(local, Buffer.from(name), data);
    directory.push(entry, Buffer.from(name));
    at += 30 + name.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(2, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

test('a workbook is read; another file is named', () => {
  const folder = trees.tree('xlsx', {
    'a.xlsx': workbook([
      ['order', 'a &amp; b'],
      [1, 'x&#65;'],
    ]),
    'b.xlsx': 'no workbook',
  });
  expect(readXlsx(`${folder}/a.xlsx`)).toEqual({
    columns: ['order', 'a & b'],
    rows: [{ order: '1', 'a & b': 'xA' }],
  });
  expect(() => readXlsx(`${folder}/b.xlsx`)).toThrow('it has no zip directory. Wanted an .xlsx file.');
});

describe('MAFW', () => {
  const lists = (fold: number, train: string, test: string, set = 'single'): Record<string, string> => ({
    [`Train & Test Set/${set}/no_caption/set_${String(fold)}/train.txt`]: train,
    [`Train & Test Set/${set}/no_caption/set_${String(fold)}/test.txt`]: test,
  });
  const files = {
    ...empty('clips/00025.mp4', 'clips/00028.mp4', 'clips/00030.mp4', 'clips/20045.mp4'),
    ...lists(1, '00028.mp4 happiness\n', '00025.mp4 anger\r\n'),
    ...lists(2, '00025.mp4 anger\n', '00028.mp4 happiness\n00099.mp4 anxiety\n'),
    ...lists(1, '', '20045.mp4 anger_disgust_anxiety\n', 'compound'),
    'Train & Test Set/single/with_caption/set_1/test.txt': '00025.mp4 sadness a caption\n',
  };

  test('single labels, folds by test list', async () => {
    const listing = await corpusNamed('mafw').list(trees.tree('mafw', files), {});
    expect(listing.items.map(({ key, label, fold }) => [key, label, fold])).toEqual([
      ['00025', 'angry', 1],
      ['00028', 'happy', 2],
    ]);
    expect(reasons(listing)).toEqual([
      'clips/00030.mp4: in no list of the single set',
      'clips/20045.mp4: in no list of the single set',
      '00099: has a label but no clip',
    ]);
    expect(listing.classes).toBeUndefined();
  });

  test('compound labels make their own classes', async () => {
    const listing = await corpusNamed('mafw').list(trees.tree('mafw-compound', files), { set: 'compound' });
    expect(listing.items.map(({ key, label }) => [key, label])).toEqual([['20045', 'angry_disgust_anxiety']]);
    expect(listing.classes).toEqual(['angry_disgust_anxiety']);
  });

  test('the label text alone has no folds; image folders and sound beside them', async () => {
    const folder = trees.tree('mafw-text', {
      ...empty('data/frames/03747/2.png', 'data/frames/03747/10.png', 'data/audio_16k/03747.wav'),
      'caption-label/single_label.txt':
        '03747.mp4  anger  一个男人  A man speaks.\n03748.mp4\tboredom\t-\nnothing\n',
    });
    const listing = await corpusNamed('mafw').list(folder, {});
    expect(listing.items).toHaveLength(1);
    expect(listing.items[0]).toMatchObject({
      pictures: {
        kind: 'images',
        paths: [`${folder}/data/frames/03747/2.png`, `${folder}/data/frames/03747/10.png`],
      },
      sound: { path: `${folder}/data/audio_16k/03747.wav` },
      label: 'angry',
      fold: null,
    });
    expect(reasons(listing)).toContain('set_1 to set_5: not there, so no clip has a fold');
    expect(reasons(listing)).toContain(
      'caption-label/single_label.txt: line "nothing": wanted NNNNN.mp4 and a label',
    );
  });

  test('labels without clips are named', async () => {
    const folder = trees.tree('mafw-broken', lists(1, '', '00025.mp4 anger\n'));
    await expect(corpusNamed('mafw').list(folder, {})).rejects.toThrow('Looked for clips/NNNNN.mp4');
  });
});

describe('DFEW', () => {
  const split = (part: string, set: number, rows: string): Record<string, string> => ({
    [`EmoLabel_DataSplit/${part}(single-labeled)/set_${String(set)}.csv`]: `video_name,label\n${rows}`,
  });
  const splits = {
    ...split('train', 1, '2,7\n'),
    ...split('test', 1, '1,1\n'),
    ...split('train', 2, '1,1\n'),
    ...split('test', 2, '2,7\n3,9\n4,2\n'),
  };

  test('labels, folds and votes of the original clips', async () => {
    const folder = trees.tree('dfew', {
      ...splits,
      ...empty('Clip/original/part_1/1.mp4', 'Clip/original/part_1/2.mp4', 'Clip/original/part_2/16372.mp4'),
      'Annotation/annotation.xlsx': workbook([
        ['order', '1happy', '2sad', '3neutral', '4angry', '5surprise', '6disgust', '7fear', 'label'],
        [1, 9, 0, 1, 0, 0, 0, 0, 1],
        [2, 0, 0, 0, 0, 2, 0, 8, 7],
      ]),
    });
    const listing = await corpusNamed('dfew').list(folder, {});
    expect(listing.items.map(({ key, label, fold, votes }) => [key, label, fold, votes])).toEqual([
      ['00001', 'happy', 1, { happy: 9, neutral: 1 }],
      ['00002', 'fear', 2, { surprise: 2, fear: 8 }],
    ]);
    expect(listing.items[0]?.sound?.path).toBe(`${folder}/Clip/original/part_1/1.mp4`);
    expect(reasons(listing)).toEqual([
      'EmoLabel_DataSplit/test(single-labeled)/set_2.csv: row "3,9": wanted a clip number and a label 1 to 7',
      'EmoLabel_DataSplit: 4 of its 10 lists are there, so folds are not complete',
      'Clip/original/part_2/16372.mp4: in no split list (no single label)',
      '00004: in a split list, but not in Clip/original',
    ]);
  });

  test('image folders, in the order of time, without sound; a chosen folder that is not there', async () => {
    const folder = trees.tree('dfew-images', {
      ...splits,
      ...empty(
        'Clip/clip_224x224/00001/9.jpg',
        'Clip/clip_224x224/00001/10.jpg',
        'Clip/clip_224x224_16f/00002/1.jpg',
      ),
    });
    const dfew = corpusNamed('dfew');
    const listing = await dfew.list(folder, {});
    expect(listing.items).toHaveLength(1);
    expect(listing.items[0]).toMatchObject({
      source: 'Clip/clip_224x224/00001',
      pictures: {
        paths: [`${folder}/Clip/clip_224x224/00001/9.jpg`, `${folder}/Clip/clip_224x224/00001/10.jpg`],
      },
      sound: null,
    });
    expect((await dfew.list(folder, { clips: 'clip_224x224_16f' })).items.map(({ key }) => key)).toEqual([
      '00002',
    ]);
    await expect(dfew.list(folder, { clips: 'faces' })).rejects.toThrow(
      /Looked for Clip\/faces in .*Clip; there is clip_224x224\/, clip_224x224_16f\//,
    );
  });

  test('split lists without their columns', async () => {
    const folder = trees.tree('dfew-broken', {
      ...empty('Clip/original/1.mp4'),
      'EmoLabel_DataSplit/train(single-labeled)/set_1.csv': 'clip,emotion\n1,1\n',
    });
    await expect(corpusNamed('dfew').list(folder, {})).rejects.toThrow('it lacks video_name, label');
  });
});

describe('MER2023', () => {
  const files = {
    ...empty(
      'train/samplenew_00001.avi',
      'train/samplenew_00002.avi',
      'test1/samplenew_00003.mp4',
      'test3/samplenew_00004.mp4',
    ),
    'train-label.csv': 'name,discrete,valence\nsamplenew_00001,worried,-1.5\nsamplenew_00009,happy,2\n',
    'test1-label.csv': 'name,discrete,valence\nsamplenew_00003,angry,-3.2\n',
    'test3-label.csv': 'name,discrete\nsamplenew_00004,sad\n',
  };

  test('train and test1, both with valence; other test sets when asked for', async () => {
    const mer = corpusNamed('mer2023');
    const folder = trees.tree('mer', files);
    const listing = await mer.list(folder, {});
    expect(listing.items.map(({ key, label, split, dimensions }) => [key, label, split, dimensions])).toEqual(
      [
        ['samplenew_00001', 'worried', 'train', { valence: -1.5 }],
        ['samplenew_00003', 'angry', 'test', { valence: -3.2 }],
      ],
    );
    expect(reasons(listing)).toEqual([
      'samplenew_00009: a row of train-label.csv without a clip in train',
      'train/samplenew_00002.avi: no row in train-label.csv',
    ]);
    const more = await mer.list(folder, { tests: 'test2,test3' });
    expect(more.items[1]).toMatchObject({
      key: 'samplenew_00004',
      dimensions: null,
      groups: { part: 'test3' },
    });
    expect(reasons(more)).toContain('test2: no test2-label.csv, so it is not listed');
    await expect(mer.list(folder, { tests: 'test4' })).rejects.toThrow('--tests names "test4"');
  });

  test('the other packing; training clips without labels', async () => {
    const mer = corpusNamed('mer2023');
    const folder = trees.tree('mer-packed', {
      ...empty('mer2023train/train/a.avi', 'test1/b.avi'),
      'mer2023train/train-label.csv': 'name,discrete,valence\na,neutral,0\n',
      'test-labels/test1-label.csv': 'name,discrete,valence\nb,surprise,0.5\n',
    });
    expect((await mer.list(folder, {})).items.map(({ key, split }) => [key, split])).toEqual([
      ['a', 'train'],
      ['b', 'test'],
    ]);
    await expect(mer.list(trees.tree('mer-broken', empty('train/a.avi', 'label.csv')), {})).rejects.toThrow(
      /Looked for train-label\.csv in .* there is train\/, label\.csv/,
    );
  });
});

describe('Werewolf-XL', () => {
  test('values by name, six sessions a fold, feature tables beside are not labels', async () => {
    const folder = trees.tree('werewolf', {
      ...empty(
        'Werewolf-XL_Speaker_Video/01_01_128.mp4',
        'Werewolf-XL_Speaker_Video/07_02_9.mp4',
        'openface/30_09_1_aligned/1.jpg',
        'audio_16k/30_09_1.wav',
      ),
      'features.csv': 'VideoName,f0\n01_01_128,2\n',
      'PAD.csv':
        'id,speaker_audio,Pleasure_average,Arousal_average,Dominance_average\n1,01_01_128,0.25,1.0,0.5\n2,30_09_1,-0.5,1.5,1\n3,12_01_1,0,0,0\n4,intro,0,0,0\n',
    });
    const listing = await corpusNamed('werewolf-xl').list(folder, {});
    expect(
      listing.items.map(({ key, dimensions, fold, identity }) => [key, dimensions, fold, identity]),
    ).toEqual([
      ['01_01_128', { arousal: 1, valence: 0.25, dominance: 0.5 }, 1, '01_01'],
      ['30_09_1', { arousal: 1.5, valence: -0.5, dominance: 1 }, 5, '30_09'],
    ]);
    expect(listing.items[1]).toMatchObject({
      pictures: { kind: 'images' },
      sound: { path: `${folder}/audio_16k/30_09_1.wav` },
    });
    expect(reasons(listing)).toEqual([
      'PAD.csv: row "intro": wanted a name like 01_02_130',
      'Werewolf-XL_Speaker_Video/07_02_9.mp4: no row in PAD.csv',
      '12_01_1: has values but no clip',
    ]);
  });
});

describe('AVCAffe', () => {
  const files = {
    ...empty(
      'videos/shorter_segments/aiim001/task_1/aiim001_task_1_001.avi',
      'videos/shorter_segments/aiim003/task_2/seg 2.avi',
      'videos/shorter_segments/aiim003/task_3/a.avi',
      'videos/shorter_segments/stray.avi',
    ),
    'ground_truths/arousal.txt':
      'participant and task\naiim001_task_1, Excited\naiim003_task_2, Calm\naiim003_task_9, Dull\n',
    'ground_truths/mental_demand.txt': 'aiim001_task_1, 11\naiim003_task_2, 10\n',
    'info/no_audio_files.txt': 'seg 2.avi\n',
  };

  test('labels by task, the official test people, more arousal is more', async () => {
    const listing = await corpusNamed('avcaffe').list(trees.tree('avcaffe', files), {});
    expect(listing.items.map(({ key, label, split, dimensions }) => [key, label, split, dimensions])).toEqual(
      [
        ['aiim001_task_1_001', 'excited', 'test', { arousal: 4, mental_demand: 11 }],
        ['aiim003_task_2_seg_2', 'calm', 'train', { arousal: 0, mental_demand: 10 }],
      ],
    );
    expect(listing.items[1]?.groups).toEqual({ task: 'task_2', speech: 'no' });
    expect(listing.classes).toEqual(['excited', 'wide-awake', 'neutral', 'dull', 'calm']);
    expect(reasons(listing)).toEqual([
      'videos/shorter_segments/stray.avi: not below aiimNNN/task_N',
      'videos/shorter_segments/aiim003/task_3/a.avi: no line for aiim003_task_3 in ground_truths/arousal.txt',
      'aiim003_task_9: has a label but no segment',
    ]);
  });

  test('another target, below data/, and one without its file', async () => {
    const below = Object.fromEntries(Object.entries(files).map(([path, text]) => [`data/${path}`, text]));
    const folder = trees.tree('avcaffe-data', below);
    const listing = await corpusNamed('avcaffe').list(folder, { target: 'mental_demand' });
    expect(listing.items.map(({ label }) => label)).toEqual(['high', 'low']);
    expect(listing.classes).toEqual(['low', 'high']);
    await expect(corpusNamed('avcaffe').list(folder, { target: 'valence' })).rejects.toThrow(
      /Looked for valence\.txt .* there is arousal\.txt, mental_demand\.txt/,
    );
  });
});

describe('VoxCeleb2', () => {
  test('faces and voices meet across the parts; speakers and their sex', async () => {
    const folder = trees.tree('vox', {
      ...empty(
        'dev/mp4/id00012/21Uxsk56VDQ/00001.mp4',
        'dev/mp4/id00012/21Uxsk56VDQ/00002.mp4',
        'dev/aac/id00012/21Uxsk56VDQ/00001.m4a',
        'dev/aac/id00012/-x_y/00003.m4a',
        'dev/mp4/list/a/1.mp4',
        'test/mp4/id00017/01dfn2spqyE/00001.mp4',
      ),
      'vox2_meta.csv':
        '\uFEFFVoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set\nid00012 ,n000012 ,m ,dev\nid00017 ,n000017 ,f ,test\n',
    });
    const listing = await corpusNamed('voxceleb2').list(folder, {});
    expect(
      listing.items.map(({ key, identity, split, groups }) => [key, identity, split, groups['sex']]),
    ).toEqual([
      ['id00012--x_y-00003', 'id00012', 'train', 'male'],
      ['id00012-21Uxsk56VDQ-00001', 'id00012', 'train', 'male'],
      ['id00012-21Uxsk56VDQ-00002', 'id00012', 'train', 'male'],
      ['id00017-01dfn2spqyE-00001', 'id00017', 'test', 'female'],
    ]);
    expect(listing.items[1]).toMatchObject({
      source: 'dev/mp4/id00012/21Uxsk56VDQ/00001.mp4',
      sound: { path: `${folder}/dev/aac/id00012/21Uxsk56VDQ/00001.m4a` },
    });
    expect(listing.items[2]?.sound).toBeNull();
    expect(listing.items[3]?.sound?.path).toBe(`${folder}/test/mp4/id00017/01dfn2spqyE/00001.mp4`);
    expect(reasons(listing)).toEqual([
      'dev/aac/id00012/-x_y/00003.m4a: no video of it; it is listed with its sound alone',
      'dev/mp4/id00012/21Uxsk56VDQ/00002.mp4: no sound of it; it is listed with its pictures alone',
      'dev/mp4/list: not a speaker (idNNNNN)',
    ]);
  });
});
