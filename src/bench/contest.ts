// One row of a table: contenders loaded side by side in one page, checked against each other, measured in turn.
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenPage } from './page-host.ts';
import type { ContenderBackend, ContenderKind, RunFigures, Task } from './page/protocol.ts';
import { alternate } from './statistics.ts';
import type { Spread } from './statistics.ts';

/** A contender's measurements, or why there are none. */
export type Result =
  | {
      readonly ok: true;
      readonly detail: string;
      readonly times: Spread;
      readonly wasmBytes: number;
      readonly dispatches: number;
      /** The largest difference of its output to ours. */
      readonly difference: number;
    }
  | { readonly ok: false; readonly reason: string };

export type Results = ReadonlyMap<ContenderKind, Result>;

export interface Contest {
  readonly backend: ContenderBackend;
  readonly threads: number;
  readonly task: Task;
  readonly kinds: readonly ContenderKind[];
  readonly rounds: number;
}

/** Outputs further apart than this are not the same model. */
export const agreement = 1e-3;
/** Stock tfjs, where a run takes this long, takes part in a third of the rounds only. */
const slowMs = 6000;
/** Threads that wait for the next piece of work by spinning stop within this. */
const restMs = 60;

const labels = { ours: 'ours', tfjs: 'stock tfjs', ort: 'onnxruntime-web' } as const;

/** Each contender's color in charts. */
export const colorOf = { ours: 0, ort: 1, tfjs: 2 } as const;

export function labelOf(kind: ContenderKind): string {
  return labels[kind];
}

/**
 * Loads, warms up, compares, measures.
 * @throws Error when outputs disagree: a fast wrong answer is none
 */
export async function contest(page: OpenPage, { kinds, rounds, ...request }: Contest): Promise<Results> {
  const results = new Map<ContenderKind, Result>();
  const details = new Map<ContenderKind, string>();
  const last = new Map<ContenderKind, RunFigures>();
  const turns: { kind: ContenderKind; slow: boolean }[] = [];
  try {
    for (const kind of kinds) {
      try {
        details.set(kind, await page.load(kind, request));
        // The first run compiles; the second tells how slow this contender is.
        const first = await page.run(kind);
        const { ms } = first.ms > 2 * slowMs ? first : await page.run(kind);
        turns.push({ kind, slow: kind === 'tfjs' && ms > slowMs });
      } catch (error) {
        const reason = error instanceof Error ? error.message.replace(/^page\.evaluate: (Error: )?/, '') : '';
        results.set(kind, { ok: false, reason: reason.split('\n')[0] ?? '' });
        if (kind === 'ours') throw error;
      }
    }
    const differences = new Map<ContenderKind, number>();
    for (const { kind } of turns) {
      const difference = await page.compare('ours', kind);
      if (!(difference <= agreement)) {
        throw new Error(
          `${labelOf(kind)} and ours disagree by ${difference.toExponential(1)} (wanted at most ${agreement.toExponential(0)}): one of them computes something else`,
        );
      }
      differences.set(kind, difference);
    }
    const times = await alternate(
      turns.map(({ kind, slow }) => ({
        name: kind,
        rounds: slow ? Math.ceil(rounds / 3) : rounds,
        measure: async () => {
          await sleep(restMs);
          const figures = await page.run(kind);
          last.set(kind, figures);
          return figures.ms;
        },
      })),
    );
    for (const { kind } of turns) {
      const spread = times.get(kind);
      const figures = last.get(kind);
      if (spread === undefined || figures === undefined) continue;
      results.set(kind, {
        ok: true,
        detail: details.get(kind) ?? '',
        times: spread,
        wasmBytes: figures.wasmBytes,
        dispatches: figures.dispatches,
        difference: differences.get(kind) ?? NaN,
      });
    }
    return results;
  } finally {
    for (const kind of kinds) await page.end(kind);
  }
}

/** The spread of a contender, or null when it did not run. */
export function timesOf(results: Results, kind: ContenderKind): Spread | null {
  const result = results.get(kind);
  return result?.ok === true ? result.times : null;
}
