// RUN/curves.html: a run's losses, learning rate, gradient norm and validation scores.
import { thin } from '../trainer/run-curves.ts';
import type { Curve, RunCurves } from '../trainer/run-curves.ts';
import { axisStyle, color, seriesColor, svgChart } from './chart.ts';
import { escapeHtml, factList, figure, htmlPage, section } from './page.ts';

/** More points than this are no longer told apart. */
const mostPoints = 300;

/** Curves that share a scale, over steps. */
function curveChart(curves: readonly Curve[], label: string): string {
  const values = curves.flatMap((curve) => curve.values).filter((value) => Number.isFinite(value));
  const small = Math.max(...values.map(Math.abs), 0) < 0.01;
  const rows = Math.ceil(curves.length / 3);
  return svgChart(
    {
      legend: {
        show: curves.length > 1,
        top: 0,
        left: 8,
        data: curves.map(({ name }) => name),
        textStyle: { color: color.soft, fontSize: 11 },
        itemHeight: 9,
        itemWidth: 18,
      },
      grid: { left: 56, right: 14, top: curves.length > 1 ? 14 + 18 * rows : 12, bottom: 38 },
      xAxis: {
        ...axisStyle,
        type: 'value',
        min: 0,
        max: Math.max(1, ...curves.map(({ steps }) => steps.at(-1) ?? 1)),
        name: 'step',
        nameLocation: 'middle',
        nameGap: 22,
        splitNumber: 4,
        axisLabel: { ...axisStyle.axisLabel, showMaxLabel: false },
      },
      yAxis: {
        ...axisStyle,
        type: 'value',
        scale: true,
        axisLabel: {
          ...axisStyle.axisLabel,
          formatter: (value: number) =>
            small && value !== 0 ? value.toExponential(1) : String(Number(value.toPrecision(4))),
        },
      },
      series: curves.map((curve, i) => {
        const { steps, values: drawn } = thin(curve, mostPoints);
        const own = seriesColor(i);
        return {
          type: 'line' as const,
          name: curve.name,
          data: steps.map((step, k) => [step, drawn[k] ?? NaN]),
          symbol: steps.length < 40 ? 'circle' : 'none',
          symbolSize: 5,
          lineStyle: {
            color: own,
            width: 1.8,
            type: i < 8 ? ('solid' as const) : ('dashed' as const),
          },
          itemStyle: { color: own },
        };
      }),
    },
    250,
    `${label}: ${curves.map(({ name, values: all }) => `${name} from ${String(all[0])} to ${String(all.at(-1))}`).join('; ')}`,
  );
}

const isShare = (name: string): boolean => /war|uar|f1|ccc|pcc|accuracy/i.test(name);

/** The whole page. @param facts what is known of the run, texts by name */
export function curvesReport(
  name: string,
  curves: RunCurves,
  facts: Readonly<Record<string, string>>,
): string {
  const own = ['learningRate', 'gradientNorm'];
  const losses = curves.steps.filter((curve) => !own.includes(curve.name));
  const one = (wanted: string): Curve[] => curves.steps.filter((curve) => curve.name === wanted);
  const panels: readonly (readonly [string, readonly Curve[]])[] = [
    ['Loss', losses.filter(({ name: of }) => of !== 'contrastive')],
    ['Contrastive loss, unweighted', one('contrastive')],
    ['Validation scores', curves.validation.filter((curve) => isShare(curve.name))],
    ['Validation, others', curves.validation.filter((curve) => !isShare(curve.name))],
    ['Learning rate', one('learningRate')],
    ['Gradient norm', one('gradientNorm')],
  ];
  const drawn = panels
    .filter(([, list]) => list.length > 0)
    .map(([title, list]) => {
      const longest = Math.max(...list.map(({ steps }) => steps.length));
      const caption =
        longest > mostPoints ? `Means of ${String(Math.ceil(longest / mostPoints))} steps or so.` : '';
      return section(title, figure(curveChart(list, title), caption));
    });
  const body = [
    `<h1>${escapeHtml(name)}</h1>`,
    `<div class="grid">${drawn.join('') || '<p>The log holds no step yet.</p>'}</div>`,
    section('The run', factList(Object.entries(facts))),
  ];
  return htmlPage(name, body.join('\n'));
}
