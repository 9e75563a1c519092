// Any corpus, told by a table: with a header that names the columns, or as HiCMAE's own annotation files are (its README:
// `VIDEO AUDIO LABEL`, one sample a line, no header, separated by blanks; saved/data has them, Werewolf-XL's with three
// values instead of the label). VIDEO may be a video file or a folder of face images.
import { existsSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { Problem } from '../../../base/errors.ts';
import { linesOf, readText, splitLine } from '../../base/csv.ts';
import type { Corpus, CorpusListing, PictureSource, SoundSource } from './corpus.ts';
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
  within,
} from './files.ts';
import { listingBuilder } from './listing.ts';
import { ageGroup, emotionNamed, known, numberIn, sexNamed, values } from './names.ts';

/** One sample of a table, before its files are looked for. */
interface Row {
  readonly key: string;
  readonly video: string;
  readonly audio: string;
  readonly label: string;
  readonly votes: Readonly<Record<string, number>> | null;
  readonly dimensions: Readonly<Record<string, number>> | null;
  readonly identity: string;
  readonly fold: string;
  readonly split: string;
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  readonly groups: Readonly<Record<string, string>>;
}

interface Rows {
  readonly rows: readonly { readonly row: Row; readonly line: number }[];
  readonly ignored: readonly string[];
}

const plainColumns = [
  'key',
  'video',
  'audio',
  'label',
  'identity',
  'fold',
  'split',
  'start',
  'end',
  'valence',
  'arousal',
  'dominance',
  'sex',
  'age',
  'race',
  'ethnicity',
];
const otherNames: Readonly<Record<string, string>> = {
  id: 'key',
  speaker: 'identity',
  actor: 'identity',
  image: 'video',
  images: 'video',
  emotion: 'label',
  gender: 'sex',
};
const prefixes = /^(votes|dim|group)[_:](.+)$/;

function separatorOf(line: string): string {
  return line.includes('\t') ? '\t' : line.includes(',') ? ',' : ' ';
}

function milliseconds(text: string | undefined): number | undefined {
  const seconds = numberIn(text);
  return seconds === undefined ? undefined : Math.round(seconds * 1000);
}

/** A table whose first line names the columns. */
function withHeader(lines: readonly string[], separator: string): Rows {
  const columns = splitLine(lines[0] ?? '', separator).map((name) => {
    const low = name.toLowerCase();
    return otherNames[low] ?? (prefixes.test(low) ? name : low);
  });
  const ignored = columns.filter(
    (name) => name !== '' && !plainColumns.includes(name) && !prefixes.test(name.toLowerCase()),
  );
  const rows = lines.slice(1).map((text, i) => {
    const cells = splitLine(text, separator);
    const cell = (name: string): string => cells[columns.indexOf(name)] ?? '';
    const prefixed = (prefix: string): [string, string][] =>
      columns.flatMap((column, at) => {
        const parts = prefixes.exec(column.toLowerCase());
        return parts?.[1] === prefix ? [[column.slice(prefix.length + 1), cells[at] ?? '']] : [];
      });
    const cast = prefixed('votes').map(([name, text]) => [emotionNamed(name), numberIn(text) ?? 0] as const);
    const age = cell('age');
    const row: Row = {
      key: cell('key'),
      video: cell('video'),
      audio: cell('audio'),
      label: cell('label'),
      votes: cast.some(([, count]) => count > 0)
        ? Object.fromEntries(cast.filter(([, count]) => count > 0))
        : null,
      dimensions: values({
        valence: numberIn(cell('valence')),
        arousal: numberIn(cell('arousal')),
        dominance: numberIn(cell('dominance')),
        ...Object.fromEntries(prefixed('dim').map(([name, text]) => [name, numberIn(text)])),
      }),
      identity: cell('identity'),
      fold: cell('fold'),
      split: cell('split'),
      startMs: milliseconds(cell('start')),
      endMs: milliseconds(cell('end')),
      groups: known({
        sex: sexNamed(cell('sex')),
        age: ageGroup(age) || age,
        race: cell('race').toLowerCase(),
        ethnicity: cell('ethnicity').toLowerCase(),
        ...Object.fromEntries(prefixed('group')),
      }),
    };
    return { row, line: i + 2 };
  });
  return { rows, ignored };
}

/** The official format: one or two paths, then a label or values. */
function withoutHeader(
  lines: readonly string[],
  separator: string,
  dimensions: readonly string[],
  chosen: boolean,
): Rows {
  const rows = lines.map((text, i) => {
    const cells = splitLine(text, separator);
    const second = cells[1] ?? '';
    const paired =
      numberIn(second) === undefined && (/[\\/]/.test(second) || isSound(second) || isVideo(second));
    const rest = cells.slice(paired ? 2 : 1);
    const numbers = rest.map(numberIn);
    const valued = chosen || rest.length > 1;
    if (valued && (rest.length !== dimensions.length || numbers.includes(undefined))) {
      throw new Problem(
        'unsupported-file',
        `Line ${String(i + 1)} has "${rest.join(' ')}" after its paths; wanted a label, or ${String(dimensions.length)} numbers (${dimensions.join(', ')}; name them by --dimensions).`,
      );
    }
    const alone = !paired && isSound(cells[0] ?? '');
    const row: Row = {
      key: '',
      video: alone ? '' : (cells[0] ?? ''),
      audio: alone ? (cells[0] ?? '') : paired ? second : '',
      label: valued || rest[0] === '-1' ? '' : (rest[0] ?? ''),
      votes: null,
      dimensions: valued
        ? values(Object.fromEntries(dimensions.map((name, at) => [name, numbers[at]])))
        : null,
      identity: '',
      fold: '',
      split: '',
      startMs: undefined,
      endMs: undefined,
      groups: {},
    };
    return { row, line: i + 1 };
  });
  return { rows, ignored: [] };
}

function splitNamed(text: string): 'train' | 'valid' | 'test' | null | undefined {
  const name = text.toLowerCase();
  if (name === '') return null;
  if (name.startsWith('train')) return 'train';
  if (name.startsWith('val') || name.startsWith('dev')) return 'valid';
  return name.startsWith('test') ? 'test' : undefined;
}

/** Says whether files are there, reading each folder once. */
function fileFinder(): (path: string) => boolean {
  const folders = new Map<string, ReadonlySet<string>>();
  return (path) => {
    const folder = dirname(path);
    let names = folders.get(folder);
    if (!names) {
      names = new Set(entriesOf(folder).files);
      folders.set(folder, names);
    }
    return names.has(basename(path));
  };
}

/** The label files: those named, or the folder's only table. */
function labelFiles(folder: string, named: string | undefined): string[] {
  if (named !== undefined) {
    const paths = named.split(',').map((name) => resolve(folder, name.trim()));
    const missing = paths.find((path) => !existsSync(path));
    if (missing === undefined) return paths;
    throw layoutProblem(
      dirname(missing),
      `the label file ${basename(missing)}`,
      'Give --labels-file a path, absolute or relative to the folder; several are joined by a comma.',
    );
  }
  const tables = entriesOf(folder).files.filter((name) => /\.(csv|tsv)$/i.test(name));
  if (tables.length === 1) return tables.map((name) => join(folder, name));
  throw layoutProblem(
    folder,
    'one table (.csv or .tsv)',
    'Say by --labels-file which one tells the samples.',
  );
}

function words(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').map((word) => word.trim());
}

function list(folder: string, options: Readonly<Record<string, string>>): CorpusListing {
  const frameRateHz =
    options['frame-rate'] === undefined ? assumedFrameRateHz : Number(options['frame-rate']);
  if (!(frameRateHz > 0 && frameRateHz <= 240))
    throw new Problem(
      'unsupported-file',
      `--frame-rate is "${options['frame-rate'] ?? ''}"; wanted frames a second, up to 240.`,
    );
  const classes = words(options['classes']);
  const dimensions =
    options['dimensions'] === undefined ? ['arousal', 'valence', 'dominance'] : words(options['dimensions']);
  const listing = listingBuilder();
  const isThere = fileFinder();
  const labels = new Set<string>();
  const dimensionsSeen = new Set<string>();

  const picturesOf = (row: Row): PictureSource | undefined => {
    const path = resolve(folder, row.video);
    const range = {
      ...(row.startMs === undefined ? {} : { startMs: row.startMs }),
      ...(row.endMs === undefined ? {} : { endMs: row.endMs }),
    };
    if (isVideo(path)) return isThere(path) ? { kind: 'video', path, ...range } : undefined;
    if (isImage(path)) return isThere(path) ? { kind: 'images', paths: [path], frameRateHz: 0 } : undefined;
    const paths = imagesIn(path);
    return paths.length > 0 ? { kind: 'images', paths, frameRateHz } : undefined;
  };
  const soundOf = (row: Row, pictures: PictureSource | undefined): SoundSource | undefined => {
    const path =
      row.audio !== '' ? resolve(folder, row.audio) : pictures?.kind === 'video' ? pictures.path : '';
    if (path === '' || !isThere(path)) return undefined;
    return {
      path,
      ...(row.startMs === undefined ? {} : { startMs: row.startMs }),
      ...(row.endMs === undefined ? {} : { endMs: row.endMs }),
    };
  };
  const labelOf = (text: string): string | null | undefined => {
    if (text === '') return null;
    if (classes.length > 0 && /^\d+$/.test(text)) return classes[Number(text)];
    const name = emotionNamed(text);
    return classes.length === 0 || classes.includes(name) ? name : undefined;
  };

  for (const file of labelFiles(folder, options['labels-file'])) {
    const lines = linesOf(readText(file));
    const separator = separatorOf(lines[0] ?? '');
    const head = splitLine(lines[0] ?? '', separator).map(
      (name) => otherNames[name.toLowerCase()] ?? name.toLowerCase(),
    );
    const hasHeader = head.includes('video') || head.includes('audio');
    const { rows, ignored } = hasHeader
      ? withHeader(lines, separator)
      : withoutHeader(lines, separator, dimensions, options['dimensions'] !== undefined);
    const name = within(folder, file);
    for (const column of ignored) listing.leaveOut(name, `the column ${column} is not known and not read`);
    for (const { row, line } of rows) {
      const at = `${name}:${String(line)}`;
      const pictures = row.video === '' ? undefined : picturesOf(row);
      const sound = soundOf(row, pictures);
      const label = labelOf(row.label);
      const fold = row.fold === '' ? null : Number(row.fold);
      const split = splitNamed(row.split === '' && !hasHeader ? splitFile(file) : row.split);
      if (!pictures && !sound) {
        const path = row.video || row.audio;
        listing.leaveOut(
          at,
          path === ''
            ? 'names no video and no audio'
            : `${path} is not there, or no media file or image folder`,
        );
      } else if (label === undefined) {
        listing.leaveOut(
          at,
          `label ${row.label} is none of ${classes.map((word, i) => `${String(i)} ${word}`).join(', ')}`,
        );
      } else if (split === undefined || (fold !== null && !(Number.isInteger(fold) && fold > 0))) {
        listing.leaveOut(
          at,
          `split "${row.split}", fold "${row.fold}": wanted train, valid or test, and a number from 1`,
        );
      } else if ((row.startMs ?? 0) >= (row.endMs ?? Number.POSITIVE_INFINITY)) {
        listing.leaveOut(at, 'ends before it starts');
      } else {
        if (row.video !== '' && !pictures)
          listing.leaveOut(at, `${row.video} is not there; listed with its sound alone`);
        if (row.audio !== '' && !sound)
          listing.leaveOut(at, `${row.audio} is not there; listed with its pictures alone`);
        if (label !== null) labels.add(label);
        for (const dimension of Object.keys(row.dimensions ?? {})) dimensionsSeen.add(dimension);
        const media = row.video || row.audio;
        const relative = within(folder, resolve(folder, media));
        // A file from elsewhere is told by its last folders: where it lay is nobody's business.
        const source =
          relative.startsWith('..') || isAbsolute(relative)
            ? relative
                .split('/')
                .filter((part) => part !== '..')
                .slice(-3)
                .join('/')
            : relative;
        const start = row.startMs === undefined ? '' : `-${String(row.startMs)}`;
        listing.add({
          key:
            row.key ||
            `${/\.\w+$/.test(basename(source)) ? join(dirname(source), stemOf(source)).replaceAll('\\', '/') : source}${start}`,
          source,
          pictures: pictures ?? null,
          sound: sound ?? null,
          label,
          votes: row.votes,
          dimensions: row.dimensions,
          identity: row.identity || null,
          fold,
          split,
          groups: row.groups,
        });
      }
    }
  }
  const numeric = [...labels].every((label) => /^\d+$/.test(label));
  const found = [...labels].sort(numeric ? (a, b) => Number(a) - Number(b) : undefined);
  return listing.done({ classes: classes.length > 0 ? classes : found, dimensions: [...dimensionsSeen] });
}

/** train.csv and the like tell the split by their name. */
function splitFile(path: string): string {
  return splitNamed(stemOf(path)) === undefined ? '' : stemOf(path);
}

export const csvList: Corpus = {
  name: 'csv',
  about:
    'any table: a header with video, audio, label, votes_NAME, valence, arousal, dominance, dim_NAME, identity, fold, split, start, end (seconds), sex, age, race, group_NAME, key; or lines VIDEO AUDIO LABEL (or three values) without one',
  classes: [],
  dimensions: [],
  options: [
    {
      name: 'labels-file',
      about:
        "of csv: the tables, relative to the folder, joined by a comma; default the folder's only .csv or .tsv",
    },
    {
      name: 'classes',
      about: 'of csv: class names for labels 0, 1, ..., joined by a comma; default the labels as they are',
    },
    {
      name: 'dimensions',
      about:
        'of csv: names of the values after the paths, joined by a comma; default arousal,valence,dominance',
    },
    {
      name: 'frame-rate',
      about: 'of films that come as pictures, for csv and media; frames a second, up to 240; default 25',
    },
  ],
  list: async (folder, options) => {
    checkFolder(folder);
    return Promise.resolve(list(folder, options));
  },
};
