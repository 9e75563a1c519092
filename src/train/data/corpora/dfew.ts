// DFEW: clips of films, ten annotators. Layout of the owners' archive as public loaders read it: EmoLabel_DataSplit/
// {train,test}(single-labeled)/set_K.csv (columns video_name, label), Annotation/annotation.xlsx (order, 1happy to 7fear,
// label) and Clip/ with original/*.mp4 or image folders clip_224x224, clip_224x224_16f and the like.
// Checked against MAE-DFER's preprocess/dfew.py (split files, labels 1 to 7), the owners' code (github.com/jiangxingxun/DFEW:
// the order of the labels) and two independent loaders (the workbook's columns, the names of the clip folders). How the
// archive nests the mp4 files is not documented: they are looked for at any depth below the chosen folder. That `order` is
// the clip's number is taken from the numbers' ranges. Image folders do not tell their frame rate; 25 is assumed.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readCsv } from '../../base/csv.ts';
import type { Corpus, CorpusListing, PictureSource } from './corpus.ts';
import {
  assumedFrameRateHz,
  checkFolder,
  firstThere,
  imagesIn,
  isVideo,
  layoutProblem,
  stemOf,
  walk,
  walkFolders,
  within,
} from './files.ts';
import { listingBuilder } from './listing.ts';
import type { ListingBuilder } from './listing.ts';
import { emotionNamed } from './names.ts';
import { readXlsx } from './xlsx.ts';

const classes = ['happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear'] as const;
/** Folders of Clip, the richest first: video with sound, then pictures in full, then 16 of them. */
const clipFolders = ['original', 'jpg_256', 'clip_224x224', 'clip_224x224_avi', 'clip_224x224_16f'];

/** A clip's five-digit number, however the file or table writes it. */
function numberOf(text: string): string | undefined {
  const digits = /^0*(\d{1,5})$/.exec(stemOf(text))?.[1];
  return digits?.padStart(5, '0');
}

interface Labeled {
  readonly label: string;
  readonly fold: number | null;
}

function readSplits(folder: string, listing: ListingBuilder): Map<string, Labeled> {
  const splits = join(folder, 'EmoLabel_DataSplit');
  const labels = new Map<string, Labeled>();
  let read = 0;
  for (let set = 1; set <= 5; set++) {
    for (const part of ['train', 'test']) {
      const path = join(splits, `${part}(single-labeled)`, `set_${String(set)}.csv`);
      if (!existsSync(path)) continue;
      read++;
      for (const row of readCsv(path, ['video_name', 'label']).rows) {
        const clip = numberOf(row['video_name'] ?? '');
        const label = classes[Number(row['label']) - 1];
        const before = clip === undefined ? undefined : labels.get(clip);
        if (clip === undefined || label === undefined) {
          listing.leaveOut(
            within(folder, path),
            `row "${row['video_name'] ?? ''},${row['label'] ?? ''}": wanted a clip number and a label 1 to 7`,
          );
        } else if (before && before.label !== label) {
          listing.leaveOut(
            within(folder, path),
            `clip ${clip} is ${label} here and ${before.label} elsewhere; the first counts`,
          );
        } else labels.set(clip, { label, fold: part === 'test' ? set : (before?.fold ?? null) });
      }
    }
  }
  if (read === 0) {
    throw layoutProblem(
      existsSync(splits) ? splits : folder,
      'EmoLabel_DataSplit/train(single-labeled)/set_1.csv to test(single-labeled)/set_5.csv',
      'Give the folder that holds EmoLabel_DataSplit and Clip.',
    );
  }
  if (read < 10)
    listing.leaveOut(
      'EmoLabel_DataSplit',
      `${String(read)} of its 10 lists are there, so folds are not complete`,
    );
  return labels;
}

function readVotes(folder: string, listing: ListingBuilder): Map<string, Record<string, number>> {
  const votes = new Map<string, Record<string, number>>();
  const path = firstThere(folder, ['Annotation/annotation.xlsx', 'annotation.xlsx']);
  if (path === undefined) {
    listing.leaveOut('Annotation/annotation.xlsx', "not there, so there are no annotators' votes");
    return votes;
  }
  const { columns, rows } = readXlsx(path);
  const byLabel = columns.flatMap((column) => {
    const name = emotionNamed(column.replace(/^\d/, ''));
    return (classes as readonly string[]).includes(name) ? [{ column, name }] : [];
  });
  if (!columns.includes('order') || byLabel.length !== classes.length) {
    listing.leaveOut(
      within(folder, path),
      `has the columns ${columns.join(', ')}; wanted order and 1happy to 7fear, so there are no votes`,
    );
    return votes;
  }
  for (const row of rows) {
    const clip = numberOf(row['order'] ?? '');
    const counts = byLabel.map(({ column, name }) => [name, Number(row[column])] as const);
    const cast = counts.filter(([, count]) => count > 0);
    if (clip !== undefined && cast.length > 0) votes.set(clip, Object.fromEntries(cast));
  }
  return votes;
}

/** Clips by number, as videos or image folders. */
function clipsIn(folder: string): Map<string, PictureSource> {
  const clips = new Map<string, PictureSource>();
  for (const path of walk(folder, 3)) {
    const clip = isVideo(path) ? numberOf(path) : undefined;
    if (clip !== undefined && !clips.has(clip)) clips.set(clip, { kind: 'video', path });
  }
  for (const path of walkFolders(folder, 3, (inside) => numberOf(inside) === undefined)) {
    const clip = numberOf(path);
    if (clip === undefined || clips.has(clip)) continue;
    const paths = imagesIn(path);
    if (paths.length > 0) clips.set(clip, { kind: 'images', paths, frameRateHz: assumedFrameRateHz });
  }
  return clips;
}

function list(folder: string, chosen: string | undefined): CorpusListing {
  const listing = listingBuilder();
  const labels = readSplits(folder, listing);
  const clipRoot = join(folder, 'Clip');
  const name = chosen ?? clipFolders.find((candidate) => existsSync(join(clipRoot, candidate))) ?? '';
  if (name === '' || !existsSync(join(clipRoot, name))) {
    throw layoutProblem(
      existsSync(clipRoot) ? clipRoot : folder,
      `Clip/${chosen ?? clipFolders.join(' or Clip/')}`,
      'Unpack the clips there, or say which folder of Clip holds them by --clips.',
    );
  }
  const votes = readVotes(folder, listing);
  const clips = clipsIn(join(clipRoot, name));
  if (clips.size === 0) {
    throw layoutProblem(
      join(clipRoot, name),
      'clips NNNNN.mp4 or image folders NNNNN',
      'Unpack the clips there, or say which folder of Clip holds them by --clips.',
    );
  }
  // Image folders are silent; the films' sound is taken where the original clips are there too.
  const originals = name === 'original' ? clips : clipsIn(join(clipRoot, 'original'));
  for (const [clip, pictures] of clips) {
    const about = labels.get(clip);
    const original = originals.get(clip);
    const source = pictures.kind === 'video' ? within(folder, pictures.path) : `Clip/${name}/${clip}`;
    if (!about) {
      listing.leaveOut(source, 'in no split list (no single label)');
      continue;
    }
    const voiced = pictures.kind === 'video' ? pictures : original?.kind === 'video' ? original : undefined;
    listing.add({
      key: clip,
      source,
      pictures,
      sound: voiced ? { path: voiced.path } : null,
      label: about.label,
      votes: votes.get(clip) ?? null,
      fold: about.fold,
    });
  }
  for (const clip of labels.keys()) {
    if (!clips.has(clip)) listing.leaveOut(clip, `in a split list, but not in Clip/${name}`);
  }
  return listing.done();
}

export const dfew: Corpus = {
  name: 'dfew',
  about: 'DFEW: EmoLabel_DataSplit, Clip (original/*.mp4 or image folders), Annotation/annotation.xlsx',
  classes,
  dimensions: [],
  options: [
    {
      name: 'clips',
      about: `of dfew: the folder of Clip to read; default the first that is there of ${clipFolders.join(', ')}`,
    },
  ],
  list: async (folder, options) => {
    checkFolder(folder);
    return Promise.resolve(list(folder, options['clips']));
  },
};
