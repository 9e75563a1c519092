// Every corpus that prepare can read.
import { Problem } from '../../base/errors.ts';
import type { Corpus } from './corpus.ts';
import { cremaD } from './crema-d.ts';
import { ravdess } from './ravdess.ts';

/** In the order of --help. */
export const corpora: readonly Corpus[] = [cremaD, ravdess];

/** @throws Problem when there is none of that name, naming all */
export function corpusNamed(name: string): Corpus {
  const found = corpora.find((corpus) => corpus.name === name);
  if (found) return found;
  throw new Problem(
    'unsupported-file',
    `There is no corpus "${name}"; wanted one of ${corpora.map((corpus) => corpus.name).join(', ')}.`,
  );
}
