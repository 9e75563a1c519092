// The first sheet of an Excel workbook as a table: DFEW's votes come so. Text and numbers alone; no formulas, no zip64.
import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { Problem } from '../../../base/errors.ts';
import type { Table } from '../../base/csv.ts';

const endMark = 0x06054b50;
const entryMark = 0x02014b50;

/** The files of a zip archive whose names are wanted. */
function unzip(bytes: Buffer, wanted: (name: string) => boolean): Map<string, string> {
  let end = bytes.length - 22;
  while (end >= 0 && bytes.readUInt32LE(end) !== endMark) end--;
  if (end < 0) throw new Error('it has no zip directory');
  const found = new Map<string, string>();
  let at = bytes.readUInt32LE(end + 16);
  for (let i = 0; i < bytes.readUInt16LE(end + 10); i++) {
    if (bytes.readUInt32LE(at) !== entryMark) throw new Error('its zip directory is damaged');
    const method = bytes.readUInt16LE(at + 10);
    const packed = bytes.readUInt32LE(at + 20);
    const nameLength = bytes.readUInt16LE(at + 28);
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    if (wanted(name)) {
      const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
      const data = bytes.subarray(start, start + packed);
      if (method !== 0 && method !== 8) throw new Error(`${name} is packed by method ${String(method)}`);
      found.set(name, (method === 8 ? inflateRawSync(data) : data).toString('utf8'));
    }
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return found;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** All text runs of a piece of XML, joined. */
function textIn(xml: string): string {
  return [...xml.matchAll(/<t(?:\s[^>]*)?>([^<]*)<\/t>/g)]
    .map(([, text = '']) =>
      text.replaceAll(/&(#x?[\da-fA-F]+|\w+);/g, (whole, name: string) => {
        if (!name.startsWith('#')) return entities[name] ?? whole;
        return String.fromCodePoint(name[1] === 'x' ? parseInt(name.slice(2), 16) : Number(name.slice(1)));
      }),
    )
    .join('');
}

/** 0 for A, 26 for AA. */
function columnIndex(letters: string): number {
  return Array.from(letters).reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}

/**
 * Reads a workbook's first sheet; its first row names the columns.
 * @throws Problem when the file cannot be read or is no workbook
 */
export function readXlsx(path: string): Table {
  try {
    const files = unzip(readFileSync(path), (name) =>
      /^xl\/(sharedStrings|worksheets\/[^/]+)\.xml$/.test(name),
    );
    const sheet = [...files.keys()].filter((name) => name.includes('worksheets')).sort()[0];
    if (sheet === undefined) throw new Error('it holds no sheet');
    const strings = [...(files.get('xl/sharedStrings.xml') ?? '').matchAll(/<si>(.*?)<\/si>/gs)].map(
      ([, xml = '']) => textIn(xml),
    );
    const rows = [...(files.get(sheet) ?? '').matchAll(/<row[\s>].*?<\/row>/gs)].map(([row]) => {
      const cells: string[] = [];
      for (const [, letters = '', about = '', inside = ''] of row.matchAll(
        /<c r="([A-Z]+)\d+"([^>]*?)(?:\/>|>(.*?)<\/c>)/gs,
      )) {
        const value = /<v>([^<]*)<\/v>/.exec(inside)?.[1] ?? '';
        const shared = about.includes('t="s"');
        cells[columnIndex(letters)] = shared ? (strings[Number(value)] ?? '') : value || textIn(inside);
      }
      return Array.from(cells, (cell?: string) => (cell ?? '').trim());
    });
    const columns = rows[0] ?? [];
    return {
      columns,
      rows: rows
        .slice(1)
        .filter((cells) => cells.some((cell) => cell !== ''))
        .map((cells) => Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']))),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Problem('unsupported-file', `Cannot read the workbook ${path}: ${why}. Wanted an .xlsx file.`, {
      cause: error,
    });
  }
}
