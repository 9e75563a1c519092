// The command that made a run, as it is typed.

type OptionValue =
  | string
  | number
  | boolean
  | readonly (string | number)[]
  | Readonly<Record<string, number>>
  | null
  | undefined;

/** An option's name in code as it is typed: `maskFaces` is `--mask-faces`. */
export function optionName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Flags with a --no- form. */
const negatable = new Set(['mix', 'recompute', 'skips']);

/** Options as a command line; what is unset is left out, and what only resuming needs. */
export function commandLine(command: string, options: object): string {
  const left = new Set(['resume', 'dryRun']);
  const parts = (Object.entries(options) as [string, OptionValue][])
    .filter(([name, value]) => !left.has(name) && value !== Infinity)
    .flatMap(([name, value]): string[] => {
      const option = optionName(name);
      if (value === null || value === undefined) return [];
      if (value === true) return [option];
      if (value === false) return negatable.has(name) ? [option.replace('--', '--no-')] : [];
      if (typeof value !== 'object') return [option, String(value)];
      if (!(value instanceof Array)) {
        const pairs = Object.entries(value).map(([key, weight]) => `${key}=${String(weight)}`);
        return [option, pairs.join()];
      }
      return value.length === 0 ? [] : [option, value.join(name === 'data' ? ' ' : ',')];
    });
  return ['npm run train --', command, ...parts].join(' ');
}
