// MER2023, its MER-MULTI track: Chinese films and series. train/NAME.avi (or .mp4) with train-label.csv, test1 (MER-MULTI),
// test2 (noise) and test3 (from the unlabeled part) with testN-label.csv; columns name, discrete, valence (test3 has none).
// Checked against the organizers' MERTools (paths, columns, order of the classes) and a second loader, which has the label
// files in test-labels/ and the training part in mer2023train/: both are taken, three folders deep. The corpus has no
// official folds (the baseline splits train at random).
import { basename, join } from 'node:path';
import { Problem } from '../../../base/errors.ts';
import { readCsv } from '../../base/csv.ts';
import type { Corpus, CorpusListing } from './corpus.ts';
import {
  checkFolder,
  entriesOf,
  isSound,
  isVideo,
  layoutProblem,
  stemOf,
  walk,
  walkFolders,
  within,
} from './files.ts';
import { listingBuilder } from './listing.ts';
import { emotionNamed, numberIn, values } from './names.ts';

const classes = ['neutral', 'angry', 'happy', 'sad', 'worried', 'surprise'] as const;
const tests = ['test1', 'test2', 'test3'];

function list(folder: string, parts: readonly string[]): CorpusListing {
  const listing = listingBuilder();
  const labelFiles = new Map<string, string>();
  for (const path of walk(folder, 2)) {
    const part = /^(train|test[123])-label\.csv$/.exec(basename(path))?.[1];
    if (part !== undefined && !labelFiles.has(part)) labelFiles.set(part, path);
  }
  const mediaFolders = new Map<string, string>();
  for (const path of walkFolders(folder, 3)) {
    if (/^(train|test[123])$/.test(basename(path)) && !mediaFolders.has(basename(path)))
      mediaFolders.set(basename(path), path);
  }
  for (const part of parts) {
    const labels = labelFiles.get(part);
    const media = mediaFolders.get(part);
    if (labels === undefined || media === undefined) {
      if (part === 'train')
        throw layoutProblem(
          folder,
          labels === undefined ? 'train-label.csv' : 'the folder train with its clips',
          'Give the folder that holds train, train-label.csv, test1 and test1-label.csv.',
        );
      listing.leaveOut(
        part,
        `no ${labels === undefined ? `${part}-label.csv` : `folder ${part}`}, so it is not listed`,
      );
      continue;
    }
    const files = new Map(
      entriesOf(media)
        .files.filter((name) => isVideo(name) || isSound(name))
        .map((name) => [stemOf(name), join(media, name)]),
    );
    const seen = new Set<string>();
    for (const row of readCsv(labels, ['name', 'discrete']).rows) {
      const name = row['name'] ?? '';
      const label = emotionNamed(row['discrete'] ?? '');
      const path = files.get(name);
      seen.add(name);
      if (path === undefined)
        listing.leaveOut(name, `a row of ${basename(labels)} without a clip in ${part}`);
      else if (!(classes as readonly string[]).includes(label)) {
        listing.leaveOut(
          within(folder, path),
          `label ${row['discrete'] ?? ''} is none of ${classes.join(', ')}`,
        );
      } else {
        listing.add({
          key: name,
          source: within(folder, path),
          pictures: isVideo(path) ? { kind: 'video', path } : null,
          sound: { path },
          label,
          dimensions: values({ valence: part === 'test3' ? undefined : numberIn(row['valence']) }),
          split: part === 'train' ? 'train' : 'test',
          groups: { part },
        });
      }
    }
    for (const [name, path] of files) {
      if (!seen.has(name)) listing.leaveOut(within(folder, path), `no row in ${basename(labels)}`);
    }
  }
  return listing.done();
}

export const mer2023: Corpus = {
  name: 'mer2023',
  about: 'MER2023 (MER-MULTI): train, train-label.csv, test1, test1-label.csv (also test2, test3)',
  classes,
  dimensions: ['valence'],
  options: [
    {
      name: 'tests',
      about: `of mer2023: test sets joined by a comma, of ${tests.join(', ')}; default test1 (MER-MULTI)`,
    },
  ],
  list: async (folder, options) => {
    checkFolder(folder);
    const chosen = (options['tests'] ?? 'test1').split(',').map((name) => name.trim());
    const strange = chosen.find((name) => !tests.includes(name));
    if (strange !== undefined)
      throw new Problem(
        'unsupported-file',
        `--tests names "${strange}"; wanted some of ${tests.join(', ')}.`,
      );
    return Promise.resolve(list(folder, ['train', ...chosen]));
  },
};
