// Any folder of media files, without labels: what one has at hand for pre-training or for a first try. Every video is a
// sample; so is a sound file, unless a video of the same name lies beside it; so is a folder of images.
import { basename, dirname, join } from 'node:path';
import { Problem } from '../../base/errors.ts';
import type { Corpus, CorpusListing } from './corpus.ts';
import {
  assumedFrameRateHz,
  checkFolder,
  entriesOf,
  imagesIn,
  isImage,
  isSound,
  isVideo,
  layoutProblem,
  stemOf,
  walkFolders,
  within,
} from './files.ts';
import { listingBuilder } from './listing.ts';
import { choice } from './names.ts';

function list(folder: string, stills: string, frameRateHz: number): CorpusListing {
  const listing = listingBuilder();
  let count = 0;
  const keyed = (path: string): string => {
    const source = within(folder, path);
    return dirname(source) === '.' ? stemOf(source) : `${dirname(source)}/${stemOf(source)}`;
  };
  for (const path of [folder, ...walkFolders(folder, 12)]) {
    const { files } = entriesOf(path);
    const videos = files.filter(isVideo);
    const sounds = files.filter(isSound);
    for (const name of videos) {
      const beside = sounds.find((sound) => stemOf(sound) === stemOf(name));
      listing.add({
        key: keyed(join(path, name)),
        source: within(folder, join(path, name)),
        pictures: { kind: 'video', path: join(path, name) },
        sound: { path: join(path, beside ?? name) },
      });
      count++;
    }
    for (const name of sounds) {
      if (videos.some((video) => stemOf(video) === stemOf(name))) continue;
      listing.add({
        key: keyed(join(path, name)),
        source: within(folder, join(path, name)),
        sound: { path: join(path, name) },
      });
      count++;
    }
    const images = imagesIn(path);
    if (stills === 'yes') {
      for (const image of images) {
        listing.add({
          key: keyed(image),
          source: within(folder, image),
          pictures: { kind: 'images', paths: [image], frameRateHz: 0 },
        });
        count++;
      }
    } else if (images.length > 0) {
      const source = within(folder, path);
      listing.add({
        key: source || basename(folder),
        source: source || '.',
        pictures: { kind: 'images', paths: images, frameRateHz: images.length === 1 ? 0 : frameRateHz },
      });
      count++;
    }
    for (const name of files) {
      if (!isVideo(name) && !isSound(name) && !isImage(name))
        listing.leaveOut(within(folder, join(path, name)), 'no media file');
    }
  }
  if (count === 0)
    throw layoutProblem(folder, 'videos, sound files or images at any depth', 'Give another folder.');
  return listing.done();
}

export const media: Corpus = {
  name: 'media',
  about: 'any folder of videos, sound files and folders of images, at any depth, without labels',
  classes: [],
  dimensions: [],
  options: [
    {
      name: 'stills',
      about: 'no (default): the images of a folder are the frames of one clip; yes: each is a sample',
    },
    { name: 'frame-rate', about: 'of image folders, frames a second, up to 240; default 25' },
  ],
  list: async (folder, options) => {
    checkFolder(folder);
    const frameRateHz =
      options['frame-rate'] === undefined ? assumedFrameRateHz : Number(options['frame-rate']);
    if (!(frameRateHz > 0 && frameRateHz <= 240)) {
      throw new Problem(
        'unsupported-file',
        `--frame-rate is "${options['frame-rate'] ?? ''}"; wanted frames a second, up to 240.`,
      );
    }
    return Promise.resolve(list(folder, choice(options, 'stills', ['no', 'yes']), frameRateHz));
  },
};
