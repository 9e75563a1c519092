// How command lines are read: numbers with a range, and errors that say what was wanted.
import { InvalidArgumentError, Option } from 'commander';

/** A parser of numbers for commander. */
export function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least || value > most) {
      throw new InvalidArgumentError(`Wanted a number from ${String(least)} to ${String(most)}.`);
    }
    return value;
  };
}

/** A parser of whole numbers. */
export function whole(least: number, most: number): (text: string) => number {
  const parse = number(least, most);
  return (text) => {
    const value = parse(text);
    if (!Number.isInteger(value)) throw new InvalidArgumentError('Wanted a whole number.');
    return value;
  };
}

/** `1,3` or `2-4`. */
export function foldList(text: string): number[] {
  const folds = text.split(',').flatMap((part) => {
    const [, first = '', last = first] = /^([1-9]\d{0,2})(?:-([1-9]\d{0,2}))?$/.exec(part.trim()) ?? [];
    const count = Number(last || first) - Number(first) + 1;
    if (first === '' || count < 1) throw new InvalidArgumentError('Wanted folds such as 1,3 or 2-4.');
    return Array.from({ length: count }, (_, i) => Number(first) + i);
  });
  return [...new Set(folds)];
}

/** How commands that read stills find the faces in them. */
export function alignOption(): Option {
  return new Option(
    '--align <how>',
    "with --faces: align them by the page's detector (needs Chromium), or take the stills as they are",
  )
    .choices(['detect', 'as-is'])
    .default('detect');
}
