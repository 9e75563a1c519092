// Charts as SVG text by echarts, without a browser. Colors are CSS variables of the page (page.ts), so one drawing serves
// light and dark.
import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { EChartsOption } from 'echarts';
import { escapeHtml } from './page.ts';

use([BarChart, CustomChart, LineChart, ScatterChart, GridComponent, LegendComponent, SVGRenderer]);

/** Colors by their role on the page. */
export const color = {
  ink: 'var(--ink)',
  soft: 'var(--soft)',
  grid: 'var(--grid)',
  page: 'var(--page)',
} as const;

/** The color of the i-th of several series. */
export const seriesColor = (i: number): string => `var(--series-${String(i % 8)})`;

/** Width of a drawing in its own pixels; the page scales it from about 0.85 to 1.4. */
export const chartWidth = 380;

/** Axis, labels and grid lines in the page's colors. */
export const axisStyle = {
  axisLine: { lineStyle: { color: color.grid } },
  axisTick: { show: false },
  axisLabel: { color: color.soft, fontSize: 11 },
  splitLine: { lineStyle: { color: color.grid } },
  nameTextStyle: { color: color.soft, fontSize: 11 },
} as const;

/**
 * A chart as an SVG element for a page.
 * @param label what it shows, for those who cannot see it
 */
export function svgChart(option: EChartsOption, heightPx: number, label: string): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: chartWidth, height: heightPx });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'inherit' },
      backgroundColor: 'transparent',
      ...option,
    });
    const svg = chart.renderToSVGString();
    return (
      svg
        // What only a live chart needs: hover styles and the links to its data.
        .replace(/<style\s*>[\s\S]*?<\/style>/g, '')
        .replace(/ (class|ecmeta_\w+|xmlns:xlink|baseProfile|version|pointer-events)="[^"]*"/g, '')
        .replace(/font-family:\s*(inherit|sans-serif);?/g, '')
        .replace(/font:\s*([\d.]+px) sans-serif/g, 'font-size:$1')
        .replace(/^<svg width="\d+" height="\d+"/, `<svg role="img" aria-label="${escapeHtml(label)}"`)
    );
  } finally {
    chart.dispose();
  }
}
