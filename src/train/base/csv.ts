// Label tables: comma-separated text with a header line; cells may be quoted.
import { readFileSync } from 'node:fs';
import { Problem } from '../../base/errors.ts';

/** A table's rows as records by column name; missing trailing cells are ''. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, string>>[];
}

/** The cells of one line, trimmed; a quoted cell may hold the separator. Runs of the separator ' ' count as one. */
export function splitLine(line: string, separator = ','): string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const c = line.charAt(i);
    if (quoted) {
      if (c !== '"') cell += c;
      else if (line.charAt(i + 1) === '"') cell += line.charAt(i++);
      else quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === separator) {
      if (separator !== ' ' || cell !== '') cells.push(cell);
      cell = '';
    } else cell += c;
  }
  if (separator !== ' ' || cell !== '') cells.push(cell);
  return cells.map((value) => value.trim());
}

/** The lines of a text that are not empty; they end in LF or CRLF, a byte-order mark is dropped. */
export function linesOf(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
}

/** Parses a table whose first line names the columns. */
function parseCsv(text: string): Table {
  const lines = linesOf(text);
  const columns = splitLine(lines[0] ?? '');
  const rows = lines.slice(1).map((line) => {
    const cells = splitLine(line);
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']));
  });
  return { columns, rows };
}

/** Reads a label file whole. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Problem('unsupported-file', `Cannot read the label table ${path}: ${String(error)}`, {
      cause: error,
    });
  }
}

/** Reads a table and checks that the columns needed are there. */
export function readCsv(path: string, needed: readonly string[]): Table {
  const table = parseCsv(readText(path));
  const missing = needed.filter((column) => !table.columns.includes(column));
  if (missing.length > 0) {
    throw new Problem(
      'unsupported-file',
      `${path} has the columns ${table.columns.join(', ')}; it lacks ${missing.join(', ')}. Its first line must name them.`,
    );
  }
  return table;
}
