// MSP-IMPROV: twelve actors in six sessions. Names MSP-IMPROV-SssE-Ann-K-TTdd: sentence and its emotion, the speaker
// (F or M and the session), the kind of recording, the turn. Labels in Evalution.txt (so spelled; also Evaluation.txt): a
// line `UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:3.0; V:3.5; D:3.0 ; N:4.0;` for each clip, then a line for each rater.
// Checked against three public loaders (label lines, raters' lines, folders session?/SssE/K or Audio/session?/...) and
// HiCMAE's saved/data/msp-improv (classes angry, happy, neutral, sad in this order; folds are the sessions).
import { basename } from 'node:path';
import { linesOf, readText } from '../../base/csv.ts';
import type { Corpus, CorpusListing } from './corpus.ts';
import { checkFolder, isSound, isVideo, layoutProblem, mediaByStem, walk, within } from './files.ts';
import { listingBuilder } from './listing.ts';
import { emotionNamed, numberIn, sexNamed, values } from './names.ts';

const classes = ['angry', 'happy', 'neutral', 'sad'] as const;
const letters = ['A', 'H', 'N', 'S'];
const kinds: Readonly<Record<string, string>> = {
  P: 'natural',
  R: 'target-read',
  S: 'other-improvised',
  T: 'target-improvised',
};

interface Rated {
  readonly letter: string;
  readonly dimensions: Record<string, number> | null;
  readonly votes: Record<string, number>;
}

function valueOf(line: string, letter: string): number | undefined {
  return numberIn(new RegExp(`;\\s*${letter}:([^;]*);`).exec(line)?.[1]);
}

function readLabels(path: string): Map<string, Rated> {
  const rated = new Map<string, Rated>();
  let current: Rated | undefined;
  let raters = new Set<string>();
  for (const line of linesOf(readText(path))) {
    const clip = /^\s*(?:UTD|MSP)-IMPROV-([A-Z0-9-]+)\.(?:avi|wav)\s*;\s*([A-Z])\s*;/.exec(line);
    if (clip) {
      current = {
        letter: clip[2] ?? '',
        dimensions: values({
          arousal: valueOf(line, 'A'),
          valence: valueOf(line, 'V'),
          dominance: valueOf(line, 'D'),
        }),
        votes: {},
      };
      raters = new Set();
      rated.set(clip[1] ?? '', current);
      continue;
    }
    // A rater's line is repeated now and then.
    const vote = /^\s*([^;]+);\s*([A-Za-z]+)\s*;/.exec(line);
    const label = emotionNamed(vote?.[2] ?? '');
    if (!current || raters.has(vote?.[1] ?? '') || !(classes as readonly string[]).includes(label)) continue;
    raters.add(vote?.[1] ?? '');
    current.votes[label] = (current.votes[label] ?? 0) + 1;
  }
  return rated;
}

function list(folder: string): CorpusListing {
  const listing = listingBuilder();
  const labelFile = [...walk(folder, 1)].find((path) => /^Eval(ua)?u?tion\.txt$/i.test(basename(path)));
  if (labelFile === undefined) {
    throw layoutProblem(
      folder,
      'Evalution.txt (or Evaluation.txt)',
      'Give the folder that holds it and the session folders with .avi and .wav.',
    );
  }
  const rated = readLabels(labelFile);
  const byName = (wanted: (path: string) => boolean): Map<string, string> =>
    new Map(
      [...mediaByStem(folder, wanted)].map(([stem, path]) => [stem.replace(/^(UTD|MSP)-IMPROV-/, ''), path]),
    );
  const videos = byName(isVideo);
  const sounds = byName(isSound);
  for (const name of new Set([...videos.keys(), ...sounds.keys()])) {
    const video = videos.get(name);
    const sound = sounds.get(name) ?? video ?? '';
    const source = within(folder, video ?? sound);
    const about = rated.get(name);
    const parts = /^S\d\d[AHNS]-([FM])(0[1-6])-([PRST])-/.exec(name);
    const label = classes[letters.indexOf(about?.letter ?? '')];
    if (!parts) listing.leaveOut(source, 'its name is not MSP-IMPROV-SssE-Ann-K-TTdd');
    else if (!about) listing.leaveOut(source, `no line in ${basename(labelFile)}`);
    else if (label === undefined) {
      listing.leaveOut(source, `label ${about.letter} is none of A, H, N, S (O: other, X: no agreement)`);
    } else {
      if (video === undefined && videos.size > 0)
        listing.leaveOut(source, 'no video of it; it is listed with its sound alone');
      listing.add({
        key: `MSP-IMPROV-${name}`,
        source,
        pictures: video === undefined ? null : { kind: 'video', path: video },
        sound: { path: sound },
        label,
        votes: Object.keys(about.votes).length > 0 ? about.votes : null,
        dimensions: about.dimensions,
        identity: `${parts[1] ?? ''}${parts[2] ?? ''}`,
        fold: Number(parts[2]),
        groups: { sex: sexNamed(parts[1] ?? ''), recording: kinds[parts[3] ?? ''] ?? '' },
      });
    }
  }
  for (const name of rated.keys()) {
    if (!videos.has(name) && !sounds.has(name))
      listing.leaveOut(name, `in ${basename(labelFile)}, but no clip of it`);
  }
  return listing.done();
}

export const mspImprov: Corpus = {
  name: 'msp-improv',
  about: 'MSP-IMPROV: Evalution.txt (or Evaluation.txt) and MSP-IMPROV-*.avi and .wav at any depth',
  classes,
  dimensions: ['arousal', 'valence', 'dominance'],
  list: async (folder) => {
    checkFolder(folder);
    return Promise.resolve(list(folder));
  },
};
