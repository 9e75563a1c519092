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

/** How commands that read stills find the faces in them. */
export function alignOption(): Option {
  return new Option(
    '--align <how>',
    "with --faces: align them by the page's detector (needs Chromium), or take the stills as they are",
  )
    .choices(['detect', 'as-is'])
    .default('detect');
}
