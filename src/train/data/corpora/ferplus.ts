// FER+: faces of FER2013 with ten crowd votes each. Three layouts: fer2013new.csv (votes) beside fer2013.csv (pixels), row by
// row the same images; the folders FER2013{Train,Valid,Test} with PNG files and label.csv that the owners' script makes; and
// a compact one, SPLIT-images.npy.gz with SPLIT-votes.csv.
// Checked against github.com/microsoft/FERPlus (README, generate_training_data.py, label.csv: name, box, then the ten counts).
// The label is the emotion with most votes; of equals the first in FER+'s order, so that an emotion goes before unknown.
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Problem } from '../../../base/errors.ts';
import { linesOf, readCsv, readText, splitLine } from '../../base/csv.ts';
import { readNpyBytes } from '../../base/npy.ts';
import type { Corpus, CorpusListing, PictureSource } from './corpus.ts';
import { checkFolder, entriesOf, firstThere, isImage, layoutProblem, stemOf } from './files.ts';
import { listingBuilder } from './listing.ts';
import type { ListingBuilder } from './listing.ts';
import { emotionNamed } from './names.ts';

type Split = 'train' | 'valid' | 'test';

const voteColumns = ['neutral', 'happiness', 'surprise', 'sadness', 'anger', 'disgust', 'fear', 'contempt'];
const classes = voteColumns.map(emotionNamed);
const usages: Readonly<Record<string, Split>> = {
  Training: 'train',
  PublicTest: 'valid',
  PrivateTest: 'test',
};
const folders: Readonly<Record<string, Split>> = {
  FER2013Train: 'train',
  FER2013Valid: 'valid',
  FER2013Test: 'test',
};
const sidePx = 48;

/** Adds a still, or says why not. @param counts ten votes: the eight emotions, unknown, not a face */
function addFace(
  listing: ListingBuilder,
  face: {
    readonly key: string;
    readonly source: string;
    readonly pictures: PictureSource;
    readonly split: Split | null;
  },
  counts: readonly number[],
): void {
  const most = Math.max(...counts);
  const first = counts.indexOf(most);
  if (counts.length !== 10 || counts.some((count) => !Number.isFinite(count) || count < 0)) {
    listing.leaveOut(face.source, `has the votes ${counts.join(', ')}; wanted ten counts`);
  } else if (most <= 0) listing.leaveOut(face.source, 'no votes');
  else if (first >= classes.length) {
    listing.leaveOut(face.source, `most voted ${first === 8 ? 'unknown' : 'not a face'}`);
  } else {
    const cast = classes.map((name, i) => [name, counts[i] ?? 0] as const).filter(([, count]) => count > 0);
    listing.add({ ...face, label: classes[first] ?? null, votes: Object.fromEntries(cast) });
  }
}

function still(data: Uint8Array, height: number, width: number): PictureSource {
  return { kind: 'pixels', data, count: 1, height, width, channels: 1, frameRateHz: 0 };
}

function listArrays(folder: string, tables: readonly string[]): CorpusListing {
  const listing = listingBuilder();
  for (const table of tables) {
    const name = table.replace(/-votes\.csv$/, '');
    const images = firstThere(folder, [`${name}-images.npy.gz`, `${name}-images.npy`]);
    if (images === undefined) {
      listing.leaveOut(table, `no ${name}-images.npy.gz beside it`);
      continue;
    }
    const { shape, data } = readNpyBytes(images);
    const [count = 0, height = 0, width = 0] = shape;
    const columns = [...voteColumns, 'unknown', 'not_a_face'];
    const { rows } = readCsv(join(folder, table), columns);
    if (shape.length !== 3 || rows.length !== count) {
      throw new Problem(
        'unsupported-file',
        `${images} has the shape [${shape.join(', ')}] and ${table} ${String(rows.length)} rows; wanted [faces, height, width] and a row for each.`,
      );
    }
    const split = (['train', 'valid', 'test'] as const).find((word) => word === name) ?? null;
    rows.forEach((row, i) => {
      const image = row['image'] ?? '';
      const key = image === '' ? `${name}-${String(i).padStart(7, '0')}` : stemOf(image);
      const pixels = data.subarray(i * height * width, (i + 1) * height * width);
      addFace(
        listing,
        { key, source: `${table}:${key}`, pictures: still(pixels, height, width), split },
        columns.map((column) => Number(row[column])),
      );
    });
  }
  return listing.done();
}

function listFolders(folder: string, names: readonly string[]): CorpusListing {
  const listing = listingBuilder();
  for (const name of names) {
    const path = join(folder, name);
    const table = join(path, 'label.csv');
    if (!existsSync(table))
      throw layoutProblem(path, 'label.csv', 'Copy it from data/ of the FERPlus repository.');
    const images = new Set(entriesOf(path).files.filter(isImage));
    const seen = new Set<string>();
    for (const line of linesOf(readText(table))) {
      const [file = '', , ...counts] = splitLine(line);
      seen.add(file);
      if (!images.has(file)) listing.leaveOut(`${name}/${file}`, 'a row of label.csv without an image');
      else {
        addFace(
          listing,
          {
            key: stemOf(file),
            source: `${name}/${file}`,
            pictures: { kind: 'images', paths: [join(path, file)], frameRateHz: 0 },
            split: folders[name] ?? null,
          },
          counts.map(Number),
        );
      }
    }
    for (const file of images)
      if (!seen.has(file)) listing.leaveOut(`${name}/${file}`, 'no row in label.csv');
  }
  return listing.done();
}

/** The pixels of fer2013.csv, a row at a time: the file has 300 MB. */
async function listTables(votesPath: string, pixelsPath: string): Promise<CorpusListing> {
  const listing = listingBuilder();
  const votes = linesOf(readText(votesPath)).slice(1);
  const stream = createReadStream(pixelsPath, 'utf8');
  const lines = createInterface({ input: stream, crlfDelay: Infinity });
  let columns: string[] | undefined;
  let row = 0;
  try {
    for await (const line of lines) {
      if (line.trim() === '') continue;
      if (!columns) {
        columns = splitLine(line);
        if (!columns.includes('pixels'))
          throw new Problem(
            'unsupported-file',
            `${pixelsPath} has the columns ${columns.join(', ')}; it lacks pixels.`,
          );
        continue;
      }
      const [usage = '', image = '', ...counts] = splitLine(votes[row++] ?? '');
      const source = `fer2013new.csv:${String(row + 1)}`;
      if (image === '') {
        listing.leaveOut(source, row > votes.length ? 'no row of votes' : 'it has no image name: not a face');
        continue;
      }
      const pixels = (splitLine(line)[columns.indexOf('pixels')] ?? '').split(' ').map(Number);
      if (pixels.length !== sidePx * sidePx || pixels.some((value) => !(value >= 0 && value <= 255))) {
        listing.leaveOut(source, `has ${String(pixels.length)} pixels; wanted 2304 from 0 to 255`);
        continue;
      }
      addFace(
        listing,
        {
          key: stemOf(image),
          source,
          pictures: still(Uint8Array.from(pixels), sidePx, sidePx),
          split: usages[usage] ?? null,
        },
        counts.map(Number),
      );
    }
  } finally {
    lines.close();
    stream.destroy();
  }
  if (row < votes.length) {
    throw new Problem(
      'unsupported-file',
      `${votesPath} has ${String(votes.length)} rows and ${pixelsPath} ${String(row)}; wanted as many. One of them is cut short.`,
    );
  }
  return listing.done();
}

async function list(folder: string): Promise<CorpusListing> {
  const tables = entriesOf(folder).files.filter((name) => name.endsWith('-votes.csv'));
  if (tables.length > 0) return listArrays(folder, tables);
  const root =
    existsSync(join(folder, 'data')) && entriesOf(folder).folders.every((name) => !(name in folders))
      ? join(folder, 'data')
      : folder;
  const names = entriesOf(root).folders.filter((name) => name in folders);
  const withImages = names.filter((name) => entriesOf(join(root, name)).files.some(isImage));
  if (withImages.length > 0) return listFolders(root, withImages);
  const votes = firstThere(folder, ['fer2013new.csv', 'FERPlus/fer2013new.csv']);
  const pixels = firstThere(folder, ['fer2013.csv', 'fer2013/fer2013.csv', 'icml_face_data.csv']);
  if (votes !== undefined && pixels !== undefined) return listTables(votes, pixels);
  throw layoutProblem(
    folder,
    votes !== undefined
      ? 'fer2013.csv (the pixels)'
      : 'fer2013new.csv and fer2013.csv, FER2013Train/*.png and label.csv, or train-images.npy.gz and train-votes.csv',
    'The votes are in the FERPlus repository, the pixels in the FER2013 challenge on Kaggle.',
  );
}

export const ferplus: Corpus = {
  name: 'ferplus',
  about:
    'FER+: fer2013new.csv and fer2013.csv, or FER2013Train/Valid/Test with label.csv, or SPLIT-images.npy.gz and SPLIT-votes.csv',
  classes,
  dimensions: [],
  list: async (folder) => {
    checkFolder(folder);
    return list(folder);
  },
};
