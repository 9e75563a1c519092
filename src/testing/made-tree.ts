// Small folders made for a test: corpora's layouts with empty media files.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Folders in the system's temporary folder, gone after `close`. */
export interface MadeTrees {
  /** Makes a folder of files by relative path. @returns its path */
  tree(name: string, files: Readonly<Record<string, string | Uint8Array>>): string;
  close(): void;
}

export function madeTrees(): MadeTrees {
  const root = mkdtempSync(join(tmpdir(), 'made-tree-'));
  return {
    tree(name, files) {
      const folder = join(root, name);
      mkdirSync(folder, { recursive: true });
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), content);
      }
      return folder;
    },
    close() {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Empty files. */
export function empty(...paths: readonly string[]): Record<string, string> {
  return Object.fromEntries(paths.map((path) => [path, '']));
}
