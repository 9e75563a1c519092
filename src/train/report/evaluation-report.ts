// `evaluate --html`: one page that shows an evaluation, with what is needed to judge it.
import { leastClusters } from '../scores/bootstrap.ts';
import type { Interval } from '../scores/bootstrap.ts';
import type { ClassEvaluation, DimensionEvaluation, Evaluation, Predictions } from '../scores/evaluation.ts';
import { errorsOf } from '../scores/evaluation.ts';
import { argmax } from '../scores/metrics.ts';
import type { Scorable } from '../scores/scored.ts';
import { details, escapeHtml, factList, figure, htmlPage, section, table } from './page.ts';
import { pictureHtml } from './pictures.ts';
import { confusionChart, reliabilityChart, scatterChart, scoreChart } from './score-charts.ts';

const percent = (value: number | null): string => (value === null ? '–' : (100 * value).toFixed(1));
const decimals = (value: number | null): string => (value === null ? '–' : value.toFixed(3));

function spread(interval: Interval | null | undefined, show: (value: number) => string): string {
  return interval ? `${show(interval.low)} to ${show(interval.high)}` : 'no interval';
}

function headline(entries: readonly (readonly [string, string, string])[]): string {
  const cards = entries.map(
    ([name, value, small]) =>
      `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}<small>${escapeHtml(small)}</small></dd></div>`,
  );
  return `<dl class="scores">${cards.join('')}</dl>`;
}

/** How the intervals came about, in words. */
export function intervalWords({ intervalMethod: how }: Evaluation): string {
  const drawn =
    how.by === 'identity'
      ? `whole people were drawn (${String(how.clusters)}), since one person's samples hang together`
      : 'samples were drawn one by one, since the data names no people: if some show the same person, the intervals are too narrow';
  const few =
    how.by === 'identity' && how.clusters < 10
      ? ' With so few people the intervals are rough, rather too narrow.'
      : '';
  return `Intervals hold ${String(100 * how.confidence)} % of ${how.resamples.toLocaleString('en')} bootstrap resamples (percentiles, seed ${String(how.seed)}); ${drawn}.${few}`;
}

function groupSection(evaluation: Evaluation): string {
  const percentual = evaluation.kind === 'classes';
  const score = percentual ? 'uar' : 'ccc';
  const all = percentual ? evaluation.uar : evaluation.scores.ccc.mean;
  const names = [...new Set(evaluation.groups.map(({ group }) => group))];
  if (names.length === 0) return '';
  const figures = names
    .map((name) => {
      const rows = evaluation.groups.filter(({ group }) => group === name);
      const chart = scoreChart(
        rows.map(({ value, n, scores, intervals }) => ({
          label: `${value} (${String(n)})`,
          value: scores[score] ?? null,
          interval: intervals[score] ?? null,
        })),
        { percent: percentual, reference: all, axis: percentual ? 'UAR, %' : 'CCC' },
      );
      const told = percentual ? ['war', 'uar'] : ['ccc', 'pcc', 'mse'];
      const show = percentual ? percent : decimals;
      const numbers = table(
        [name, 'samples', 'people', ...told.flatMap((key) => [key.toUpperCase(), 'interval'])],
        rows.map((row) => [
          row.value,
          String(row.n),
          row.identities === null ? '–' : String(row.identities),
          ...told.flatMap((key) => [show(row.scores[key] ?? null), spread(row.intervals[key], show)]),
        ]),
      );
      return `<div><h3>${escapeHtml(name)}</h3>${figure(chart, '')}${details('Numbers', numbers)}</div>`;
    })
    .join('');
  const caption = `${percentual ? 'UAR' : 'Mean CCC'} of each group, samples in brackets; the dashed line is the score of all.${percentual ? ' A group may lack labels, and is then scored on those it has.' : ''} Groups of fewer than ${String(leastClusters)} people have no interval.`;
  return section('By group', `<p class="soft">${caption}</p><div class="inner">${figures}</div>`);
}

function classSections(evaluation: ClassEvaluation): string {
  const { confusion, calibration, intervals, recall, precision, f1 } = evaluation;
  const { labels } = confusion;
  const { fitted } = calibration;
  const recallRows = labels.map((label) => ({
    label,
    value: recall[label] ?? null,
    interval: intervals[`recall ${label}`] ?? null,
  }));
  const perClass = table(
    ['label', 'samples', 'recall', 'interval', 'precision', 'interval', 'F1'],
    labels.map((label, c) => [
      label,
      String(confusion.rows[c]?.reduce((a, b) => a + b, 0) ?? 0),
      percent(recall[label] ?? null),
      spread(intervals[`recall ${label}`], percent),
      percent(precision[label] ?? null),
      spread(intervals[`precision ${label}`], percent),
      percent(f1[label] ?? null),
    ]),
  );
  const reliability = reliabilityChart([
    { name: fitted ? 'as read' : 'as read (no temperature)', bins: calibration.bins },
    ...(fitted ? [{ name: `at temperature ${fitted.temperature.toFixed(2)}`, bins: fitted.after.bins }] : []),
  ]);
  const calibrationWords = fitted
    ? `ECE (${String(calibration.bins.length)} bins) ${percent(calibration.ece)} % as read, ${percent(fitted.after.ece)} % at temperature ${fitted.temperature.toFixed(3)}; negative log-likelihood ${decimals(calibration.nll)} and ${decimals(fitted.after.nll)} nats. The temperature was fitted on ${String(fitted.n)} other samples: ${fitted.on}.`
    : `ECE (${String(calibration.bins.length)} bins) ${percent(calibration.ece)} %; negative log-likelihood ${decimals(calibration.nll)} nats. No temperature was fitted: that takes held-out samples (--calibrate-on).`;
  return [
    section(
      'Confusion',
      figure(
        confusionChart(labels, confusion.rows),
        'Rows are true labels; shares of each row in percent, counts below.',
      ) +
        details(
          'Counts',
          table(
            ['true \\ read', ...labels],
            confusion.rows.map((row, c) => [labels[c] ?? '', ...row.map(String)]),
          ),
        ),
    ),
    section(
      'Recall of each label',
      figure(
        scoreChart(recallRows, { percent: true, reference: evaluation.uar, axis: 'recall, %' }),
        'The dashed line is their mean, UAR.',
      ) + details('Recall, precision, F1', perClass),
    ),
    section('Reliability', figure(reliability, calibrationWords)),
  ].join('');
}

function dimensionSections(evaluation: DimensionEvaluation, predictions: Predictions): string {
  const { dimensions, scores, intervals } = evaluation;
  const chart = scoreChart(
    dimensions.map((label, d) => ({
      label,
      value: scores.ccc.perDimension[d] ?? null,
      interval: intervals[`ccc ${label}`] ?? null,
    })),
    { percent: false, reference: scores.ccc.mean, axis: 'CCC' },
  );
  const numbers = table(
    ['dimension', 'CCC', 'interval', 'PCC', 'interval', 'MSE', 'interval', 'RMSE', 'MAE'],
    dimensions.map((label, d) => [
      label,
      ...(['ccc', 'pcc', 'mse'] as const).flatMap((key) => [
        decimals(scores[key].perDimension[d] ?? null),
        spread(intervals[`${key} ${label}`], decimals),
      ]),
      decimals(scores.rmse.perDimension[d] ?? null),
      decimals(scores.mae.perDimension[d] ?? null),
    ]),
  );
  const scatters = dimensions.map((label, d) => {
    const every = Math.max(1, Math.ceil(predictions.rows.length / 1500));
    const points = predictions.rows.flatMap((row, i): [number, number][] => {
      const actual = predictions.truth[i];
      return i % every === 0 && typeof actual === 'object' ? [[actual[d] ?? 0, row[d] ?? 0]] : [];
    });
    const shown = every > 1 ? `Every ${String(every)}th sample is shown.` : 'Every sample is shown.';
    return section(label, figure(scatterChart(label, points), `${shown} On the dashed line both agree.`));
  });
  return [
    section(
      'Concordance of each dimension',
      figure(chart, 'The dashed line is their mean.') + details('Numbers', numbers),
    ),
    ...scatters,
  ].join('');
}

/** The samples that were read worst, with their pictures. */
async function worstErrors(scored: Scorable, predictions: Predictions, most: number): Promise<string> {
  const errors = errorsOf(predictions);
  const wrong = Array.from(errors.keys()).filter(
    (i) => predictions.kind === 'dimensions' || argmax(predictions.rows[i] ?? []) !== predictions.truth[i],
  );
  wrong.sort((a, b) => (errors[b] ?? 0) - (errors[a] ?? 0));
  const shown = wrong.slice(0, most);
  if (shown.length === 0) return '';
  const figures: string[] = [];
  for (const i of shown) {
    const row = predictions.rows[i] ?? [];
    const name = predictions.samples[i]?.name ?? '';
    let words: string;
    if (predictions.kind === 'classes') {
      const truth = predictions.truth[i] ?? 0;
      const read = argmax(row);
      const of = (label: number): string =>
        `<b>${escapeHtml(predictions.labels[label] ?? '')}</b> ${percent(row[label] ?? 0)} %`;
      words = `true: ${of(truth)}<br>read: ${of(read)}`;
    } else {
      const actual = predictions.truth[i] ?? [];
      words = predictions.labels
        .map(
          (label, d) =>
            `<b>${escapeHtml(label)}</b> ${(actual[d] ?? 0).toFixed(2)}, read ${(row[d] ?? 0).toFixed(2)}`,
        )
        .join('<br>');
    }
    figures.push(
      `<figure>${await pictureHtml(await scored.picture(i))}<figcaption>${words}<br><span class="soft">${escapeHtml(name)}</span></figcaption></figure>`,
    );
  }
  const order =
    predictions.kind === 'classes'
      ? 'least probability of the true label first'
      : 'greatest mean absolute error first';
  return section(
    'Worst errors',
    `<p class="soft">${String(shown.length)} of ${String(wrong.length)}, ${order}. The pictures are the data set's: mind its licence before you pass this file on.</p><div class="errors">${figures.join('')}</div>`,
  );
}

function protocolSection(evaluation: Evaluation, command: string): string {
  const dropped = Object.entries(evaluation.dropped).map(
    ([why, count]) => `<li>${String(count)} ${escapeHtml(why)}</li>`,
  );
  const notes = [
    ...(evaluation.undetectedFaces
      ? [
          `No face was detected in ${String(evaluation.undetectedFaces)} of them; they are scored as they are.`,
        ]
      : []),
    ...(evaluation.kind === 'classes' && evaluation.missingLabels.length > 0
      ? [
          `The data has no ${evaluation.missingLabels.join(', ')}: left out of the means; read as one of them, a sample is wrong.`,
        ]
      : []),
  ];
  const data = Object.entries(evaluation.data).filter(([, value]) => value !== null);
  return section(
    'How it was measured',
    `<p>${escapeHtml(evaluation.protocol)}</p><p>${escapeHtml(intervalWords(evaluation))}</p>${notes
      .map((note) => `<p>${escapeHtml(note)}</p>`)
      .join(
        '',
      )}<p>Scored: ${String(evaluation.n)} samples. Left out: ${dropped.length === 0 ? 'none.' : ''}</p>${
      dropped.length > 0 ? `<ul>${dropped.join('')}</ul>` : ''
    }${factList(data.map(([key, value]) => [key, String(value)]))}<p style="margin-top:8px"><code>${escapeHtml(command)}</code></p>`,
  );
}

/**
 * The whole page.
 * @param command as typed
 * @param pictures how many of the worst errors are shown
 */
export async function evaluationReport(
  evaluation: Evaluation,
  scored: Scorable,
  predictions: Predictions,
  command: string,
  pictures: number,
): Promise<string> {
  const { intervals } = evaluation;
  const title = `${evaluation.model} on ${evaluation.task === 'shards' ? String(evaluation.data['corpora'] ?? 'prepared samples') : evaluation.task}`;
  const n = `${String(evaluation.n)} samples`;
  const cards =
    evaluation.kind === 'classes'
      ? headline([
          ['UAR, mean recall', `${percent(evaluation.uar)} %`, spread(intervals['uar'], percent)],
          ['WAR, accuracy', `${percent(evaluation.war)} %`, spread(intervals['war'], percent)],
          ['Macro F1', `${percent(evaluation.macroF1)} %`, spread(intervals['macroF1'], percent)],
          ['Weighted F1', `${percent(evaluation.weightedF1)} %`, spread(intervals['weightedF1'], percent)],
          ['Right among two', `${percent(evaluation.top2)} %`, spread(intervals['top2'], percent)],
          ['ECE', `${percent(evaluation.calibration.ece)} %`, spread(intervals['ece'], percent)],
        ])
      : headline([
          ['CCC, mean', decimals(evaluation.scores.ccc.mean), spread(intervals['ccc'], decimals)],
          ['PCC, mean', decimals(evaluation.scores.pcc.mean), spread(intervals['pcc'], decimals)],
          ['MSE, mean', decimals(evaluation.scores.mse.mean), spread(intervals['mse'], decimals)],
        ]);
  const sections =
    evaluation.kind === 'classes' ? classSections(evaluation) : dimensionSections(evaluation, predictions);
  const body = [
    `<h1>${escapeHtml(title)}</h1><p class="soft">${n}; 95 % intervals below each score</p>`,
    cards,
    `<div class="grid">${sections}</div>`,
    groupSection(evaluation),
    await worstErrors(scored, predictions, pictures),
    protocolSection(evaluation, command),
  ];
  return htmlPage(title, body.join('\n'));
}
