// What a run's folder holds: its state, how far it is, its last and best scores, its curves.
import { closeSync, existsSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Problem } from '../../base/errors.ts';
import { writeWhole } from '../base/cache.ts';
import { checkpointPath } from '../trainer/checkpoint.ts';
import { optionName } from '../recipe/command-line.ts';
import { readCurves, sparkline } from '../trainer/run-curves.ts';
import type { Curve, RunCurves } from '../trainer/run-curves.ts';

/** The header of a checkpoint, of whatever version. */
export type Header = Readonly<Record<string, unknown>>;

export interface RunInfo {
  readonly kind: 'run';
  readonly path: string;
  /** Of all files in the folder. */
  readonly bytes: number;
  /** What the checkpoint says of the run; null: none is written yet. */
  readonly checkpoint: Header | null;
  /** Steps in the log; the checkpoint's may be fewer. */
  readonly steps: number;
  readonly plannedSteps: number | null;
  readonly minutes: number | null;
  readonly sessions: number;
  readonly begun: string | null;
  readonly ended: string | null;
  /** The last measured values by name. */
  readonly last: Readonly<Record<string, number>>;
  readonly validation: Readonly<Record<string, number>>;
  /** Greatest value of each validation score and the step it was read at. */
  readonly best: Readonly<Record<string, { readonly value: number; readonly step: number }>>;
}

const isHeader = (value: unknown): value is Header => typeof value === 'object' && value !== null;

/** A checkpoint's header alone: its arrays may be gigabytes. @throws Problem when there is none */
export function readHeader(path: string): Header {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(4);
    readSync(file, start, 0, 4, 0);
    const length = start.readUInt32LE();
    if (length < 2 || length > Math.min(statSync(path).size, 2 ** 28))
      throw new Error('its header has no length');
    const text = Buffer.alloc(length);
    readSync(file, text, 0, length, 4);
    const header: unknown = JSON.parse(text.toString('utf8'));
    if (!isHeader(header)) throw new Error('its header is no object');
    return header;
  } catch (error) {
    throw new Problem(
      'unsupported-file',
      `${path} has no readable header (${error instanceof Error ? error.message : String(error)}); wanted a run's checkpoint.`,
      { cause: error },
    );
  } finally {
    closeSync(file);
  }
}

/** Bytes of all files in a folder and below it. */
export function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce((sum, name) => {
    // A file may go while a run writes.
    const found = statSync(join(folder, name), { throwIfNoEntry: false });
    return sum + (found?.isFile() === true ? found.size : 0);
  }, 0);
}

const lastOf = (curves: readonly Curve[]): Record<string, number> =>
  Object.fromEntries(
    curves.flatMap(({ name, values }) => (values.length > 0 ? [[name, values.at(-1)!]] : [])),
  );

/** What a run's folder holds, and its curves. */
export function runInfo(path: string): { info: RunInfo; curves: RunCurves } {
  const checkpoint = existsSync(checkpointPath(path)) ? readHeader(checkpointPath(path)) : null;
  const curves = readCurves(path) ?? {
    steps: [],
    validation: [],
    sessions: 0,
    last: null,
    plannedSteps: null,
    begun: null,
    ended: null,
    badLines: 0,
  };
  const minutes = curves.last?.['minutes'] ?? checkpoint?.['minutes'];
  const info: RunInfo = {
    kind: 'run',
    path,
    bytes: folderBytes(path),
    checkpoint,
    steps: Number(curves.last?.['step'] ?? checkpoint?.['step'] ?? 0),
    plannedSteps: curves.plannedSteps,
    minutes: typeof minutes === 'number' ? minutes : null,
    sessions: curves.sessions,
    begun: curves.begun,
    ended: curves.ended,
    last: lastOf(curves.steps),
    validation: lastOf(curves.validation),
    best: Object.fromEntries(
      curves.validation.map(({ name, steps, values }) => {
        const value = Math.max(...values);
        return [name, { value, step: steps[values.indexOf(value)] ?? 0 }];
      }),
    ),
  };
  return { info, curves };
}

/** A number as short as it may be told. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(2);
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** The run's facts, texts by name, for both the terminal and the page. */
export function runFacts(info: RunInfo): Record<string, string> {
  const { checkpoint, plannedSteps, minutes, sessions, begun, ended } = info;
  const facts: Record<string, string> = {};
  const model = checkpoint?.['model'];
  const config = isHeader(model) ? model['config'] : checkpoint?.['config'];
  if (isHeader(model)) {
    facts['trains'] = textOf(model['kind']);
    if (Array.isArray(model['labels'])) facts[textOf(model['outputs'])] = model['labels'].join(', ');
  }
  facts['steps'] = `${String(info.steps)}${plannedSteps === null ? '' : ` of ${String(plannedSteps)}`}`;
  if (checkpoint) facts['checkpoint'] = `step ${textOf(checkpoint['step'])}`;
  if (minutes !== null)
    facts['time'] = `${minutes.toFixed(1)} minutes of training, ${String(sessions)} session(s)`;
  if (begun !== null) facts['begun'] = begun;
  if (ended !== null) facts['last line'] = ended;
  if (isHeader(config)) facts['config'] = JSON.stringify(config);
  for (const key of ['options', 'provenance'] as const) {
    const entries = checkpoint?.[key];
    if (!isHeader(entries)) continue;
    for (const [name, value] of Object.entries(entries)) {
      // The scores stand below, from the log.
      if (value !== null && name !== 'validation')
        facts[key === 'options' ? optionName(name) : name] = textOf(value);
    }
  }
  return facts;
}

/** Prints a run, and draws its curves into the terminal. */
export function printRun(info: RunInfo, curves: RunCurves, say: (line: string) => void): void {
  for (const [key, value] of Object.entries(runFacts(info))) say(`${key.padEnd(20)} ${value}`);
  const all = [
    ...curves.steps,
    ...curves.validation.map((curve) => ({ ...curve, name: `valid ${curve.name}` })),
  ];
  if (all.length === 0) say('No step in its log yet.');
  for (const { name, values } of all) {
    if (values.length === 0) continue;
    const first = short(values[0]!);
    const least = short(Math.min(...values));
    const most = short(Math.max(...values));
    say(
      `${name.padEnd(20)} ${sparkline(values, 48).padEnd(48)} ${first} → ${short(values.at(-1)!)}  (${least} to ${most})`,
    );
  }
  if (curves.badLines > 0)
    say(`${String(curves.badLines)} line(s) of log.jsonl are cut or damaged, and left out.`);
}

/** Writes the run's curves as a page. @returns its path @throws Problem when the folder cannot be written */
export async function writeCurves(info: RunInfo, curves: RunCurves): Promise<string> {
  // Loaded only here: it brings the chart library along.
  const { curvesReport } = await import('../report/curves-report.ts');
  const path = join(info.path, 'curves.html');
  writeWhole(path, curvesReport(basename(resolve(info.path)), curves, runFacts(info)));
  return path;
}
