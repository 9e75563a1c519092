import { expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { bootstrap, clustersOf, quantile } from './bootstrap.ts';
import { atTemperature, binOf, calibrate, fitTemperature } from './calibration.ts';
import { errorsOf, evaluateClasses, evaluateDimensions } from './evaluation.ts';
import type { ClassPredictions, EvaluationContext } from './evaluation.ts';
import { groupScores } from './group-scores.ts';
import { scoreClassification, scoreRegression, softmax } from './metrics.ts';
import { weightedClassScores, weightedDimensionScores } from './weighted-scores.ts';

const labels = ['a', 'b', 'c'];
/** Six samples: a a a b b read a a b b c; label c is true once and read as a. */
const truth = [0, 0, 0, 1, 1, 2];
const rows = [
  [0.8, 0.1, 0.1],
  [0.5, 0.3, 0.2],
  [0.3, 0.6, 0.1],
  [0.2, 0.7, 0.1],
  [0.25, 0.3, 0.45],
  [0.5, 0.1, 0.4],
];

const context: EvaluationContext = {
  model: 'm',
  task: 'shards',
  dropped: {},
  undetectedFaces: null,
  protocol: 'p',
  data: {},
};

/** Classes and probabilities that a model of a known temperature would give. */
function drawn(count: number, temperature: number, seed: number): { rows: number[][]; truth: number[] } {
  const stream = random(seed);
  const rows: number[][] = [];
  const truth: number[] = [];
  for (let i = 0; i < count; i++) {
    const logits = labels.map(() => 2 * stream.normal());
    const p = softmax(logits);
    const at = stream.uniform();
    truth.push(at < p[0]! ? 0 : at < p[0]! + p[1]! ? 1 : 2);
    rows.push(softmax(logits.map((z) => z * temperature)));
  }
  return { rows, truth };
}

it('counts what was read', () => {
  const scores = scoreClassification(rows, truth, 3);
  expect(scores.confusion).toEqual([
    [2, 1, 0],
    [0, 1, 1],
    [1, 0, 0],
  ]);
  expect(scores.recall).toEqual([2 / 3, 1 / 2, 0]);
  expect(scores.precision).toEqual([2 / 3, 1 / 2, 0]);
  expect(scores.uar).toBeCloseTo((2 / 3 + 1 / 2) / 3, 12);
  expect(scores.macroF1).toBeCloseTo((2 / 3 + 1 / 2) / 3, 12);
  expect(scores.weightedF1).toBeCloseTo((3 * (2 / 3) + 2 * (1 / 2)) / 6, 12);
  expect(scores.war).toBe(0.5);
  expect(scores.top2).toBeCloseTo(1, 12);
  // A label without a sample has no recall; one that is never read has no precision.
  const without = scoreClassification(rows.slice(0, 3), [0, 0, 0], 3);
  expect(without.recall).toEqual([2 / 3, null, null]);
  expect(without.f1).toEqual([0.8, null, null]);
  expect(without.precision).toEqual([1, 0, null]);
  expect(without.macroF1).toBe(0.8);
});

it('weighs samples as repeating them would', () => {
  const weights = Float64Array.from([2, 0, 1, 3, 1, 1]);
  const repeated = truth.flatMap((_, i) => new Array<number>(weights[i]!).fill(i));
  const chosenRows = repeated.map((i) => rows[i]!);
  const chosenTruth = repeated.map((i) => truth[i]!);
  const { names, of } = weightedClassScores(rows, truth, labels);
  const got = Object.fromEntries(names.map((name, k) => [name, of(weights)[k]!]));
  const wanted = scoreClassification(chosenRows, chosenTruth, 3);
  for (const name of ['war', 'uar', 'macroF1', 'weightedF1', 'top2', 'top3'] as const)
    expect(got[name]).toBeCloseTo(wanted[name], 12);
  labels.forEach((label, c) => {
    expect(got[`recall ${label}`]).toBeCloseTo(wanted.recall[c]!, 12);
    expect(got[`precision ${label}`]).toBeCloseTo(wanted.precision[c]!, 12);
  });
  const calibration = calibrate(chosenRows, chosenTruth);
  expect(got['ece']).toBeCloseTo(calibration.ece, 12);
  expect(got['nll']).toBeCloseTo(calibration.nll, 12);

  const actual = [[1, 5], [2, 3], [4, 4], [3, 1], [5, 2], [2, 2]]; // prettier-ignore
  const outputs = [[1.5, 4], [2, 2.5], [3, 4.5], [3, 2], [4, 3], [1, 2]]; // prettier-ignore
  const weighted = weightedDimensionScores(outputs, actual, ['valence', 'arousal']);
  const values = weighted.of(weights);
  const regression = scoreRegression(
    repeated.map((i) => outputs[i]!),
    repeated.map((i) => actual[i]!),
  );
  for (const name of ['ccc', 'pcc', 'mse', 'mae'] as const) {
    expect(values[weighted.names.indexOf(name)]).toBeCloseTo(regression[name].mean, 12);
    expect(values[weighted.names.indexOf(`${name} arousal`)]).toBeCloseTo(
      regression[name].perDimension[1]!,
      12,
    );
  }
});

it('bins as Guo et al. do and measures the gap', () => {
  expect([0.01, 1 / 15, 0.0667, 1].map((value) => binOf(value))).toEqual([0, 0, 1, 14]);
  const { ece, nll, bins } = calibrate(
    [
      [0.95, 0.05],
      [0.95, 0.05],
      [0.3, 0.7],
    ],
    [0, 1, 1],
  );
  expect(ece).toBeCloseTo((2 * Math.abs(0.5 - 0.95) + Math.abs(1 - 0.7)) / 3, 12);
  expect(nll).toBeCloseTo(-(Math.log(0.95) + Math.log(0.05) + Math.log(0.7)) / 3, 12);
  expect(bins.reduce((sum, bin) => sum + bin.n, 0)).toBe(3);
  expect(bins[14]).toMatchObject({ n: 2, accuracy: 0.5 });
  expect(bins[0]?.accuracy).toBeNull();
});

it('finds the temperature that made probabilities too sure', () => {
  const sure = drawn(6000, 2.5, 3);
  const temperature = fitTemperature(sure.rows, sure.truth);
  expect(temperature).toBeGreaterThan(2.3);
  expect(temperature).toBeLessThan(2.7);
  const cooled = sure.rows.map((row) => atTemperature(row, temperature));
  expect(calibrate(cooled, sure.truth).ece).toBeLessThan(0.02);
  expect(calibrate(sure.rows, sure.truth).ece).toBeGreaterThan(0.08);
  // The minimum: a little to either side is worse.
  const nll = (t: number): number =>
    calibrate(
      sure.rows.map((row) => atTemperature(row, t)),
      sure.truth,
    ).nll;
  expect(nll(temperature)).toBeLessThan(Math.min(nll(temperature * 1.02), nll(temperature / 1.02)));
  expect(atTemperature([0.2, 0.8], 1)).toEqual([expect.closeTo(0.2, 12), expect.closeTo(0.8, 12)]);
  // Nothing but right answers: as sure as it gets.
  expect(fitTemperature([[0.9, 0.1]], [0])).toBeLessThan(0.06);
});

it('draws people as a whole', () => {
  expect([...clustersOf(['x', 'y', null, 'x', null]).of]).toEqual([0, 1, 2, 0, 3]);
  expect(clustersOf([null, null])).toMatchObject({ count: 2, by: 'sample' });
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);

  // 400 values of 20 people who differ: the interval by person is much wider, and close to the normal one.
  const stream = random(5);
  const people = Array.from({ length: 20 }, () => stream.normal());
  const identities = Array.from({ length: 400 }, (_, i) => String(i % 20));
  const values = identities.map((who) => people[Number(who)]! + 0.1 * stream.normal());
  const mean = (weights: Float64Array): number[] => {
    let sum = 0;
    let n = 0;
    weights.forEach((weight, i) => {
      sum += weight * values[i]!;
      n += weight;
    });
    return [sum / n, NaN];
  };
  const [byPerson, none] = bootstrap(clustersOf(identities), mean);
  const [bySample] = bootstrap(clustersOf(identities.map(() => null)), mean);
  const width = (interval: { low: number; high: number } | null | undefined): number =>
    interval ? interval.high - interval.low : NaN;
  expect(width(byPerson)).toBeGreaterThan(3 * width(bySample));
  const center = people.reduce((a, b) => a + b, 0) / 20;
  const deviation = Math.sqrt(people.reduce((sum, x) => sum + (x - center) ** 2, 0) / 20 / 20);
  expect(width(byPerson) / (2 * 1.96 * deviation)).toBeCloseTo(1, 0);
  expect(none).toBeNull();
  // The same seed draws the same; one person alone has no interval.
  expect(bootstrap(clustersOf(identities), mean)[0]).toEqual(byPerson);
  expect(bootstrap(clustersOf(identities.map(() => 'x')), mean)[0]).toBeNull();
});

it('tells groups apart, ages by decade', () => {
  const samples = Array.from({ length: 40 }, (_, i) => ({
    identity: String(i % 10),
    groups: i === 0 ? {} : { sex: i % 10 < 5 ? 'female' : 'male', age: String(20 + (i % 10) * 3) },
  }));
  const right = samples.map((_, i) => (i % 10 < 5 ? 0 : i % 2));
  const outputs = samples.map((): number[] => [0.9, 0.1]);
  const scores = groupScores(
    samples,
    (chosen) =>
      weightedClassScores(
        chosen.map((i) => outputs[i]!),
        chosen.map((i) => right[i]!),
        ['p', 'q'],
      ),
    ['war'],
  );
  expect(scores.map(({ group, value, n }) => [group, value, n])).toEqual([
    ['age', '20-29', 15],
    ['age', '30-39', 12],
    ['age', '40-49', 12],
    ['sex', 'female', 19],
    ['sex', 'male', 20],
  ]);
  expect(scores[3]).toMatchObject({
    identities: 5,
    scores: { war: 1 },
    intervals: { war: { low: 1, high: 1 } },
  });
  expect(scores[4]?.scores['war']).toBe(8 / 20);
});

it('puts an evaluation together', () => {
  const scored = drawn(300, 3, 7);
  const held = drawn(300, 3, 8);
  const sampled = (from: typeof scored): ClassPredictions => ({
    kind: 'classes',
    labels,
    ...from,
    views: { outputs: from.rows.map((row) => [row.map(Math.log)]), kinds: from.rows.map(() => 'both') },
    samples: from.truth.map((_, i) => ({
      name: String(i),
      sources: [],
      identity: String(i % 30),
      groups: {},
    })),
  });
  const evaluation = evaluateClasses(sampled(scored), context, { predictions: sampled(held), on: 'others' });
  expect(evaluation.intervalMethod).toMatchObject({ by: 'identity', clusters: 30, resamples: 2000 });
  const { low, high } = evaluation.intervals['uar']!;
  expect(low).toBeLessThan(evaluation.uar);
  expect(high).toBeGreaterThan(evaluation.uar);
  const { fitted } = evaluation.calibration;
  expect(fitted?.on).toBe('others');
  expect(fitted?.after.ece).toBeLessThan(evaluation.calibration.ece);
  expect(fitted?.temperature).toBeCloseTo(fitTemperature(held.rows, held.truth), 12);
  expect(JSON.parse(JSON.stringify(evaluation))).toEqual(evaluation);

  const outputs = {
    kind: 'dimensions' as const,
    labels: ['valence'],
    rows: scored.rows.map((row) => [row[0]!]),
    truth: scored.truth.map((label) => [label === 0 ? 1 : 0]),
    samples: sampled(scored).samples,
  };
  const continuous = evaluateDimensions(outputs, context);
  expect(continuous.scores.ccc.mean).toBeGreaterThan(continuous.intervals['ccc valence']!.low);
  expect(errorsOf(outputs)[3]).toBeCloseTo(Math.abs(outputs.rows[3]![0]! - outputs.truth[3]![0]!), 12);
});
