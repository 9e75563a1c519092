// VoxCeleb2: 1.1 million clips of 6,112 people, no emotions: what HiCMAE is pre-trained on. dev and test, each with
// mp4/idNNNNN/VIDEO/NNNNN.mp4 (faces 224x224 at 25 fps, silent in the owners' archives) and aac/idNNNNN/VIDEO/NNNNN.m4a.
// Checked against HiCMAE's preprocess/voxceleb2.py (dev/mp4/*/*/*.mp4, dev/aac/*/*/*.wav, 25 fps, some broken files) and
// public readers of vox2_meta.csv (`VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set`). Folders are read once each and no file is
// looked at: broken ones show when they are decoded.
import { basename } from 'node:path';
import { linesOf, readText } from '../../base/csv.ts';
import type { Corpus, CorpusListing } from './corpus.ts';
import { checkFolder, entriesOf, firstThere, isSound, isVideo, layoutProblem, stemOf } from './files.ts';
import { listingBuilder } from './listing.ts';
import type { ListingBuilder } from './listing.ts';
import { sexNamed } from './names.ts';

type Split = 'train' | 'test';

/** Where the parts of the corpus lie: below dev and test, or in the folder itself. */
function partsOf(folder: string): { at: string; pictures?: string; sound?: string; split: Split }[] {
  return [
    { name: 'dev/', split: 'train' as const },
    { name: 'test/', split: 'test' as const },
    { name: '', split: basename(folder) === 'test' ? ('test' as const) : ('train' as const) },
  ].flatMap(({ name, split }) => {
    const pictures = firstThere(folder, [`${name}mp4`]);
    const sound = firstThere(folder, [`${name}aac`, `${name}wav`]);
    return pictures === undefined && sound === undefined
      ? []
      : [
          {
            at: name,
            split,
            ...(pictures === undefined ? {} : { pictures }),
            ...(sound === undefined ? {} : { sound }),
          },
        ];
  });
}

function readSexes(folder: string, listing: ListingBuilder): Map<string, string> {
  const path = firstThere(folder, ['vox2_meta.csv', 'meta/vox2_meta.csv', '../vox2_meta.csv']);
  if (path === undefined) {
    listing.leaveOut('vox2_meta.csv', 'not there, so the sex of the speakers is not known');
    return new Map();
  }
  return new Map(
    linesOf(readText(path)).flatMap((line) => {
      const cells = line.split(/[,;\t]/).map((cell) => cell.trim());
      const sex = cells.find((cell) => cell === 'f' || cell === 'm');
      return /^id\d{5}$/.test(cells[0] ?? '') && sex !== undefined
        ? [[cells[0] ?? '', sexNamed(sex)] as const]
        : [];
    }),
  );
}

/** Files of a clip's folder by number. */
function numbered(folder: string, wanted: (name: string) => boolean): Map<string, string> {
  return new Map(
    entriesOf(folder)
      .files.filter(wanted)
      .map((name) => [stemOf(name), name]),
  );
}

/** Sorted names without repeats. */
function union(...lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort();
}

async function list(folder: string): Promise<CorpusListing> {
  const parts = partsOf(folder);
  if (parts.length === 0) {
    throw layoutProblem(
      folder,
      'dev/mp4/idNNNNN/VIDEO/NNNNN.mp4 and dev/aac/idNNNNN/VIDEO/NNNNN.m4a (also test/, or mp4 and aac alone)',
      'Give the folder that holds dev and test.',
    );
  }
  const listing = listingBuilder();
  const sexes = readSexes(folder, listing);
  for (const { at, pictures, sound, split } of parts) {
    const inside = (root: string | undefined, ...path: readonly string[]): string =>
      root === undefined ? '' : [root, ...path].join('/');
    const foldersOf = (path: string): readonly string[] => (path === '' ? [] : entriesOf(path).folders);
    for (const person of union(foldersOf(inside(pictures)), foldersOf(inside(sound)))) {
      if (!/^id\d{5}$/.test(person)) {
        listing.leaveOut(`${at}${basename(pictures ?? sound ?? '')}/${person}`, 'not a speaker (idNNNNN)');
        continue;
      }
      // A person has some 180 clips: the program stays interruptible.
      await new Promise((resume) => setImmediate(resume));
      const sex = sexes.get(person);
      const groups = sex === undefined ? {} : { sex };
      const shown = inside(pictures, person);
      const said = inside(sound, person);
      for (const video of union(
        foldersOf(pictures === undefined ? '' : shown),
        foldersOf(sound === undefined ? '' : said),
      )) {
        const frames =
          pictures === undefined ? new Map<string, string>() : numbered(`${shown}/${video}`, isVideo);
        const voices =
          sound === undefined ? new Map<string, string>() : numbered(`${said}/${video}`, isSound);
        for (const number of union([...frames.keys()], [...voices.keys()])) {
          const frame = frames.get(number);
          const voice = voices.get(number);
          const source = `${at}${frame === undefined ? basename(sound ?? '') : 'mp4'}/${person}/${video}/${frame ?? voice ?? ''}`;
          if (pictures !== undefined && frame === undefined)
            listing.leaveOut(source, 'no video of it; it is listed with its sound alone');
          if (sound !== undefined && voice === undefined)
            listing.leaveOut(source, 'no sound of it; it is listed with its pictures alone');
          listing.add({
            key: `${person}-${video}-${number}`,
            source,
            pictures: frame === undefined ? null : { kind: 'video', path: `${shown}/${video}/${frame}` },
            // Without sound files the video's own track is tried: some redistributions have one.
            sound:
              voice !== undefined
                ? { path: `${said}/${video}/${voice}` }
                : sound === undefined
                  ? { path: `${shown}/${video}/${frame ?? ''}` }
                  : null,
            identity: person,
            split,
            groups,
          });
        }
      }
    }
  }
  return listing.done();
}

export const voxceleb2: Corpus = {
  name: 'voxceleb2',
  about:
    'VoxCeleb2: dev and test with mp4/idNNNNN/VIDEO/NNNNN.mp4 and aac/idNNNNN/VIDEO/NNNNN.m4a, vox2_meta.csv',
  classes: [],
  dimensions: [],
  list: async (folder) => {
    checkFolder(folder);
    return list(folder);
  },
};
