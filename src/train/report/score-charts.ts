// The charts of an evaluation: confusion, scores with intervals, reliability.
import type { CustomSeriesOption } from 'echarts/charts';
import type { Interval } from '../scores/bootstrap.ts';
import type { ReliabilityBin } from '../scores/calibration.ts';
import { axisStyle, chartWidth, color, seriesColor, svgChart } from './chart.ts';

/** Labels longer than this are cut on an axis. */
const longest = 13;
const shorten = (label: string): string =>
  label.length > longest ? `${label.slice(0, longest - 1)}…` : label;

/** Confusion as a heat map: each row's shares, and the counts where there is room. */
export function confusionChart(labels: readonly string[], rows: readonly (readonly number[])[]): string {
  const left = 84;
  const cell = (chartWidth - left - 6) / labels.length;
  const height = Math.max(26, Math.min(cell, 46));
  const roomy = cell >= 30;
  const series: CustomSeriesOption = {
    type: 'custom',
    data: rows.flatMap((row, t) => {
      const sum = row.reduce((a, b) => a + b, 0);
      return row.map((count, p) => [p, t, sum === 0 ? NaN : count / sum, count]);
    }),
    encode: { x: 0, y: 1 },
    renderItem: (_, api) => {
      const [x = 0, y = 0] = api.coord([api.value(0), api.value(1)]);
      const share = Number(api.value(2));
      const none = Number.isNaN(share);
      const fill = share > 0.6 ? '#fff' : color.ink;
      const text = (words: string, dy: number, fontSize: number) => ({
        type: 'text' as const,
        style: { text: words, x, y: y + dy, fill, fontSize, align: 'center' as const, verticalAlign: 'middle' as const }, // prettier-ignore
      });
      const percent = none ? '–' : share > 0 && share < 0.005 ? '<1' : String(Math.round(100 * share));
      return {
        type: 'group',
        children: [
          {
            type: 'rect',
            shape: { x: x - cell / 2 + 1, y: y - height / 2 + 1, width: cell - 2, height: height - 2, r: 3 },
            style: { fill: seriesColor(0), opacity: none ? 0 : 0.04 + 0.96 * share },
          },
          text(percent, roomy && !none ? -5 : 0, roomy ? 12 : 10),
          ...(roomy && !none ? [text(String(api.value(3)), 9, 9)] : []),
        ],
      };
    },
  };
  const top = 40;
  return svgChart(
    {
      grid: { left, right: 6, top, bottom: 4 },
      xAxis: {
        ...axisStyle,
        type: 'category',
        position: 'top',
        data: labels.map(shorten),
        name: 'read as, %',
        nameLocation: 'middle',
        nameGap: 24,
        axisLine: { show: false },
        axisLabel: { ...axisStyle.axisLabel, interval: 0, fontSize: roomy ? 10 : 8, rotate: 0 },
      },
      yAxis: {
        ...axisStyle,
        type: 'category',
        inverse: true,
        data: labels.map(shorten),
        axisLine: { show: false },
        axisLabel: { ...axisStyle.axisLabel, interval: 0 },
      },
      series: [series],
    },
    top + 4 + height * labels.length,
    `Confusion matrix: rows are true labels, columns what was read; of ${labels.join(', ')}`,
  );
}

/** A score, its interval, and the words at its left. */
export interface ScoreRow {
  readonly label: string;
  /** null: it has no meaning here. */
  readonly value: number | null;
  readonly interval: Interval | null;
}

/**
 * Scores as dots with whiskers, one below the other.
 * @param percent values are shares, told in percent; else correlations, at most 1
 * @param reference a value of all samples, drawn as an upright line
 */
export function scoreChart(
  rows: readonly ScoreRow[],
  options: { readonly percent: boolean; readonly reference: number | null; readonly axis: string },
): string {
  const factor = options.percent ? 100 : 1;
  const reach = rows.flatMap(({ value, interval }) => [value ?? 0, interval?.low ?? 0]);
  const least = Math.min(0, ...reach) * factor;
  const most = factor;
  const bars: CustomSeriesOption = {
    type: 'custom',
    data: rows.map(({ value, interval }, i) => [
      (value ?? NaN) * factor,
      i,
      (interval?.low ?? NaN) * factor,
      (interval?.high ?? NaN) * factor,
    ]),
    encode: { x: [0, 2, 3], y: 1 },
    renderItem: (_, api) => {
      const value = Number(api.value(0));
      const row = Number(api.value(1));
      const [x = 0, y = 0] = api.coord([value, row]);
      const [low = 0] = api.coord([api.value(2), row]);
      const [high = 0] = api.coord([api.value(3), row]);
      const [end = 0] = api.coord([most, row]);
      const words = Number.isNaN(value) ? 'none' : options.percent ? value.toFixed(1) : value.toFixed(3);
      const line = (x1: number, y1: number, x2: number, y2: number) => ({
        type: 'line' as const,
        shape: { x1, y1, x2, y2 },
        style: { stroke: seriesColor(0), lineWidth: 2 },
      });
      const spread = Number.isNaN(Number(api.value(2)))
        ? []
        : [line(low, y, high, y), line(low, y - 4, low, y + 4), line(high, y - 4, high, y + 4)];
      const dot = Number.isNaN(value)
        ? []
        : [{ type: 'circle' as const, shape: { cx: x, cy: y, r: 4.5 }, style: { fill: seriesColor(0) } }];
      const number = {
        type: 'text' as const,
        style: {
          text: words,
          x: end + 8,
          y,
          fill: color.ink,
          fontSize: 11,
          verticalAlign: 'middle' as const,
        },
      };
      return { type: 'group', children: [...spread, ...dot, number] };
    },
  };
  const mark: CustomSeriesOption = {
    type: 'custom',
    data: options.reference === null ? [] : [[options.reference * factor, 0]],
    encode: { x: 0, y: 1 },
    renderItem: (_, api) => {
      const [x = 0, first = 0] = api.coord([api.value(0), 0]);
      const [, last = 0] = api.coord([api.value(0), rows.length - 1]);
      return {
        type: 'line',
        shape: { x1: x, y1: first - 13, x2: x, y2: last + 13 },
        style: { stroke: color.soft, lineDash: [4, 3], lineWidth: 1 },
      };
    },
  };
  const longestLabel = Math.max(...rows.map(({ label }) => label.length), 4);
  return svgChart(
    {
      grid: { left: Math.min(150, 18 + longestLabel * 6.2), right: 44, top: 6, bottom: 36 },
      xAxis: {
        ...axisStyle,
        type: 'value',
        min: least,
        max: most,
        name: options.axis,
        nameLocation: 'middle',
        nameGap: 22,
      },
      yAxis: {
        ...axisStyle,
        type: 'category',
        inverse: true,
        data: rows.map(({ label }) => label),
        axisLabel: { ...axisStyle.axisLabel, interval: 0 },
        splitLine: { show: false },
      },
      series: [mark, bars],
    },
    42 + 26 * rows.length,
    `${options.axis}: ${rows.map(({ label, value }) => `${label} ${value === null ? 'none' : (value * factor).toFixed(options.percent ? 1 : 3)}`).join(', ')}`,
  );
}

/** One curve of a reliability diagram. */
export interface Reliability {
  readonly name: string;
  readonly bins: readonly ReliabilityBin[];
}

/** Accuracy against confidence, before and after a temperature, and below it how many samples each bin has. */
export function reliabilityChart(curves: readonly Reliability[]): string {
  const points = (bins: readonly ReliabilityBin[]): [number, number][] =>
    bins.flatMap(({ confidence, accuracy }): [number, number][] =>
      confidence === null || accuracy === null ? [] : [[100 * confidence, 100 * accuracy]],
    );
  const total = (bins: readonly ReliabilityBin[]): number =>
    Math.max(
      1,
      bins.reduce((sum, { n }) => sum + n, 0),
    );
  const labels = curves[0]?.bins.map(({ low }) => String(Math.round(100 * low))) ?? [];
  const line = { type: 'line' as const, xAxisIndex: 0, yAxisIndex: 0 };
  const names = curves.map(({ name }) => name);
  const hundred = { ...axisStyle, type: 'value' as const, min: 0, max: 100, interval: 20 };
  return svgChart(
    {
      legend: {
        top: 0,
        left: 44,
        data: names,
        textStyle: { color: color.soft, fontSize: 11 },
        itemHeight: 9,
      },
      grid: [
        { left: 44, right: 14, top: 30, height: 236 },
        { left: 44, right: 14, top: 316, height: 54 },
      ],
      xAxis: [
        { ...hundred, name: 'confidence, %', nameLocation: 'middle', nameGap: 22, gridIndex: 0 },
        { ...axisStyle, type: 'category', data: labels, gridIndex: 1, axisLabel: { show: false } },
      ],
      yAxis: [
        { ...hundred, name: 'right, %', nameLocation: 'middle', nameGap: 28, gridIndex: 0 },
        {
          ...axisStyle,
          type: 'value',
          name: 'samples, %',
          nameLocation: 'middle',
          nameGap: 28,
          splitNumber: 2,
          gridIndex: 1,
        },
      ],
      series: [
        {
          ...line,
          data: [
            [0, 0],
            [100, 100],
          ],
          symbol: 'none',
          lineStyle: { color: color.soft, type: 'dashed', width: 1 },
        },
        ...curves.map(({ name, bins }, i) => ({
          ...line,
          name,
          data: points(bins),
          symbol: 'circle',
          symbolSize: 7,
          lineStyle: { color: seriesColor(i), width: 2 },
          itemStyle: { color: seriesColor(i) },
        })),
        ...curves.map(({ bins }, i) => ({
          type: 'bar' as const,
          xAxisIndex: 1,
          yAxisIndex: 1,
          data: bins.map(({ n }) => (100 * n) / total(bins)),
          itemStyle: { color: seriesColor(i) },
          barGap: '0%',
          barCategoryGap: '20%',
        })),
      ],
    },
    382,
    `Reliability diagram: ${names.join(', ')}`,
  );
}

/** Read values against true ones, and the line where they agree. */
export function scatterChart(name: string, points: readonly (readonly [number, number])[]): string {
  const values = points.flat();
  const least = Math.floor(Math.min(...values) * 10) / 10;
  const most = Math.ceil(Math.max(...values) * 10) / 10;
  const axis = {
    ...axisStyle,
    type: 'value' as const,
    min: least,
    max: most,
    // The ends are no round numbers, and stand close to one.
    axisLabel: { ...axisStyle.axisLabel, showMinLabel: false, showMaxLabel: false },
  };
  return svgChart(
    {
      grid: { left: 48, right: 14, top: 10, bottom: 40 },
      xAxis: { ...axis, name: `${name}, true`, nameLocation: 'middle', nameGap: 24 },
      yAxis: { ...axis, name: 'read', nameLocation: 'middle', nameGap: 32 },
      series: [
        {
          type: 'line',
          data: [
            [least, least],
            [most, most],
          ],
          symbol: 'none',
          lineStyle: { color: color.soft, type: 'dashed', width: 1 },
        },
        {
          type: 'scatter',
          data: points.map(([x, y]) => [x, y]),
          symbolSize: 4,
          itemStyle: { color: seriesColor(0), opacity: 0.5 },
        },
      ],
    },
    320,
    `${name}: read against true, ${String(points.length)} samples`,
  );
}
