// A run's log as curves: what was measured at each step, for the terminal and for pages.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A measured quantity over steps, ascending. */
export interface Curve {
  readonly name: string;
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** What a log tells. */
export interface RunCurves {
  /** Quantities of the optimizer's steps: losses, learningRate, gradientNorm. */
  readonly steps: readonly Curve[];
  /** Quantities of the looks at held-out samples. */
  readonly validation: readonly Curve[];
  /** How often the run was begun or resumed. */
  readonly sessions: number;
  /** The last line about a step; null: no step was taken. */
  readonly last: Readonly<Record<string, unknown>> | null;
  /** Steps planned; null: the log does not say. */
  readonly plannedSteps: number | null;
  /** ISO 8601; null: the log does not say. */
  readonly begun: string | null;
  readonly ended: string | null;
  /** Lines that are no JSON: a killed run's last one may be cut. */
  readonly badLines: number;
}

/** Numbers of a log line that are no measurement of learning. */
const facts = new Set([
  'step',
  'steps',
  'minutes',
  'leftMinutes',
  'stepMs',
  'prepareMs',
  'computeMs',
  'threads',
  'parameters',
]);

type Lines = Map<string, Map<number, number>>;

function note(into: Lines, step: number, line: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(line)) {
    if (facts.has(name) || typeof value !== 'number') continue;
    const curve = into.get(name) ?? new Map<number, number>();
    into.set(name, curve);
    // A resumed run takes steps again that were not in its checkpoint: the later line counts.
    curve.set(step, value);
  }
}

function curvesOf(lines: Lines): Curve[] {
  return [...lines].map(([name, points]) => {
    const ascending = [...points].sort(([a], [b]) => a - b);
    return { name, steps: ascending.map(([step]) => step), values: ascending.map(([, value]) => value) };
  });
}

/** The curves of a log's text. */
export function parseLog(text: string): RunCurves {
  const steps: Lines = new Map();
  const validation: Lines = new Map();
  let sessions = 0;
  let badLines = 0;
  let last: Readonly<Record<string, unknown>> | null = null;
  let plannedSteps: number | null = null;
  let begun: string | null = null;
  let ended: string | null = null;
  for (const raw of text.split('\n')) {
    if (raw.trim() === '') continue;
    let line: Readonly<Record<string, unknown>>;
    try {
      line = JSON.parse(raw) as Readonly<Record<string, unknown>>;
    } catch {
      badLines++;
      continue;
    }
    const time = typeof line['time'] === 'string' ? line['time'] : null;
    begun ??= time;
    ended = time ?? ended;
    const step = Number(line['step']);
    if (line['event'] === 'start') {
      sessions++;
      if (typeof line['steps'] === 'number') plannedSteps = line['steps'];
    } else if (line['event'] === 'step') {
      note(steps, step, line);
      last = line;
    } else if (line['event'] === 'validation') note(validation, step, line);
  }
  return {
    steps: curvesOf(steps),
    validation: curvesOf(validation),
    sessions,
    last,
    plannedSteps,
    begun,
    ended,
    badLines,
  };
}

/** The curves of a run's folder; null when it has no log. */
export function readCurves(run: string): RunCurves | null {
  try {
    return parseLog(readFileSync(join(run, 'log.jsonl'), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The same curve with at most `count` points: means of equal spans of steps. */
export function thin({ name, steps, values }: Curve, count: number): Curve {
  if (steps.length <= count) return { name, steps, values };
  const mean = (list: readonly number[], from: number, to: number): number =>
    list.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
  const edges = Array.from({ length: count + 1 }, (_, i) => Math.round((i * steps.length) / count));
  const spans = edges.slice(1).map((to, i) => [edges[i]!, to] as const);
  return {
    name,
    steps: spans.map(([from, to]) => mean(steps, from, to)),
    values: spans.map(([from, to]) => mean(values, from, to)),
  };
}

const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** A curve in one line of text, from its least to its greatest value. */
export function sparkline(values: readonly number[], width: number): string {
  const drawn = thin({ name: '', steps: values.map((_, i) => i), values }, width).values;
  const finite = drawn.filter((value) => Number.isFinite(value));
  const least = Math.min(...finite);
  const span = Math.max(...finite) - least;
  return drawn
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      return blocks[span === 0 ? 3 : Math.round(((value - least) / span) * (blocks.length - 1))];
    })
    .join('');
}
