// The fixtures' own formula: without it no other check means anything.
import {
  asNumbers,
  asRecord,
  asText,
  compareNumber,
  fnv1a32,
  formulaAudio,
  formulaParameter,
  formulaVideo,
  formulaVisible,
  nameHash,
  nameValues,
  worst,
} from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';

/** Where the fixture samples each hash. */
const hashIndices = [0, 1, 2, 1000, 4_000_000];

/** Exact: bit for bit the reference's numbers. */
function exact(name: string, actual: ArrayLike<number>, wanted: readonly number[]): Comparison {
  return compareNumber(name, worst(wanted.map((value, i) => Math.abs((actual[i] ?? NaN) - value))), 0, 0);
}

function run(fixture: unknown): Comparison[] {
  const file = asRecord(fixture, 'the fixture');
  const salt = asText(file['salt'], 'salt');
  const entries = (name: string): [string, unknown][] => Object.entries(asRecord(file[name], name));
  const comparisons = entries('fnv1a32').map(([text, hash]) =>
    exact(`fnv1a32 "${text}"`, [fnv1a32(text)], [Number(hash)]),
  );
  for (const [name, hashes] of entries('hash32'))
    comparisons.push(exact(`hash32 ${name}`, hashIndices.map(nameHash(salt, name)), asNumbers(hashes, name)));
  for (const [name, value] of entries('v')) {
    const wanted = asNumbers(value, name);
    const v = nameValues(salt, name);
    comparisons.push(
      exact(
        `v ${name}`,
        wanted.map((_, i) => v(i)),
        wanted,
      ),
    );
  }
  for (const [key, values] of entries('params')) {
    const [name = '', shape = ''] = key.slice(0, -1).split(' [');
    comparisons.push(
      exact(key, formulaParameter(salt, name, shape.split(',').map(Number)), asNumbers(values, key)),
    );
  }
  const video = 'input.video B=2,T=4,32x32 first 4';
  const audio = 'input.audio B=2,32x32 first 4';
  comparisons.push(exact(video, formulaVideo(salt, [2, 3, 4, 32, 32]), asNumbers(file[video], video)));
  comparisons.push(exact(audio, formulaAudio(salt, [2, 1, 32, 32]), asNumbers(file[audio], audio)));
  for (const [key, name, positions, masked] of [
    ['mask.audio B=2,P=8,n_mask=6 visible', 'mask.audio', 8, 6],
    ['mask.video B=2,P=100,n_mask=90 visible', 'mask.video', 100, 90],
  ] as const) {
    const rows = [0, 1].map((clip) => formulaVisible(salt, name, clip, positions, masked));
    const wanted = Array.isArray(file[key]) ? (file[key] as readonly unknown[]) : [];
    rows.forEach((row, clip) => {
      const label = `${key}, clip ${String(clip)}`;
      comparisons.push(exact(label, row, asNumbers(wanted[clip], label)));
    });
  }
  return comparisons;
}

export const formulaCheck: GoldenCheck = {
  name: 'formula of the fixtures',
  covers: (fileName) => fileName === 'formula_vectors.json',
  run: (fixture) => Promise.resolve(run(fixture)),
};
