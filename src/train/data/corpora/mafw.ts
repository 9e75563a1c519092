// MAFW: clips of films and shows, 11 single or 32 compound labels. The owners' README shows clips/NNNNN.mp4 and
// caption-label with single_label.txt and multi_label.txt (lines `03747.mp4  anger  caption`); the folds come as
// `Train & Test Set`/{single,compound}/{no_caption,with_caption}/set_K/{train,test}.txt, lines `00025.mp4 anger`.
// Checked against that README (github.com/MAFW-database/MAFW) and HiCMAE's preprocess/mafw_av.py (single set: paths, order of
// the classes, frames in data/frames, sound in data/audio_16k). The folders of the compound set are by analogy: any
// set_K folder below one named compound or multi is taken. Where the labels lie is searched, four folders deep.
import { basename, join } from 'node:path';
import { linesOf, readText } from '../../base/csv.ts';
import type { Corpus, CorpusListing, PictureSource } from './corpus.ts';
import {
  assumedFrameRateHz,
  checkFolder,
  entriesOf,
  imagesIn,
  isSound,
  isVideo,
  layoutProblem,
  stemOf,
  walkFolders,
  within,
} from './files.ts';
import { listingBuilder } from './listing.ts';
import type { ListingBuilder } from './listing.ts';
import { choice, emotionNamed } from './names.ts';

const classes = [
  'angry',
  'disgust',
  'fear',
  'happy',
  'neutral',
  'sad',
  'surprise',
  'contempt',
  'anxiety',
  'helplessness',
  'disappointment',
] as const;

interface Labeled {
  readonly label: string;
  readonly fold: number | null;
}

interface Found {
  readonly media: Map<string, PictureSource>;
  readonly sounds: Map<string, string>;
  /** set_K folders and label texts that belong to the wanted set. */
  readonly sets: readonly { readonly path: string; readonly fold: number }[];
  readonly texts: readonly string[];
}

function isClip(name: string): boolean {
  return /^\d{5}$/.test(stemOf(name));
}

function search(folder: string, set: string): Found {
  const media = new Map<string, PictureSource>();
  const sounds = new Map<string, string>();
  const sets: { path: string; fold: number }[] = [];
  const texts: string[] = [];
  const ours = (path: string): boolean => /compound|multi/i.test(path) === (set === 'compound');
  const folders = [folder, ...walkFolders(folder, 5, (path) => !/^\d{5}$/.test(basename(path)))];
  for (const path of folders) {
    const name = basename(path);
    if (isClip(name) && !media.has(name)) {
      const paths = imagesIn(path);
      if (paths.length > 0) media.set(name, { kind: 'images', paths, frameRateHz: assumedFrameRateHz });
      continue;
    }
    const fold = /^set_([1-5])$/.exec(name)?.[1];
    if (fold !== undefined && ours(within(folder, path))) sets.push({ path, fold: Number(fold) });
    for (const file of entriesOf(path).files) {
      const there = join(path, file);
      if (/^(single|multi)_label\.txt$/.test(file) && ours(file)) texts.push(there);
      else if (isVideo(file) && isClip(file)) media.set(stemOf(file), { kind: 'video', path: there });
      else if (isSound(file) && isClip(file)) sounds.set(stemOf(file), there);
    }
  }
  // Lists with and without captions name the same clips; the plain ones are easier to read.
  const plain = sets.filter(({ path }) => path.includes('no_caption'));
  return { media, sounds, sets: plain.length > 0 ? plain : sets, texts };
}

function readLabels(folder: string, found: Found, listing: ListingBuilder): Map<string, Labeled> {
  const labels = new Map<string, Labeled>();
  const read = (path: string, fold: number | null): void => {
    for (const line of linesOf(readText(path))) {
      const parts = /^(\d{5})\.mp4\s+([A-Za-z_]+)/.exec(line.trim());
      const clip = parts?.[1] ?? '';
      const label = (parts?.[2] ?? '').split('_').map(emotionNamed).join('_');
      const before = labels.get(clip);
      if (!parts) {
        listing.leaveOut(within(folder, path), `line "${line.slice(0, 40)}": wanted NNNNN.mp4 and a label`);
      } else if (before && before.label !== label) {
        listing.leaveOut(
          within(folder, path),
          `${clip} is ${label} here and ${before.label} elsewhere; the first counts`,
        );
      } else labels.set(clip, { label, fold: fold ?? before?.fold ?? null });
    }
  };
  for (const { path, fold } of found.sets) {
    const { files } = entriesOf(path);
    if (files.includes('train.txt')) read(join(path, 'train.txt'), null);
    if (files.includes('test.txt')) read(join(path, 'test.txt'), fold);
    else
      listing.leaveOut(
        within(folder, path),
        `holds ${files.join(', ') || 'nothing'}; wanted train.txt and test.txt`,
      );
  }
  if (found.sets.length === 0) {
    for (const path of found.texts) read(path, null);
    if (found.texts.length > 0) listing.leaveOut('set_1 to set_5', 'not there, so no clip has a fold');
  }
  return labels;
}

function list(folder: string, set: string): CorpusListing {
  const listing = listingBuilder();
  const found = search(folder, set);
  if (found.sets.length === 0 && found.texts.length === 0) {
    throw layoutProblem(
      folder,
      `Train & Test Set/${set}/no_caption/set_1/train.txt (to set_5/test.txt) or ${set === 'single' ? 'single' : 'multi'}_label.txt`,
      'Give the folder that holds clips and the label lists.',
    );
  }
  if (found.media.size === 0) {
    throw layoutProblem(folder, 'clips/NNNNN.mp4 or data/frames/NNNNN/*.jpg', 'Unpack the clips there.');
  }
  const labels = readLabels(folder, found, listing);
  const compound = set === 'compound';
  for (const [clip, pictures] of found.media) {
    const about = labels.get(clip);
    const source = within(folder, pictures.kind === 'video' ? pictures.path : join(folder, clip));
    if (!about) listing.leaveOut(source, `in no list of the ${set} set`);
    else if (!compound && !(classes as readonly string[]).includes(about.label)) {
      listing.leaveOut(source, `label ${about.label} is none of ${classes.join(', ')}`);
    } else {
      const sound = found.sounds.get(clip) ?? (pictures.kind === 'video' ? pictures.path : undefined);
      listing.add({
        key: clip,
        source,
        pictures,
        sound: sound === undefined ? null : { path: sound },
        label: about.label,
        fold: about.fold,
      });
    }
  }
  for (const clip of labels.keys()) {
    if (!found.media.has(clip)) listing.leaveOut(clip, 'has a label but no clip');
  }
  if (!compound) return listing.done();
  return listing.done({ classes: [...new Set([...labels.values()].map(({ label }) => label))].sort() });
}

export const mafw: Corpus = {
  name: 'mafw',
  about:
    'MAFW: clips/NNNNN.mp4 (or image folders) and Train & Test Set/single/no_caption/set_K/{train,test}.txt',
  classes,
  dimensions: [],
  options: [{ name: 'set', about: 'of mafw: the single (default) or compound labels' }],
  list: async (folder, options) => {
    checkFolder(folder);
    return Promise.resolve(list(folder, choice(options, 'set', ['single', 'compound'])));
  },
};
