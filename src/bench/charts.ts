// Charts as SVG text: bars with whiskers and lines, legible on light and dark pages, with no dependency.

/** One bar: a value, how far its measurements spread, and the words at its end. */
export interface Bar {
  /** Key of a legend entry, which is also its color's number. */
  readonly series: SeriesColor;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly text: string;
}

/** Number of a color; see `colors`. */
export type SeriesColor = 0 | 1 | 2 | 3;

/** Horizontal bars in groups. */
export interface BarPanel {
  readonly kind: 'bars';
  readonly title: string;
  /** Of the horizontal axis, with its unit. */
  readonly axis: string;
  readonly groups: readonly { readonly label: string; readonly bars: readonly Bar[] }[];
  /** A value marked by an upright line, and what it means. */
  readonly mark?: { readonly value: number; readonly label: string };
}

/** Lines through points. */
export interface LinePanel {
  readonly kind: 'lines';
  readonly title: string;
  readonly xAxis: string;
  readonly yAxis: string;
  readonly lines: readonly {
    readonly series: SeriesColor;
    readonly points: readonly (readonly [x: number, y: number])[];
  }[];
}

export interface Figure {
  readonly title: string;
  /** What was measured, on what. */
  readonly subtitle: string;
  /** Names of the series by their color, so that a contender has one color in all charts. */
  readonly legend: Readonly<Partial<Record<SeriesColor, string>>>;
  readonly panels: readonly (BarPanel | LinePanel)[];
}

const width = 820;
const margin = { left: 205, right: 130, lines: 64 };
const barHeight = 15;
const plotHeight = 190;

/** Each series' color on a light and on a dark page. */
const colors = [
  ['#2a78d6', '#3987e5'],
  ['#eb6834', '#d95926'],
  ['#1baf7a', '#199e70'],
  ['#4a3aa7', '#9085e9'],
] as const;

const style = `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#0b0b0b}
.title{font-size:16px;font-weight:600}.panel{font-size:13px;font-weight:600}.soft{fill:#52514e}
.page{fill:#fcfcfb}.grid{stroke:#e1e0d9}.axis{stroke:#898781}.spread{stroke:#0b0b0b;stroke-width:1.2}
.mark{stroke:#52514e;stroke-dasharray:4 3}
${colors.map(([light], i) => `.s${i}{fill:${light}}.l${i}{stroke:${light};stroke-width:2;fill:none}`).join('')}
@media (prefers-color-scheme:dark){
text{fill:#fff}.soft{fill:#c3c2b7}.page{fill:#1a1a19}.grid{stroke:#2c2c2a}.axis{stroke:#898781}.spread{stroke:#fff}
.mark{stroke:#c3c2b7}
${colors.map(([, dark], i) => `.s${i}{fill:${dark}}.l${i}{stroke:${dark}}`).join('')}
}
</style>`;

/** Text safe inside XML. */
export function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** Round numbers from 0 to at least `most`, about five of them. */
export function ticks(most: number): number[] {
  if (!(most > 0) || !Number.isFinite(most)) return [0, 1];
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

const n = (value: number): string => String(Math.round(value * 10) / 10);
const text = (x: number, y: number, content: string, attributes = ''): string =>
  `<text x="${n(x)}" y="${n(y)}"${attributes}>${escapeXml(content)}</text>`;
const line = (x1: number, y1: number, x2: number, y2: number, kind: string): string =>
  `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" class="${kind}"/>`;

/** A whole SVG file. */
export function drawFigure({ title, subtitle, legend, panels }: Figure): string {
  const parts: string[] = [];
  parts.push(text(16, 28, title, ' class="title"'), text(16, 47, subtitle, ' class="soft"'));
  let x = 16;
  for (const [i, name] of Object.entries(legend)) {
    parts.push(`<rect x="${n(x)}" y="60" width="11" height="11" rx="2" class="s${i}"/>`);
    parts.push(text(x + 17, 70, name, ' class="soft"'));
    x += 34 + 6.6 * name.length;
  }
  let y = 88;
  for (const panel of panels) {
    const drawn = panel.kind === 'bars' ? drawBars(panel, y) : drawLines(panel, y, legend);
    parts.push(...drawn.parts);
    y = drawn.bottom + 18;
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${n(y)}" role="img" aria-label="${escapeXml(title)}">`;
  const page = `<rect width="${width}" height="${n(y)}" rx="8" class="page"/>`;
  return `${head}\n${style}\n${page}\n${parts.join('\n')}\n</svg>\n`;
}

interface Drawn {
  readonly parts: string[];
  readonly bottom: number;
}

function drawBars({ title, axis, groups, mark }: BarPanel, top: number): Drawn {
  const parts: string[] = [text(16, top + 14, title, ' class="panel"')];
  const most = Math.max(
    mark?.value ?? 0,
    ...groups.flatMap(({ bars }) => bars.map(({ value, high }) => high ?? value)),
  );
  const marks = ticks(most);
  const scale = (width - margin.left - margin.right) / (marks.at(-1) ?? 1);
  const at = (value: number): number => margin.left + value * scale;
  const first = top + 28;
  let y = first;
  const bars: string[] = [];
  for (const group of groups) {
    const height = group.bars.length * (barHeight + 3);
    bars.push(text(margin.left - 10, y + height / 2 + 3, group.label, ' class="soft" text-anchor="end"'));
    for (const { series, value, low, high, text: words } of group.bars) {
      const wide = Math.max(1, value * scale);
      bars.push(
        `<rect x="${n(margin.left)}" y="${n(y)}" width="${n(wide)}" height="${barHeight}" rx="2" class="s${series}"/>`,
      );
      const middle = y + barHeight / 2;
      if (low !== undefined && high !== undefined)
        bars.push(line(at(low), middle, at(high), middle, 'spread'));
      bars.push(text(Math.max(at(value), at(high ?? 0)) + 6, middle + 4, words));
      y += barHeight + 3;
    }
    y += 9;
  }
  const last = y - 4;
  for (const value of marks) {
    parts.push(line(at(value), first - 5, at(value), last, value === 0 ? 'axis' : 'grid'));
    parts.push(text(at(value), last + 15, String(value), ' class="soft" text-anchor="middle"'));
  }
  parts.push(...bars);
  if (mark) {
    parts.push(line(at(mark.value), first - 5, at(mark.value), last, 'mark'));
    parts.push(text(at(mark.value) + 4, first - 8, mark.label, ' class="soft"'));
  }
  parts.push(text(margin.left, last + 32, axis, ' class="soft"'));
  return { parts, bottom: last + 36 };
}

function drawLines({ title, xAxis, yAxis, lines }: LinePanel, top: number, legend: Figure['legend']): Drawn {
  const parts: string[] = [text(16, top + 14, title, ' class="panel"')];
  const points = lines.flatMap((one) => one.points);
  const xMarks = ticks(Math.max(0, ...points.map(([x]) => x)));
  const yMarks = ticks(Math.max(0, ...points.map(([, y]) => y)));
  const plotTop = top + 42;
  const right = width - margin.right;
  const across = (x: number): number => margin.lines + ((right - margin.lines) * x) / (xMarks.at(-1) ?? 1);
  const up = (y: number): number => plotTop + plotHeight * (1 - y / (yMarks.at(-1) ?? 1));
  parts.push(text(16, plotTop - 12, yAxis, ' class="soft"'));
  for (const y of yMarks) {
    parts.push(line(margin.lines, up(y), right, up(y), y === 0 ? 'axis' : 'grid'));
    parts.push(text(margin.lines - 7, up(y) + 4, String(y), ' class="soft" text-anchor="end"'));
  }
  for (const x of xMarks) {
    parts.push(text(across(x), plotTop + plotHeight + 16, String(x), ' class="soft" text-anchor="middle"'));
  }
  // Names at the lines' ends, moved apart where they would touch.
  const ends = lines
    .map(({ series, points: own }) => ({ series, end: own.at(-1) ?? ([0, 0] as const) }))
    .sort((a, b) => up(a.end[1]) - up(b.end[1]));
  let lastY = -Infinity;
  for (const { series, end } of ends) {
    const y = Math.max(up(end[1]) + 4, lastY + 14);
    lastY = y;
    parts.push(text(across(end[0]) + 8, y, legend[series] ?? ''));
  }
  for (const { series, points: own } of lines) {
    const path = own.map(([x, y]) => `${n(across(x))},${n(up(y))}`).join(' ');
    parts.push(`<polyline points="${path}" class="l${series}"/>`);
    for (const [x, y] of own)
      parts.push(`<circle cx="${n(across(x))}" cy="${n(up(y))}" r="3.5" class="s${series}"/>`);
  }
  const bottom = plotTop + plotHeight + 34;
  parts.push(text(margin.lines, bottom, xAxis, ' class="soft"'));
  return { parts, bottom: bottom + 4 };
}
