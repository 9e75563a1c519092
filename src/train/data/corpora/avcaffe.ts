// AVCAffe: 106 people in remote meetings, rating themselves after each of their tasks. videos/shorter_segments/aiimNNN/
// task_N/*.avi (six seconds each), ground_truths/{arousal,valence}.txt (lines `aiim001_task_1, Excited`) and
// {mental_demand,temporal_demand,effort,...}.txt (0 to 21), info/{train,val,no_audio_files}.txt.
// Checked against the owners' README, downloader and data loader (github.com/pritamqu/AVCAffe: paths, words and their order,
// the 20 people of the test part, above 10 counted as high). Their download script puts all below data/: taken as well.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { linesOf, readText } from '../../base/csv.ts';
import type { Corpus, CorpusListing } from './corpus.ts';
import { checkFolder, firstThere, isVideo, layoutProblem, stemOf, walk, within } from './files.ts';
import { listingBuilder } from './listing.ts';
import { choice, numberIn, values } from './names.ts';

const words: Readonly<Record<string, readonly string[]>> = {
  arousal: ['excited', 'wide-awake', 'neutral', 'dull', 'calm'],
  valence: ['pleasant', 'pleased', 'neutral', 'unsatisfied', 'unpleasant'],
};
const loads = ['mental_demand', 'temporal_demand', 'effort', 'physical_demand', 'frustration', 'performance'];
/** Scores above it count as high in the owners' loader. */
const highAbove = 10;
const testPeople = [1, 2, 13, 14, 43, 44, 53, 54, 57, 58, 63, 64, 67, 68, 77, 78, 99, 100, 107, 108].map(
  (n) => `aiim${String(n).padStart(3, '0')}`,
);

/** What a file of ground_truths says, by `aiim001_task_1`. */
function readTruths(path: string): Map<string, string> {
  const truths = new Map<string, string>();
  for (const line of linesOf(readText(path))) {
    const [task = '', value] = line.split(',').map((cell) => cell.trim());
    if (value !== undefined) truths.set(task, value.toLowerCase());
  }
  return truths;
}

function linesAt(path: string): string[] | undefined {
  return existsSync(path) ? linesOf(readText(path)).map((line) => line.trim()) : undefined;
}

function list(given: string, target: string): CorpusListing {
  const listing = listingBuilder();
  const folder =
    existsSync(join(given, 'ground_truths')) || !existsSync(join(given, 'data'))
      ? given
      : join(given, 'data');
  const segments = firstThere(folder, ['videos/shorter_segments', 'shorter_segments']);
  const truthFolder = join(folder, 'ground_truths');
  if (segments === undefined || !existsSync(truthFolder)) {
    throw layoutProblem(
      folder,
      segments === undefined ? 'videos/shorter_segments' : 'ground_truths',
      'Give the folder that holds videos, ground_truths and info.',
    );
  }
  const truths = new Map<string, Map<string, string>>();
  for (const name of [...Object.keys(words), ...loads]) {
    const path = join(truthFolder, `${name}.txt`);
    if (existsSync(path)) truths.set(name, readTruths(path));
    else if (name === target) {
      throw layoutProblem(truthFolder, `${name}.txt`, 'Choose another --target or add the file.');
    }
  }
  const classes = words[target] ?? ['low', 'high'];
  const test = new Set(linesAt(join(folder, 'info', 'val.txt')) ?? testPeople);
  const silent = new Set(linesAt(join(folder, 'info', 'no_audio_files.txt')) ?? []);
  const seen = new Set<string>();
  for (const path of walk(segments)) {
    if (!isVideo(path)) continue;
    const source = within(given, path);
    const person = /(?:^|\/)(aiim\d{3})\//.exec(source)?.[1];
    const task = /^task_\d$/.exec(basename(dirname(path)))?.[0];
    if (person === undefined || task === undefined) {
      listing.leaveOut(source, 'not below aiimNNN/task_N');
      continue;
    }
    const key = `${person}_${task}`;
    seen.add(key);
    const said = truths.get(target)?.get(key);
    const score = numberIn(said);
    const label = words[target] ? said : score === undefined ? undefined : score > highAbove ? 'high' : 'low';
    if (said === undefined) {
      listing.leaveOut(source, `no line for ${key} in ground_truths/${target}.txt`);
      continue;
    }
    if (label === undefined || !classes.includes(label)) {
      listing.leaveOut(
        source,
        `${target} is "${said}"; wanted ${words[target] ? classes.join(', ') : 'a number'}`,
      );
      continue;
    }
    // The owners number the words from the most aroused or pleasant down; here more is more: 0 to 4.
    const scale = (name: string): number | undefined => {
      const index = words[name]?.indexOf(truths.get(name)?.get(key) ?? '') ?? -1;
      return index < 0 ? undefined : 4 - index;
    };
    listing.add({
      key: stemOf(path).startsWith(person) ? stemOf(path) : `${key}_${stemOf(path)}`,
      source,
      pictures: { kind: 'video', path },
      sound: { path },
      label,
      dimensions: values({
        arousal: scale('arousal'),
        valence: scale('valence'),
        ...Object.fromEntries(loads.map((name) => [name, numberIn(truths.get(name)?.get(key))])),
      }),
      identity: person,
      split: test.has(person) ? 'test' : 'train',
      groups: { task, speech: silent.has(basename(path)) ? 'no' : 'yes' },
    });
  }
  for (const key of truths.get(target)?.keys() ?? []) {
    if (!seen.has(key)) listing.leaveOut(key, 'has a label but no segment');
  }
  return listing.done({ classes });
}

export const avcaffe: Corpus = {
  name: 'avcaffe',
  about: 'AVCAffe: videos/shorter_segments/aiimNNN/task_N/*.avi, ground_truths/*.txt, info/*.txt',
  classes: words['arousal'] ?? [],
  dimensions: ['arousal', 'valence', ...loads],
  options: [
    {
      name: 'target',
      about: `of avcaffe: what the label is: arousal (default), valence, or ${loads.join(', ')} as low and high (above ${String(highAbove)} of 21)`,
    },
  ],
  list: async (folder, options) => {
    checkFolder(folder);
    return Promise.resolve(list(folder, choice(options, 'target', ['arousal', 'valence', ...loads])));
  },
};
