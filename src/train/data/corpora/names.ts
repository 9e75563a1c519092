// What corpora call emotions, persons and ages, by our names.
import { Problem } from '../../../base/errors.ts';

/** Spellings seen in the corpora's label files, lower case; `worried`, `calm` and the like keep their own names. */
const spellings: Readonly<Record<string, string>> = {
  ang: 'angry',
  anger: 'angry',
  dis: 'disgust',
  disgusted: 'disgust',
  fea: 'fear',
  fearful: 'fear',
  hap: 'happy',
  happiness: 'happy',
  joy: 'happy',
  neu: 'neutral',
  neutrality: 'neutral',
  sadness: 'sad',
  sur: 'surprise',
  surprised: 'surprise',
};
const nameOf = new Map(Object.entries(spellings));

/** Our name of an emotion; one that is none of ours stays as it is, in lower case. */
export function emotionNamed(text: string): string {
  const name = text.trim().toLowerCase();
  return nameOf.get(name) ?? name;
}

/** `female`, `male`, or the corpus' own word in lower case; '' when it says nothing. */
export function sexNamed(text: string): string {
  const name = text.trim().toLowerCase();
  if (name === 'f' || name === 'w' || name === 'woman') return 'female';
  if (name === 'm' || name === 'man') return 'male';
  return name;
}

/** The decade of an age in years, `30-39`; '' when it is no age. */
export function ageGroup(text: string): string {
  const years = Number(text);
  if (text.trim() === '' || !Number.isFinite(years) || years <= 0) return '';
  const decade = Math.floor(years / 10) * 10;
  return `${String(decade)}-${String(decade + 9)}`;
}

/** Groups without those that are not known. */
export function known(groups: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).filter(([, value]) => value !== ''));
}

/** A number of a label file; undefined for an empty cell or `NaN`. */
export function numberIn(text: string | undefined): number | undefined {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** The values by dimension that are there; null when none is. */
export function values(
  dimensions: Readonly<Record<string, number | undefined>>,
): Record<string, number> | null {
  const there = Object.entries(dimensions).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return there.length === 0 ? null : Object.fromEntries(there);
}

/** One of the words an option takes. */
export function choice(
  options: Readonly<Record<string, string>>,
  name: string,
  words: readonly string[],
): string {
  const word = options[name] ?? words[0] ?? '';
  if (words.includes(word)) return word;
  throw new Problem('unsupported-file', `--${name} is "${word}"; wanted one of ${words.join(', ')}.`);
}
