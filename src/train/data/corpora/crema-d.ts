// CREMA-D: acted sentences of 91 actors. Layouts: the owners' GitHub repository (AudioWAV or AudioMP3, VideoFlash; VideoMP4
// where someone converted it), and a compact one of voices alone (audio/, clips.csv, actors.csv).
// Checked against the repository's README, its tabulatedVotes.csv (row number = 100000 * kind + clip; kinds 1 voice,
// 2 face, 3 both) and HiCMAE's preprocess/creamd_av.py and saved/data/crema-d (folds, classes, the five clips without one).
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { linesOf, readCsv, readText, splitLine } from '../../base/csv.ts';
import type { Corpus, CorpusListing } from './corpus.ts';
import {
  checkFolder,
  entriesOf,
  firstThere,
  isSound,
  isVideo,
  layoutProblem,
  stemOf,
  within,
} from './files.ts';
import { listingBuilder } from './listing.ts';
import type { ListingBuilder } from './listing.ts';
import { ageGroup, known, sexNamed } from './names.ts';

const classes = ['angry', 'disgust', 'fear', 'happy', 'neutral', 'sad'] as const;
const codes = ['ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'];
const letters = ['A', 'D', 'F', 'H', 'N', 'S'];
const levels: Readonly<Record<string, string>> = { LO: 'low', MD: 'medium', HI: 'high' };
/** Clips that the official split has no row for: four the owners call broken, one named unlike the rest. */
const withoutFold = new Set([
  '1040_ITH_SAD_X',
  '1064_IEO_DIS_MD',
  '1064_TIE_SAD_XX',
  '1076_MTI_NEU_XX',
  '1076_MTI_SAD_XX',
]);

type Votes = Map<string, Record<string, number>>;
type Groups = Map<string, Record<string, string>>;

/** Test fold of an actor: 18 each, the last one 19. */
function foldOf(clip: string): number | null {
  const index = Number(clip.slice(0, 4)) - 1001;
  return withoutFold.has(clip) || index < 0 || index > 90 ? null : Math.min(Math.floor(index / 18), 4) + 1;
}

function readActors(path: string | undefined, listing: ListingBuilder): Groups {
  const groups: Groups = new Map();
  if (path === undefined) {
    listing.leaveOut('VideoDemographics.csv', 'not there, so sex, age and race of the actors are not known');
    return groups;
  }
  for (const row of readCsv(path, ['ActorID', 'Age', 'Sex', 'Race', 'Ethnicity']).rows) {
    groups.set(row['ActorID'] ?? '', {
      sex: sexNamed(row['Sex'] ?? ''),
      age: ageGroup(row['Age'] ?? ''),
      race: (row['Race'] ?? '').toLowerCase(),
      ethnicity: (row['Ethnicity'] ?? '').toLowerCase(),
    });
  }
  return groups;
}

/** Votes told as the majority's letter, several joined by ':' when they are equal. */
function majority(text: string): Record<string, number> | null {
  const named = text.split(':').flatMap((letter) => {
    const label = classes[letters.indexOf(letter)];
    return label === undefined ? [] : [label];
  });
  return named.length === 0 ? null : Object.fromEntries(named.map((label) => [label, 1 / named.length]));
}

/** @param kind 1: raters heard the voice, 3: they saw and heard */
function readVotes(folder: string, kind: 1 | 3, listing: ListingBuilder): Votes {
  const votes: Votes = new Map();
  const tabulated = firstThere(folder, ['processedResults/tabulatedVotes.csv', 'tabulatedVotes.csv']);
  const responses = firstThere(folder, ['finishedResponses.csv']);
  const summary = firstThere(folder, ['processedResults/summaryTable.csv', 'summaryTable.csv']);
  if (tabulated !== undefined) {
    for (const row of readCsv(tabulated, [...letters, 'fileName']).rows) {
      if (Math.floor(Number(row['']) / 100000) !== kind) continue;
      const counts = letters.map((letter, i) => [classes[i] ?? '', Number(row[letter])] as const);
      votes.set(row['fileName'] ?? '', Object.fromEntries(counts.filter(([, count]) => count > 0)));
    }
  } else if (responses !== undefined) {
    const lines = linesOf(readText(responses));
    const columns = splitLine(lines[0] ?? '');
    const [at, type, emotion] = ['clipName', 'queryType', 'respEmo'].map((name) => columns.indexOf(name));
    for (const line of lines.slice(1)) {
      const cells = splitLine(line);
      const label = classes[letters.indexOf(cells[emotion ?? -1] ?? '')];
      if (label === undefined || cells[type ?? -1] !== String(kind)) continue;
      const clip = cells[at ?? -1] ?? '';
      const counts = votes.get(clip) ?? {};
      counts[label] = (counts[label] ?? 0) + 1;
      votes.set(clip, counts);
    }
  } else if (summary !== undefined) {
    const column = kind === 1 ? 'VoiceVote' : 'MultiModalVote';
    for (const row of readCsv(summary, ['FileName', column]).rows) {
      const vote = majority(row[column] ?? '');
      if (vote) votes.set(row['FileName'] ?? '', vote);
    }
  } else {
    listing.leaveOut('processedResults/tabulatedVotes.csv', 'not there, so there are no crowd votes');
  }
  return votes;
}

/** What a clip's name tells, or why the clip cannot be used. */
function parse(
  clip: string,
): { readonly label: string; readonly actor: string; readonly level: string } | string {
  const parts = /^(1\d{3})_[A-Z]{3}_([A-Z]{3})_(LO|MD|HI|XX?)$/.exec(clip);
  if (!parts) return 'its name is not ACTOR_SENTENCE_EMOTION_LEVEL';
  const label = classes[codes.indexOf(parts[2] ?? '')];
  return label === undefined
    ? `emotion ${parts[2] ?? ''} is none of ${codes.join(', ')}`
    : { label, actor: parts[1] ?? '', level: levels[parts[3] ?? ''] ?? '' };
}

/** The files of a folder by clip. */
function clipsIn(folder: string | undefined, wanted: (name: string) => boolean): Map<string, string> {
  const names = folder === undefined ? [] : entriesOf(folder).files.filter(wanted);
  return new Map(names.map((name) => [stemOf(name), join(folder ?? '', name)]));
}

function listRepository(folder: string): CorpusListing {
  const soundFolder = firstThere(folder, ['AudioWAV', 'AudioMP3']);
  const videoFolder = firstThere(folder, ['VideoMP4', 'VideoFlash']);
  if (soundFolder === undefined && videoFolder === undefined) {
    throw layoutProblem(
      folder,
      'AudioWAV/*.wav and VideoFlash/*.flv (or VideoMP4/*.mp4), or audio/*.opus and clips.csv',
      'Give the folder of the CREMA-D repository, with its large files fetched (git lfs pull).',
    );
  }
  const listing = listingBuilder();
  const sounds = clipsIn(soundFolder, isSound);
  const videos = clipsIn(videoFolder, isVideo);
  const actors = readActors(firstThere(folder, ['VideoDemographics.csv']), listing);
  const votes = readVotes(folder, videoFolder === undefined ? 1 : 3, listing);
  for (const clip of new Set([...sounds.keys(), ...videos.keys()])) {
    const sound = sounds.get(clip);
    const video = videos.get(clip);
    const source = within(folder, video ?? sound ?? '');
    const about = parse(clip);
    if (typeof about === 'string') {
      listing.leaveOut(source, about);
      continue;
    }
    if (videoFolder !== undefined && video === undefined)
      listing.leaveOut(
        `${within(folder, videoFolder)}/${clip}`,
        'no such video; the clip is listed with its sound alone',
      );
    if (soundFolder !== undefined && sound === undefined)
      listing.leaveOut(`${within(folder, soundFolder)}/${clip}`, "no such sound; the video's own is taken");
    listing.add({
      key: clip,
      source,
      pictures: video === undefined ? null : { kind: 'video', path: video },
      sound: { path: sound ?? video ?? '' },
      label: about.label,
      votes: votes.get(clip) ?? null,
      identity: about.actor,
      fold: foldOf(clip),
      groups: known({ ...actors.get(about.actor), intensity: about.level }),
    });
  }
  for (const clip of votes.keys()) {
    if (!sounds.has(clip) && !videos.has(clip)) listing.leaveOut(clip, 'has votes but no sound or video');
  }
  return listing.done();
}

function listCompact(folder: string): CorpusListing {
  const listing = listingBuilder();
  const sounds = clipsIn(join(folder, 'audio'), isSound);
  const actors = readActors(firstThere(folder, ['actors.csv', 'VideoDemographics.csv']), listing);
  const { rows, columns } = readCsv(join(folder, 'clips.csv'), ['clip']);
  const seen = new Set<string>();
  for (const row of rows) {
    const clip = row['clip'] ?? '';
    const sound = sounds.get(clip);
    const about = parse(clip);
    seen.add(clip);
    if (typeof about === 'string') listing.leaveOut(clip, about);
    else if (sound === undefined) listing.leaveOut(clip, 'a row of clips.csv without a file in audio/');
    else {
      const foldText = row['fold'] ?? '';
      listing.add({
        key: clip,
        source: within(folder, sound),
        sound: { path: sound },
        label: about.label,
        votes: majority(row['voiceVote'] ?? ''),
        identity: about.actor,
        fold: columns.includes('fold') ? (foldText === '' ? null : Number(foldText)) : foldOf(clip),
        groups: known({ ...actors.get(about.actor), intensity: about.level }),
      });
    }
  }
  for (const [clip, path] of sounds) {
    if (!seen.has(clip)) listing.leaveOut(within(folder, path), 'no row in clips.csv');
  }
  return listing.done();
}

export const cremaD: Corpus = {
  name: 'crema-d',
  about:
    'CREMA-D: its repository (AudioWAV, VideoFlash, VideoDemographics.csv, processedResults) or audio/ and clips.csv',
  classes,
  dimensions: [],
  list: async (folder) => {
    checkFolder(folder);
    return Promise.resolve(
      existsSync(join(folder, 'clips.csv')) ? listCompact(folder) : listRepository(folder),
    );
  },
};
