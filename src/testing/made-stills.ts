// Stills laid out as FER+ and voices laid out as CREMA-D, made of patterns and tones, for tests of training and scoring.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { random } from '../base/random.ts';

const tone = fileURLToPath(new URL('./tone.opus', import.meta.url));

/** The folders of both, in `root`: 40 faces to train with and 12 of split valid, and the voices. */
export function writeMadeStills(root: string): { readonly faces: string; readonly voices: string } {
  const [faces, voices] = [join(root, 'faces'), join(root, 'voices')];
  mkdirSync(faces);
  writeMadeFaces(faces, 'train', 40);
  writeMadeFaces(faces, 'valid', 12);
  writeMadeVoices(voices);
  return { faces, voices };
}

/** Faces whose upper half tells the label: votes columns in FER+'s order. */
function writeMadeFaces(folder: string, split: string, count: number): void {
  const stream = random(count);
  const side = 48;
  const pixels = new Uint8Array(count * side * side);
  const lines = ['image,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,not_a_face'];
  for (let i = 0; i < count; i++) {
    const happy = i % 2 === 0;
    for (let p = 0; p < side * side; p++) {
      const upper = p < (side * side) / 2;
      pixels[i * side * side + p] = (upper === happy ? 200 : 60) + stream.integer(40);
    }
    lines.push(`f${String(i)},${happy ? '1,8' : '8,1'},0,0,0,0,0,0,1,0`);
  }
  // One row of each reason to be left out when scoring.
  lines[1] = 'tie,5,5,0,0,0,0,0,0,0,0';
  lines[2] = 'contempt,1,0,0,0,0,0,0,9,0,0';
  const dictionary = `{'descr': '|u1', 'fortran_order': False, 'shape': (${String(count)}, 48, 48), }`;
  const header = Buffer.alloc(128, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(118, 8);
  header.write(dictionary, 10);
  header.write('\n', 127);
  writeFileSync(join(folder, `${split}-images.npy.gz`), gzipSync(Buffer.concat([header, pixels])));
  writeFileSync(join(folder, `${split}-votes.csv`), lines.join('\n'));
}

/** Twelve clips of one tone, each of another actor, in folds 1 and 2; and one of no emotion of ours. */
function writeMadeVoices(folder: string): void {
  mkdirSync(join(folder, 'audio'), { recursive: true });
  const rows = ['clip,actor,sentence,emotion,level,fold,extra'];
  for (let i = 0; i < 12; i++) {
    const emotion = ['HAP', 'NEU', 'SAD'][i % 3] ?? '';
    copyFileSync(tone, join(folder, 'audio', `c${String(i)}.opus`));
    rows.push(`c${String(i)},${String(i)},X,${emotion},XX,${String(1 + (i % 2))},?`);
  }
  rows.push('unused,1,X,BOREDOM,XX,1,');
  writeFileSync(join(folder, 'clips.csv'), rows.join('\n'));
}
