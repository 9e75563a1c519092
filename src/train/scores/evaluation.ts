// What `evaluate` finds, as it stands in --json: scores, intervals, calibration and groups of predictions, whatever they
// were made from.
import { bootstrap, bootstrapDefaults, clustersOf } from './bootstrap.ts';
import type { Interval } from './bootstrap.ts';
import { atTemperature, calibrate, fitTemperature, surprisal } from './calibration.ts';
import type { Calibration } from './calibration.ts';
import type { ClassViews } from './class-views.ts';
import { groupScores } from './group-scores.ts';
import type { Grouped, GroupScore } from './group-scores.ts';
import { scoreClassification, scoreRegression } from './metrics.ts';
import type { RegressionScores } from './metrics.ts';
import { weightedClassScores, weightedDimensionScores } from './weighted-scores.ts';

/** A sample that was scored. */
export interface ScoredSample extends Grouped {
  /** Names it in messages and pictures: `crema-d/1001_DFA_ANG_XX`. */
  readonly name: string;
  /** What it was made of, by names that are told apart: itself, or a pair's voice and face. */
  readonly sources: readonly string[];
}

/** Class probabilities of samples, and what is true of them. */
export interface ClassPredictions {
  readonly kind: 'classes';
  readonly labels: readonly string[];
  /** Mean probabilities of the views, calibrated if the model is; one row per sample. */
  readonly rows: readonly (readonly number[])[];
  /** What they were made from. */
  readonly views: ClassViews;
  readonly truth: readonly number[];
  readonly samples: readonly ScoredSample[];
}

/** Continuous outputs of samples, and what is true of them. */
export interface DimensionPredictions {
  readonly kind: 'dimensions';
  readonly labels: readonly string[];
  /** Mean outputs of the views; one row per sample. */
  readonly rows: readonly (readonly number[])[];
  readonly truth: readonly (readonly number[])[];
  readonly samples: readonly ScoredSample[];
}

export type Predictions = ClassPredictions | DimensionPredictions;

/** What every evaluation tells of how it came about. */
export interface EvaluationContext {
  readonly model: string;
  readonly task: 'faces' | 'voices' | 'pairs' | 'shards';
  /** Rows, clips or samples left out, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Faces in which the detector found none: scored as they are. Null: none was asked, or it is not known. */
  readonly undetectedFaces: number | null;
  /** How the score came about, in words. */
  readonly protocol: string;
  readonly data: Readonly<Record<string, string | number | null>>;
}

/** How the intervals came about. */
export interface IntervalMethod {
  readonly confidence: number;
  readonly resamples: number;
  readonly seed: number;
  /** What was drawn: people where the corpus names them, else samples. */
  readonly by: 'identity' | 'sample';
  /** How many of them there are. */
  readonly clusters: number;
}

interface Common extends EvaluationContext {
  /** Samples. */
  readonly n: number;
  /** By the score's name; null: too little data for one. */
  readonly intervals: Readonly<Record<string, Interval | null>>;
  readonly intervalMethod: IntervalMethod;
  readonly groups: readonly GroupScore[];
}

/** A temperature fitted on held-out samples, and the calibration of the scored ones with it. */
export interface FittedTemperature {
  readonly temperature: number;
  /** What it was fitted on, in words, and how many samples that are. */
  readonly on: string;
  readonly n: number;
  readonly after: Calibration;
}

export interface ClassEvaluation extends Common {
  readonly kind: 'classes';
  /** Accuracy, 0..1. */
  readonly war: number;
  /** Mean of the recalls that exist, 0..1. */
  readonly uar: number;
  readonly macroF1: number;
  readonly weightedF1: number;
  readonly top2: number;
  readonly top3: number;
  /** null: the data has no sample of this label, and it is left out of the means. */
  readonly recall: Readonly<Record<string, number | null>>;
  /** null: nothing was read as this label. */
  readonly precision: Readonly<Record<string, number | null>>;
  readonly f1: Readonly<Record<string, number | null>>;
  /** Rows are true labels, columns what was read. */
  readonly confusion: { readonly labels: readonly string[]; readonly rows: readonly (readonly number[])[] };
  /** Labels that the data lacks. */
  readonly missingLabels: readonly string[];
  readonly calibration: Calibration & { readonly fitted: FittedTemperature | null };
}

export interface DimensionEvaluation extends Common {
  readonly kind: 'dimensions';
  readonly dimensions: readonly string[];
  /** The official code's scores: per dimension, in the order of `dimensions`, and their mean. */
  readonly scores: RegressionScores;
}

/** What `--json` holds. */
export type Evaluation = ClassEvaluation | DimensionEvaluation;

/** Held-out predictions that a temperature is fitted on, and where they are from. */
export interface CalibrationSource {
  readonly predictions: ClassPredictions;
  readonly on: string;
}

const pickNumbers = <T>(list: readonly T[], chosen: readonly number[]): T[] => chosen.map((i) => list[i]!);

function intervalsOf(
  samples: readonly ScoredSample[],
  weighted: { readonly names: readonly string[]; readonly of: (weights: Float64Array) => Float64Array },
): Pick<Common, 'intervals' | 'intervalMethod'> {
  const clusters = clustersOf(samples.map((sample) => sample.identity));
  const intervals = bootstrap(clusters, weighted.of);
  return {
    intervals: Object.fromEntries(weighted.names.map((name, k) => [name, intervals[k] ?? null])),
    intervalMethod: { ...bootstrapDefaults, by: clusters.by, clusters: clusters.count },
  };
}

/** Scores, intervals, groups and calibration of class probabilities. */
export function evaluateClasses(
  predictions: ClassPredictions,
  context: EvaluationContext,
  source: CalibrationSource | null = null,
): ClassEvaluation {
  const { labels, rows, truth, samples } = predictions;
  const { recall, precision, f1, confusion, ...scores } = scoreClassification(rows, truth, labels.length);
  const byLabel = (values: readonly (number | null)[]): Record<string, number | null> =>
    Object.fromEntries(labels.map((label, c) => [label, values[c] ?? null]));
  let fitted: FittedTemperature | null = null;
  if (source) {
    const temperature = fitTemperature(source.predictions.rows, source.predictions.truth);
    const after = calibrate(
      rows.map((row) => atTemperature(row, temperature)),
      truth,
    );
    fitted = { temperature, on: source.on, n: source.predictions.truth.length, after };
  }
  return {
    ...context,
    kind: 'classes',
    n: scores.n,
    war: scores.war,
    uar: scores.uar,
    macroF1: scores.macroF1,
    weightedF1: scores.weightedF1,
    top2: scores.top2,
    top3: scores.top3,
    recall: byLabel(recall),
    precision: byLabel(precision),
    f1: byLabel(f1),
    confusion: { labels: [...labels], rows: confusion },
    missingLabels: labels.filter((_, c) => recall[c] === null),
    calibration: { ...calibrate(rows, truth), fitted },
    ...intervalsOf(samples, weightedClassScores(rows, truth, labels)),
    groups: groupScores(
      samples,
      (chosen) => weightedClassScores(pickNumbers(rows, chosen), pickNumbers(truth, chosen), labels),
      ['war', 'uar'],
    ),
  };
}

/** Scores, intervals and groups of continuous outputs; at least two samples. */
export function evaluateDimensions(
  predictions: DimensionPredictions,
  context: EvaluationContext,
): DimensionEvaluation {
  const { labels, rows, truth, samples } = predictions;
  return {
    ...context,
    kind: 'dimensions',
    n: rows.length,
    dimensions: [...labels],
    scores: scoreRegression(rows, truth),
    ...intervalsOf(samples, weightedDimensionScores(rows, truth, labels)),
    groups: groupScores(
      samples,
      (chosen) => weightedDimensionScores(pickNumbers(rows, chosen), pickNumbers(truth, chosen), labels),
      ['ccc', 'pcc', 'mse'],
    ),
  };
}

/** How wrong each sample is: nats of the true label for classes, the mean absolute error for dimensions. */
export function errorsOf(predictions: Predictions): number[] {
  if (predictions.kind === 'classes') {
    return predictions.rows.map((row, i) => surprisal(row, predictions.truth[i] ?? 0));
  }
  return predictions.rows.map((row, i) => {
    const actual = predictions.truth[i] ?? [];
    return row.reduce((sum, value, d) => sum + Math.abs(value - (actual[d] ?? 0)), 0) / row.length;
  });
}
