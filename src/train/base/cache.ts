// What is slow to compute from a data set is kept in .cache/, under a name that changes with the data and the recipe.
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Problem } from '../../base/errors.ts';

const folder = '.cache';

/** Lower-case hexadecimal SHA-256 of byte arrays and texts, one after the other. */
export function sha256(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** The cached bytes, or undefined when there are none of exactly this length. */
export function readCache(name: string, byteLength: number): Uint8Array | undefined {
  try {
    const bytes = readFileSync(join(folder, name));
    // A copy: the file's Buffer may lie inside a larger pool, and callers read its ArrayBuffer.
    return bytes.byteLength === byteLength ? new Uint8Array(bytes) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes a file whole or not at all, and has it on the disk when this returns: a kill or a power cut at any moment leaves
 * the file as it was before or as it is after.
 * @param bytes one array or text, or several to be joined
 * @throws Problem when the disk is full or the folder cannot be written; the former file stays
 */
export function writeWhole(path: string, bytes: Uint8Array | string | readonly Uint8Array[]): void {
  const draft = `${path}.${String(process.pid)}.part`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(draft, 'w');
    try {
      for (const part of typeof bytes === 'string' || bytes instanceof Uint8Array ? [bytes] : bytes)
        writeFileSync(file, part);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const what =
      code === 'ENOSPC'
        ? 'the disk is full: free some space or write elsewhere'
        : `${error instanceof Error ? error.message : String(error)}: choose a folder that can be written`;
    throw new Problem('unsupported-file', `${path} was not written: ${what}.`, { cause: error });
  }
}

export function writeCache(name: string, bytes: Uint8Array): void {
  writeWhole(join(folder, name), bytes);
}
