// Where this program's own files lie: the checkout, or the installed package.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const above = dirname(folder);
    if (above === folder) throw new Error('internal: no package.json above the program');
    folder = above;
  }
  return folder;
}

/** Holds package.json, and `dist/` with the built page. */
export const packageRoot = findRoot();

/** Whether this runs from source, so that the page can be built. */
export const isCheckout = existsSync(join(packageRoot, 'src/train/main.ts'));
