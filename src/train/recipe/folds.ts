// Cross-validation's tests: each fold's last and best weights on the fold that they did not learn from.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../base/cache.ts';
import { checkpointPath } from '../trainer/checkpoint.ts';
import { evaluate } from '../commands/evaluate.ts';
import type { Evaluation } from '../scores/evaluation.ts';
import { exportRun } from '../commands/export.ts';
import type { CommonOptions } from './run-options.ts';

type Which = 'last' | 'best';

/** A fold's test. */
export interface FoldTest {
  readonly fold: number;
  readonly which: Which;
  /** Samples. */
  readonly n: number;
  /** By name: war and uar of classes, ccc and pcc of dimensions. */
  readonly scores: Readonly<Record<string, number>>;
}

function scoresOf(evaluation: Evaluation): FoldTest['scores'] {
  if (evaluation.kind === 'classes') return { war: evaluation.war, uar: evaluation.uar };
  const { ccc, pcc } = evaluation.scores;
  return { ccc: ccc.mean, pcc: pcc.mean };
}

/**
 * Tests a fold's run by the official views, into RUN/model-last and RUN/test-last.json, and likewise its best weights.
 * @param fold held out from the run
 */
export async function testFold(
  run: string,
  fold: number,
  options: CommonOptions,
  say: (line: string) => void,
): Promise<FoldTest[]> {
  const tests: FoldTest[] = [];
  for (const which of ['last', 'best'] as const) {
    if (!existsSync(checkpointPath(run, which))) continue;
    const model = join(run, `model-${which}`);
    // The running average where there is one: it is what was looked at.
    const weights = which === 'best' ? 'best' : 'average';
    await exportRun({ run, out: model, dtype: 'F32', weights }, () => undefined);
    const evaluation = await evaluate(
      {
        model,
        data: options.data,
        fold,
        frameStep: options.frameStep,
        pairs: false,
        json: join(run, `test-${which}.json`),
        seed: options.seed,
        threads: options.threads,
        align: 'detect',
        backend: options.backend,
      },
      () => undefined,
    );
    const test: FoldTest = { fold, which, n: evaluation.n, scores: scoresOf(evaluation) };
    tests.push(test);
    say(`fold ${String(fold)} tested, ${which} weights: n ${String(test.n)}, ${inWords(test.scores)}`);
  }
  return tests;
}

function inWords(scores: FoldTest['scores']): string {
  return Object.entries(scores)
    .map(([name, value]) => `${name.toUpperCase()} ${value.toFixed(4)}`)
    .join(', ');
}

/** Means over folds, to OUT/folds.json and a person. */
export function sayFolds(out: string, tests: readonly FoldTest[], say: (line: string) => void): void {
  const means = Object.fromEntries(
    (['last', 'best'] as const).map((which) => {
      const own = tests.filter((test) => test.which === which);
      const names = Object.keys(own[0]?.scores ?? {});
      const mean = (name: string): number =>
        own.reduce((sum, { scores }) => sum + (scores[name] ?? NaN), 0) / own.length;
      return [which, Object.fromEntries(names.map((name) => [name, mean(name)]))];
    }),
  );
  writeWhole(join(out, 'folds.json'), `${JSON.stringify({ means, tests }, null, 2)}\n`);
  const folds = new Set(tests.map(({ fold }) => fold)).size;
  for (const [which, scores] of Object.entries(means)) {
    const chosen =
      which === 'best' ? ' (chosen on the tested folds themselves, as the official code does)' : '';
    say(`mean of ${String(folds)} folds, ${which} weights: ${inWords(scores)}${chosen}`);
  }
}
