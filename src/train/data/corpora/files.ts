// What adapters need of the file system: folders listed once and sorted, and errors that say what is there instead.
import { existsSync, readdirSync, statSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { basename, dirname, extname, join, relative } from 'node:path';
import { Problem } from '../../../base/errors.ts';

export const videoExtensions: readonly string[] = [
  '.mp4',
  '.webm',
  '.flv',
  '.avi',
  '.mpg',
  '.mpeg',
  '.mkv',
  '.mov',
  '.m4v',
];
export const soundExtensions: readonly string[] = ['.wav', '.opus', '.ogg', '.flac', '.mp3', '.m4a', '.aac'];
export const imageExtensions: readonly string[] = ['.jpg', '.jpeg', '.png', '.bmp', '.webp'];

/** Frames a second of image folders where the corpus does not tell. */
export const assumedFrameRateHz = 25;

/** The extension in lower case, with its dot. */
export function extensionOf(path: string): string {
  return extname(path).toLowerCase();
}
/** The file's name without folder and extension. */
export function stemOf(path: string): string {
  return basename(path, extname(path));
}
export function isVideo(path: string): boolean {
  return videoExtensions.includes(extensionOf(path));
}
export function isSound(path: string): boolean {
  return soundExtensions.includes(extensionOf(path));
}
export function isImage(path: string): boolean {
  return imageExtensions.includes(extensionOf(path));
}

/** What a folder holds, sorted by name; hidden files (`.x`, macOS's `._x` and `__MACOSX`) are not listed. */
export interface Entries {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** One reading of a folder, without a stat of each file; a link is followed. Not there: nothing in it. */
export function entriesOf(folder: string): Entries {
  let all: Dirent[];
  try {
    all = readdirSync(folder, { withFileTypes: true });
  } catch {
    return { files: [], folders: [] };
  }
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of all) {
    if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue;
    const linked = entry.isSymbolicLink() && existsSync(join(folder, entry.name));
    const stat = linked ? statSync(join(folder, entry.name)) : entry;
    if (stat.isDirectory()) folders.push(entry.name);
    else if (stat.isFile()) files.push(entry.name);
  }
  return { files: files.sort(byCode), folders: folders.sort(byCode) };
}

/** All files of a folder and its subfolders, depth first and sorted. */
export function* walk(folder: string, depth = 12): Generator<string> {
  const { files, folders } = entriesOf(folder);
  for (const file of files) yield join(folder, file);
  if (depth > 0) for (const name of folders) yield* walk(join(folder, name), depth - 1);
}

/** All subfolders, parents first and sorted; `enter` says which are looked into. */
export function* walkFolders(
  folder: string,
  depth: number,
  enter: (path: string) => boolean = () => true,
): Generator<string> {
  if (depth <= 0) return;
  for (const name of entriesOf(folder).folders) {
    const path = join(folder, name);
    yield path;
    if (enter(path)) yield* walkFolders(path, depth - 1, enter);
  }
}

/** A path relative to the corpus' folder, with `/` on every system. */
export function within(folder: string, path: string): string {
  return relative(folder, path).replaceAll('\\', '/');
}

/** What is in a folder, in words for an error: `audio/, clips.csv and 3 more`. */
export function contentsOf(folder: string): string {
  const { files, folders } = entriesOf(folder);
  const names = [...folders.map((name) => `${name}/`), ...files];
  if (names.length === 0) return existsSync(folder) ? 'nothing' : 'no such folder';
  const shown = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${shown} and ${String(names.length - 8)} more` : shown;
}

/** An error about a corpus' layout: what was looked for, what is there, what to do. */
export function layoutProblem(folder: string, lookedFor: string, advice: string): Problem {
  return new Problem(
    'unsupported-file',
    `Looked for ${lookedFor} in ${folder}; there is ${contentsOf(folder)}. ${advice}`,
  );
}

/** Throws when the corpus' folder itself is missing or is a file. */
export function checkFolder(folder: string): void {
  if (existsSync(folder) && statSync(folder).isDirectory()) return;
  const parent = dirname(folder);
  throw new Problem(
    'unsupported-file',
    `${folder} is ${existsSync(folder) ? 'not a folder' : `not there; in ${parent} there is ${contentsOf(parent)}`}. Give the corpus' folder.`,
  );
}

/** The first of some files or folders, relative to a folder, that is there. */
export function firstThere(folder: string, names: readonly string[]): string | undefined {
  return names.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** Media files below a folder by their name without extension; the first in sorted order wins. */
export function mediaByStem(folder: string, wanted: (path: string) => boolean): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of walk(folder)) {
    if (wanted(path) && !found.has(stemOf(path))) found.set(stemOf(path), path);
  }
  return found;
}

const numeric = new Intl.Collator('en', { numeric: true });

/** The image files of a folder in the order of time: by the numbers in their names. */
export function imagesIn(folder: string): string[] {
  return entriesOf(folder)
    .files.filter(isImage)
    .sort((a, b) => numeric.compare(a, b) || byCode(a, b))
    .map((name) => join(folder, name));
}
