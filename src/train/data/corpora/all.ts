// Every corpus that prepare can read.
import { Problem } from '../../../base/errors.ts';
import { avcaffe } from './avcaffe.ts';
import type { Corpus } from './corpus.ts';
import { cremaD } from './crema-d.ts';
import { csvList } from './csv-list.ts';
import { dfew } from './dfew.ts';
import { ferplus } from './ferplus.ts';
import { iemocap } from './iemocap.ts';
import { mafw } from './mafw.ts';
import { media } from './media.ts';
import { mer2023 } from './mer2023.ts';
import { mspImprov } from './msp-improv.ts';
import { ravdess } from './ravdess.ts';
import { voxceleb2 } from './voxceleb2.ts';
import { werewolfXl } from './werewolf-xl.ts';

/** In the order of --help. */
export const corpora: readonly Corpus[] = [
  cremaD,
  ravdess,
  mafw,
  dfew,
  mer2023,
  mspImprov,
  iemocap,
  werewolfXl,
  avcaffe,
  voxceleb2,
  ferplus,
  csvList,
  media,
];

/** @throws Problem when there is none of that name, naming all */
export function corpusNamed(name: string): Corpus {
  const found = corpora.find((corpus) => corpus.name === name);
  if (found) return found;
  throw new Problem(
    'unsupported-file',
    `There is no corpus "${name}"; wanted one of ${corpora.map((corpus) => corpus.name).join(', ')}.`,
  );
}
