// Label tables: comma-separated text with a header line; cells may be quoted.
import { readFileSync } from 'node:fs';
import { Problem } from '../base/errors.ts';

/** A table's rows as records by column name; missing trailing cells are ''. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, string>>[];
}

function splitLine(line: string): string[] {
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
    else if (c === ',') {
      cells.push(cell);
      cell = '';
    } else cell += c;
  }
  cells.push(cell);
  return cells.map((value) => value.trim());
}

/** Parses a table; lines end in LF or CRLF, empty lines are skipped, a byte-order mark is dropped. */
function parseCsv(text: string): Table {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
  const columns = splitLine(lines[0] ?? '');
  const rows = lines.slice(1).map((line) => {
    const cells = splitLine(line);
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']));
  });
  return { columns, rows };
}

/** Reads a table and checks that the columns needed are there. */
export function readCsv(path: string, needed: readonly string[]): Table {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Problem('unsupported-file', `Cannot read the label table ${path}: ${String(error)}`, {
      cause: error,
    });
  }
  const table = parseCsv(text);
  const missing = needed.filter((column) => !table.columns.includes(column));
  if (missing.length > 0) {
    throw new Problem(
      'unsupported-file',
      `${path} has the columns ${table.columns.join(', ')}; it lacks ${missing.join(', ')}. Its first line must name them.`,
    );
  }
  return table;
}
