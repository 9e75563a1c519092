// What a measurement leaves behind: tables on the terminal, JSON, and, in a folder of documents, charts and one page.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawFigure } from './charts.ts';
import type { Figure } from './charts.ts';
import type { Facts } from './machine.ts';
import type { Spread } from './statistics.ts';

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the numbers are and are not. */
  readonly notes: readonly string[];
}

export type CommandName = 'inference' | 'training' | 'startup' | 'scaling' | 'gpu';

/** One command's outcome. */
export interface Report {
  readonly command: CommandName;
  readonly facts: Facts;
  readonly tables: readonly Table[];
  readonly figure: Figure;
  /** The numbers behind the tables. */
  readonly data: unknown;
}

/** Milliseconds: whole ones, but for small ones. */
export function milliseconds(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2);
}

/** `min / median / max`. */
export function spreadText(spread: Spread | null | undefined): string {
  if (!spread) return '-';
  const { min, median, max } = spread;
  return `${milliseconds(min)} / ${milliseconds(median)} / ${milliseconds(max)}`;
}

export function ratioText(ratio: number | null): string {
  return ratio === null ? '-' : ratio.toFixed(2);
}

export function megabytes(bytes: number | null): string {
  return bytes === null ? '-' : `${(bytes / 1e6).toFixed(0)} MB`;
}

/** For a terminal: the first column to the left, the others to the right. */
export function plainTable({ title, columns, rows, notes }: Table): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)));
  const lineOf = (row: readonly string[]): string =>
    widths
      .map((wide, i) => (i === 0 ? (row[i] ?? '').padEnd(wide) : (row[i] ?? '').padStart(wide)))
      .join('  ')
      .trimEnd();
  return [title, ...all.map(lineOf), ...notes.map((note) => `  ${note}`)].join('\n');
}

/** For a document. */
export function markdownTable({ title, columns, rows, notes }: Table): string {
  const lineOf = (row: readonly string[]): string =>
    `| ${row.map((cell) => cell.replace(/\|/g, '\\|')).join(' | ')} |`;
  const rule = `| ${columns.map((_, i) => (i === 0 ? '---' : '--:')).join(' | ')} |`;
  const list = notes.map((note) => `- ${note}`);
  return [
    `### ${title}`,
    '',
    lineOf(columns),
    rule,
    ...rows.map(lineOf),
    '',
    ...list,
    ...(list.length > 0 ? [''] : []),
  ].join('\n');
}

/** One command's part of docs/bench.md. */
function section({ command, facts, tables, figure }: Report, commandLine: string): string {
  const machine = facts.map(([name, value]) => `${name}: ${value}`).join('; ');
  return [
    `## ${figure.title}`,
    '',
    `\`${commandLine}\``,
    '',
    `${machine}.`,
    '',
    `![${figure.title}](bench-${command}.svg)`,
    '',
    ...tables.map(markdownTable),
  ].join('\n');
}

const order: readonly CommandName[] = ['inference', 'gpu', 'training', 'scaling', 'startup'];
const opening = [
  '# Measurements',
  '',
  'Written by `npm run bench`; each part says its command and machine. Times are milliseconds, `min / median / max` of',
  'rounds in which the contenders took turns; a ratio is median against median, below 1 where ours takes less time.',
].join('\n');

/** The page with one part replaced. @param page its present text, '' for none */
export function replaceSection(page: string, command: CommandName, text: string): string {
  const parts = new Map<string, string>();
  for (const match of page.matchAll(/<!-- (\w+) -->\n([\s\S]*?)<!-- end -->/g)) {
    parts.set(match[1] ?? '', (match[2] ?? '').trim());
  }
  parts.set(command, text.trim());
  const kept = order.flatMap((name) => {
    const part = parts.get(name);
    return part === undefined ? [] : [`<!-- ${name} -->\n\n${part}\n\n<!-- end -->`];
  });
  return `${[opening, ...kept].join('\n\n')}\n`;
}

/** Writes the chart and this command's part of the page. @returns the files written */
export function writeDocs(report: Report, commandLine: string, folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const chart = join(folder, `bench-${report.command}.svg`);
  writeFileSync(chart, drawFigure(report.figure));
  const page = join(folder, 'bench.md');
  const present = existsSync(page) ? readFileSync(page, 'utf8') : '';
  writeFileSync(page, replaceSection(present, report.command, section(report, commandLine)));
  return [chart, page];
}
