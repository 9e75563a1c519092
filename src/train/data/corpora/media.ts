// Any folder of films, sounds and pictures, or one file, without labels: what one has at hand for pre-training or for a
// first try. A sound file beside a film of the same name is that film's sound.
import { existsSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Problem } from '../../../base/errors.ts';
import { readNpyBytes } from '../../base/npy.ts';
import type { Corpus, CorpusListing } from './corpus.ts';
import {
  assumedFrameRateHz,
  checkFolder,
  imagesIn,
  isImage,
  isSound,
  isVideo,
  layoutProblem,
  walk,
  within,
} from './files.ts';
import { listingBuilder } from './listing.ts';
import type { ListingBuilder } from './listing.ts';
import { choice } from './names.ts';

/** Kinds that no corpus uses, but people have. */
const otherFilms = /\.(wmv|ts|mts|m2ts|vob|ogv|3gp|asf|mpe|m1v|m2v|rm)$/i;
const otherSounds = /\.(oga|wma|aif|aiff|amr|mka|au|webma)$/i;
const otherImages = /\.(tif|tiff|gif|avif|ppm|pgm|pnm|tga)$/i;
const arrays = /\.npy(\.gz)?$/i;

/** From so many pictures on, numbered one by one, a folder of them is a film. */
const fewestFrames = 4;

type ImageRule = 'auto' | 'stills' | 'film';

function withoutExtension(path: string): string {
  return path.replace(/(\.npy)?\.[^./]+$/, '');
}

/** Whether names differ in their last number alone, which counts up by one. */
function isNumbered(paths: readonly string[]): boolean {
  const parts = paths.map((path) => /^(.*?)(\d+)(\D*)$/.exec(basename(path)));
  const first = parts[0];
  return (
    paths.length >= fewestFrames &&
    parts.every(
      (part, i) =>
        part?.[1] === first?.[1] && part?.[3] === first?.[3] && Number(part?.[2]) === Number(first?.[2]) + i,
    )
  );
}

/** Pictures in a NumPy file: each a still, or together a film. */
function addArray(
  listing: ListingBuilder,
  path: string,
  source: string,
  rule: ImageRule,
  frameRateHz: number,
): void {
  const { shape, data } = readNpyBytes(path);
  const [count = 0, height = 0, width = 0, channels = 1] = shape;
  if (shape.length < 3 || shape.length > 4 || (channels !== 1 && channels !== 3)) {
    listing.leaveOut(
      source,
      `its shape is [${shape.join(', ')}]; wanted [count, height, width] or [..., 1 or 3]`,
    );
    return;
  }
  const about = { kind: 'pixels', height, width, channels } as const;
  if (rule === 'film') {
    listing.add({ key: withoutExtension(source), source, pictures: { ...about, data, count, frameRateHz } });
    return;
  }
  const size = height * width * channels;
  for (let i = 0; i < count; i++) {
    listing.add({
      key: `${withoutExtension(source)}-${String(i).padStart(6, '0')}`,
      source: `${source}[${String(i)}]`,
      pictures: { ...about, data: data.subarray(i * size, (i + 1) * size), count: 1, frameRateHz: 0 },
    });
  }
}

function list(path: string, rule: ImageRule, frameRateHz: number): CorpusListing {
  const isFile = existsSync(path) && statSync(path).isFile();
  const folder = isFile ? dirname(path) : path;
  if (!isFile) checkFolder(folder);
  const files = isFile ? [path] : [...walk(folder)];
  const isFilm = (file: string): boolean => isVideo(file) || otherFilms.test(file);
  const isHeard = (file: string): boolean => isSound(file) || otherSounds.test(file);
  const films = new Set(files.filter(isFilm).map(withoutExtension));
  const beside = new Map(files.filter(isHeard).map((file) => [withoutExtension(file), file]));
  const listing = listingBuilder();
  const filmFolders = new Map<string, boolean>();
  for (const file of files) {
    const source = within(folder, file);
    const key = withoutExtension(source);
    if (isFilm(file)) {
      const sound = beside.get(withoutExtension(file)) ?? file;
      listing.add({ key, source, pictures: { kind: 'video', path: file }, sound: { path: sound } });
    } else if (isHeard(file)) {
      if (!films.has(withoutExtension(file))) listing.add({ key, source, sound: { path: file } });
    } else if (isImage(file) || otherImages.test(file)) {
      const parent = dirname(file);
      const seen = filmFolders.get(parent);
      const frames = isFile || seen === false ? [] : imagesIn(parent);
      const one = seen ?? (frames.length > 0 && (rule === 'film' || (rule === 'auto' && isNumbered(frames))));
      filmFolders.set(parent, one);
      if (!one) {
        listing.add({ key, source, pictures: { kind: 'images', paths: [file], frameRateHz: 0 } });
      } else if (seen === undefined) {
        const name = within(folder, parent);
        listing.add({
          key: name === '' ? basename(folder) : name,
          source: name === '' ? '.' : name,
          pictures: { kind: 'images', paths: frames, frameRateHz },
        });
      }
    } else if (arrays.test(file)) {
      try {
        addArray(listing, file, source, rule, frameRateHz);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        listing.leaveOut(source, error.message);
      }
    } else listing.leaveOut(source, 'no film, sound or picture by its name');
  }
  const done = listing.done();
  if (done.items.length > 0) return done;
  throw layoutProblem(
    folder,
    'films (mp4, webm, flv, avi, mpg, ...), sounds (wav, opus, flac, ...), pictures or .npy arrays',
    'Give a folder with some.',
  );
}

export const media: Corpus = {
  name: 'media',
  about:
    'any folder of films, sounds, pictures and NumPy image arrays, at any depth, or one such file, without labels',
  classes: [],
  dimensions: [],
  options: [
    {
      name: 'images',
      about:
        'of corpus media: `stills`, each picture a sample; `film`, a folder or array of pictures is one; `auto` (default), a folder is a film when its pictures are numbered one by one, an array holds stills',
    },
    {
      name: 'frame-rate',
      about: 'of films that come as pictures, for csv and media; frames a second, up to 240; default 25',
    },
  ],
  list: async (folder, options) => {
    const rule = choice(options, 'images', ['auto', 'stills', 'film']) as ImageRule;
    const frameRateHz =
      options['frame-rate'] === undefined ? assumedFrameRateHz : Number(options['frame-rate']);
    if (!(frameRateHz > 0 && frameRateHz <= 240)) {
      throw new Problem(
        'unsupported-file',
        `--frame-rate is "${options['frame-rate'] ?? ''}"; wanted frames a second, up to 240.`,
      );
    }
    return Promise.resolve(list(folder, rule, frameRateHz));
  },
};
