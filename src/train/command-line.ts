// The command that made a run, as it is typed.

type OptionValue =
  | string
  | number
  | boolean
  | readonly (string | number)[]
  | Readonly<Record<string, number>>
  | null
  | undefined;

/** Options as a command line; null and undefined are left out, and what only resuming needs. */
export function clipsCommandLine(command: string, options: object): string {
  const left = new Set(['resume', 'dryRun']);
  const parts = (Object.entries(options) as [string, OptionValue][])
    .filter(
      ([key, value]) =>
        !left.has(key) && value !== undefined && value !== null && value !== Infinity && value !== false,
    )
    .flatMap(([key, value]): string[] => {
      const option = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      if (typeof value !== 'object') return value === true ? [option] : [option, String(value)];
      if (value === null) return [];
      if (!(value instanceof Array)) {
        const pairs = Object.entries(value).map(([name, weight]) => `${name}=${String(weight)}`);
        return [option, pairs.join()];
      }
      return value.length === 0 ? [] : [option, key === 'data' ? value.join(' ') : value.join()];
    });
  return ['npm run train --', command, ...parts].join(' ');
}
