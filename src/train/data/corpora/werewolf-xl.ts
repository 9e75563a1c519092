// Werewolf-XL: speakers of 30 games of Werewolf, rated in pleasure (valence), arousal and dominance. Clips SS_PP_N.mp4
// (session, player, number) and a table with the columns speaker_audio, Pleasure_average, Arousal_average,
// Dominance_average.
// Checked against the owners' baseline code (columns, names, image folders NAME_aligned, sessions 1 to 30) and HiCMAE's
// saved/data/werewolf-xl (five folds of six sessions: the first tests on 01 to 06). The name of the label file and the
// folder of the clips are not documented in public: any table (.csv, .xlsx) with such columns is taken, and clips at any
// depth. HiCMAE does not tell the order of its three values; their ranges fit arousal, valence, dominance.
import { basename } from 'node:path';
import { linesOf, readCsv, readText, splitLine } from '../../base/csv.ts';
import type { Table } from '../../base/csv.ts';
import type { Corpus, CorpusListing, PictureSource } from './corpus.ts';
import {
  assumedFrameRateHz,
  checkFolder,
  extensionOf,
  imagesIn,
  isSound,
  isVideo,
  layoutProblem,
  stemOf,
  walk,
  walkFolders,
  within,
} from './files.ts';
import { listingBuilder } from './listing.ts';
import { numberIn, values } from './names.ts';
import { readXlsx } from './xlsx.ts';

const dimensions = ['arousal', 'valence', 'dominance'] as const;
const nameColumns = ['speaker_audio', 'VideoName', 'video_name', 'name'];
const valueColumns: Readonly<Record<(typeof dimensions)[number], readonly string[]>> = {
  arousal: ['Arousal_average', 'Arousal', 'arousal'],
  valence: ['Pleasure_average', 'Valence_average', 'Pleasure', 'Valence', 'pleasure', 'valence'],
  dominance: ['Dominance_average', 'Dominance', 'dominance'],
};

/** Which columns of a table are which; undefined when it is no label table. */
function columnsOf(columns: readonly string[]): { name: string; values: Record<string, string> } | undefined {
  const name = nameColumns.find((column) => columns.includes(column));
  const found = dimensions.flatMap((dimension) => {
    const column = valueColumns[dimension].find((candidate) => columns.includes(candidate));
    return column === undefined ? [] : [[dimension, column] as const];
  });
  return name === undefined || found.length === 0 ? undefined : { name, values: Object.fromEntries(found) };
}

/** `1_2_30`, `01_02_30.mp4` or a path to it as `01_02_30`. */
function clipName(text: string): string | undefined {
  const parts = /^(\d{1,2})_(\d{1,2})_(\d+)(?:_aligned)?$/.exec(stemOf(text.trim()));
  return parts
    ? `${parts[1]?.padStart(2, '0') ?? ''}_${parts[2]?.padStart(2, '0') ?? ''}_${parts[3] ?? ''}`
    : undefined;
}

function readTable(path: string): Table | undefined {
  if (extensionOf(path) === '.xlsx') return readXlsx(path);
  // The head alone decides whether a table is read whole: feature files lie beside it.
  const head = splitLine(linesOf(readText(path))[0] ?? '');
  return columnsOf(head) ? readCsv(path, []) : undefined;
}

function list(folder: string): CorpusListing {
  const listing = listingBuilder();
  const labels = new Map<string, Record<string, number> | null>();
  const tables: string[] = [];
  for (const path of walk(folder, 3)) {
    if (!['.csv', '.xlsx'].includes(extensionOf(path))) continue;
    const table = readTable(path);
    const columns = table && columnsOf(table.columns);
    if (!table || !columns) continue;
    tables.push(path);
    for (const row of table.rows) {
      const clip = clipName(row[columns.name] ?? '');
      if (clip === undefined)
        listing.leaveOut(
          within(folder, path),
          `row "${row[columns.name] ?? ''}": wanted a name like 01_02_130`,
        );
      else if (!labels.has(clip)) {
        const read = Object.entries(columns.values).map(
          ([name, column]) => [name, numberIn(row[column])] as const,
        );
        labels.set(clip, values(Object.fromEntries(read)));
      }
    }
  }
  if (tables.length === 0) {
    throw layoutProblem(
      folder,
      'a table (.csv or .xlsx) with the columns speaker_audio, Pleasure_average, Arousal_average, Dominance_average',
      'Put the label file of Werewolf-XL there.',
    );
  }
  const pictures = new Map<string, PictureSource>();
  const sounds = new Map<string, string>();
  for (const path of walk(folder)) {
    const clip = isVideo(path) || isSound(path) ? clipName(path) : undefined;
    if (clip === undefined) continue;
    if (isVideo(path)) pictures.set(clip, { kind: 'video', path });
    else sounds.set(clip, path);
  }
  for (const path of walkFolders(folder, 5)) {
    const clip = clipName(basename(path));
    const paths = clip === undefined || pictures.has(clip) ? [] : imagesIn(path);
    if (clip !== undefined && paths.length > 0)
      pictures.set(clip, { kind: 'images', paths, frameRateHz: assumedFrameRateHz });
  }
  for (const clip of new Set([...pictures.keys(), ...sounds.keys()])) {
    const seen = pictures.get(clip) ?? null;
    const heard = sounds.get(clip) ?? (seen?.kind === 'video' ? seen.path : undefined);
    const first = seen?.kind === 'video' ? seen.path : seen?.kind === 'images' ? seen.paths[0] : heard;
    const source = within(folder, first ?? '');
    const session = Number(clip.slice(0, 2));
    const about = labels.get(clip);
    if (about === undefined)
      listing.leaveOut(source, `no row in ${tables.map((path) => basename(path)).join(', ')}`);
    else if (about === null) listing.leaveOut(source, 'its row has no values');
    else if (session < 1 || session > 30)
      listing.leaveOut(source, `session ${String(session)} is not one of 1 to 30`);
    else {
      listing.add({
        key: clip,
        source,
        pictures: seen,
        sound: heard === undefined ? null : { path: heard },
        dimensions: about,
        // Players come back in later sessions under other numbers: this is a seat, not a person.
        identity: clip.slice(0, 5),
        fold: Math.ceil(session / 6),
      });
    }
  }
  for (const clip of labels.keys()) {
    if (!pictures.has(clip) && !sounds.has(clip)) listing.leaveOut(clip, 'has values but no clip');
  }
  return listing.done();
}

export const werewolfXl: Corpus = {
  name: 'werewolf-xl',
  about: 'Werewolf-XL: speaker clips SS_PP_N.mp4 (or image folders and .wav) and the table of PAD labels',
  classes: [],
  dimensions,
  list: async (folder) => {
    checkFolder(folder);
    return Promise.resolve(list(folder));
  },
};
