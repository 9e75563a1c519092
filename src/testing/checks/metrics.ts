// Merged views, recalls, F1 and the regression metrics against the official code's.
import {
  argmax,
  meanOfRows,
  scoreClassification,
  scoreRegression,
  softmax,
} from '../../train/scores/metrics.ts';
import type { RegressionScores } from '../../train/scores/metrics.ts';
import { asNumbers, asRecord, asText, compareNumber, nameValues, worst } from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';

/** The fixtures give nine digits. */
const tolerance = 1e-8;
const classCount = 6;
const viewCount = 4;

function rowsOf(value: unknown, what: string): readonly (readonly number[])[] {
  return Array.isArray(value) ? value.map((row, i) => asNumbers(row, `${what}[${String(i)}]`)) : [];
}

function compareRows(
  name: string,
  actual: readonly (readonly number[])[],
  wanted: readonly (readonly number[])[],
): Comparison {
  const errors = wanted.flatMap((row, i) => row.map((value, c) => Math.abs((actual[i]?.[c] ?? NaN) - value)));
  return { tensor: name, error: worst([actual.length - wanted.length, ...errors]), tolerance };
}

/** A class that is only predicted has no recall there (NaN) and none in the means here: then there is nothing to compare. */
function compareScore(name: string, actual: number, wanted: unknown): Comparison[] {
  return typeof wanted === 'number' && Number.isFinite(wanted)
    ? [compareNumber(name, actual, wanted, tolerance)]
    : [];
}

const share = (percent: unknown): number => Number(percent) / 100;

function classification(salt: string, value: unknown): Comparison[] {
  const wanted = asRecord(value, 'classification');
  const labels = asNumbers(wanted['labels'], 'labels');
  const v = nameValues(salt, 'metrics.logits');
  const merged = labels.map((label, i) =>
    meanOfRows(
      Array.from({ length: viewCount }, (_, s) =>
        softmax(
          Array.from({ length: classCount }, (_unused, c) => {
            const bonus = c === label && i % 3 !== 0 ? 2.5 : 0;
            return 3 * v((i * viewCount + s) * classCount + c) + bonus;
          }),
        ),
      ),
    ),
  );
  const scores = scoreClassification(merged, labels, classCount);
  const predictions = asNumbers(wanted['predictions'], 'predictions');
  return [
    compareRows(
      'classification: mean_probabilities',
      merged,
      rowsOf(wanted['mean_probabilities'], 'mean_probabilities'),
    ),
    compareRows('classification: predictions', [merged.map(argmax)], [predictions]),
    compareRows(
      'classification: confusion',
      scores.confusion,
      rowsOf(wanted['confusion_matrix_rows_true'], 'confusion_matrix_rows_true'),
    ),
    ...scores.recall.flatMap((recall, c) =>
      compareScore(
        `classification: recall ${String(c)}`,
        recall ?? NaN,
        Array.isArray(wanted['per_class_recall'])
          ? (wanted['per_class_recall'] as readonly unknown[])[c]
          : undefined,
      ),
    ),
    ...compareScore('classification: UAR', scores.uar, wanted['UAR']),
    ...compareScore('classification: WAR', scores.war, wanted['WAR']),
    ...compareScore('classification: top1_percent', scores.war, share(wanted['top1_percent'])),
    ...compareScore('classification: top5_percent', scores.top5, share(wanted['top5_percent'])),
    ...compareScore('classification: weighted_f1', scores.weightedF1, wanted['weighted_f1']),
    ...compareScore('classification: micro_f1', scores.war, wanted['micro_f1']),
  ];
}

function regression(salt: string, value: unknown): Comparison[] {
  const wanted = asRecord(value, 'regression');
  const truth = rowsOf(wanted['true'], 'true');
  const vPredicted = nameValues(salt, 'metrics.reg.pred');
  const vTrue = nameValues(salt, 'metrics.reg.true');
  const dimensions = truth[0]?.length ?? 0;
  const actual = truth.map((row, i) => row.map((_, c) => vTrue(i * dimensions + c)));
  const merged = actual.map((row, i) =>
    meanOfRows(
      Array.from({ length: viewCount }, (_, s) =>
        row.map((t, c) => 0.5 * vPredicted((i * viewCount + s) * dimensions + c) + 0.6 * t),
      ),
    ),
  );
  const scores = scoreRegression(merged, actual);
  const metrics = asRecord(wanted['metrics'], 'regression.metrics');
  return [
    compareRows('regression: true', actual, truth),
    compareRows(
      'regression: merged_predictions',
      merged,
      rowsOf(wanted['merged_predictions'], 'merged_predictions'),
    ),
    ...(Object.keys(scores) as (keyof RegressionScores)[]).map((name) => {
      const entry = asRecord(metrics[name], `regression.metrics.${name}`);
      const row = [...asNumbers(entry['per_dimension'], `${name}.per_dimension`), Number(entry['mean'])];
      return compareRows(`regression: ${name}`, [[...scores[name].perDimension, scores[name].mean]], [row]);
    }),
  ];
}

export const metricsCheck: GoldenCheck = {
  name: 'metrics',
  covers: (fileName) => fileName === 'metrics.json',
  run: (fixture) => {
    const file = asRecord(fixture, 'the fixture');
    const salt = asText(file['salt'], 'salt');
    return Promise.resolve([
      ...classification(salt, file['classification']),
      ...regression(salt, file['regression']),
    ]);
  },
};
