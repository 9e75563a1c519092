// What is slow to compute from a data set is kept in .cache/, under a name that changes with the data and the recipe.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

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

/** Writes a file whole or not at all. */
export function writeWhole(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${String(process.pid)}.part`;
  writeFileSync(draft, bytes);
  renameSync(draft, path);
}

export function writeCache(name: string, bytes: Uint8Array): void {
  writeWhole(join(folder, name), bytes);
}
