// A row of the inference tables: one model, one backend, every contender.
import { contest, labelOf, timesOf } from './contest.ts';
import type { Results } from './contest.ts';
import type { OpenPage } from './page-host.ts';
import type { ContenderBackend, ContenderKind, Task } from './page/protocol.ts';
import { spreadText } from './report.ts';

/** In the order of columns and colors. */
export const kinds: readonly ContenderKind[] = ['ours', 'ort', 'tfjs'];

/** One measured row. */
export interface Row {
  readonly label: string;
  readonly backend: ContenderBackend;
  readonly threads: number;
  readonly results: Results;
  /** GFLOP of one run. */
  readonly gigaflops: number;
}

/** Measures and tells. */
export async function measureRow(
  page: OpenPage,
  rounds: number,
  say: (line: string) => void,
  row: Omit<Row, 'results'> & { readonly task: Task },
): Promise<Row> {
  const { label, backend, threads, task, gigaflops } = row;
  const results = await contest(page, { backend, threads, task, kinds, rounds });
  const words = kinds.map((kind) => `${labelOf(kind)} ${spreadText(timesOf(results, kind))}`).join('; ');
  say(`${label}, ${backend}, ${threadsText(threads)}: ${words}`);
  return { label, backend, threads, results, gigaflops };
}

export function threadsText(threads: number): string {
  return `${threads} thread${threads === 1 ? '' : 's'}`;
}
