import { describe, expect, it } from 'vitest';
import { drawFigure, escapeXml, ticks } from './charts.ts';
import type { Figure } from './charts.ts';

/** Names of all elements; throws where tags do not match or a text is no XML. */
function elements(xml: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  const tag = /<(\/?)([a-z]+)((?:\s+[a-zA-Z0-9-]+="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*")*)\s*(\/?)>/g;
  const rest = xml.replace(tag, (_, closing: string, name: string, _attributes: string, empty: string) => {
    if (closing) {
      if (open.pop() !== name) throw new Error(`</${name}> closes something else`);
    } else {
      seen.push(name);
      if (!empty) open.push(name);
    }
    return '';
  });
  if (open.length > 0) throw new Error(`<${open.join()}> is left open`);
  if (/[<]|&(?!(?:amp|lt|gt|quot);)/.test(rest)) throw new Error(`text is no XML: ${rest}`);
  return seen;
}

const figure: Figure = {
  title: 'Times < "limits" & more',
  subtitle: 'a < b',
  legend: { 0: 'ours', 1: 'peer & co' },
  panels: [
    {
      kind: 'bars',
      title: 'Bars',
      axis: 'ms',
      mark: { value: 1, label: 'a mark' },
      groups: [
        { label: 'x & y', bars: [{ series: 0, value: 0.5, low: 0.4, high: 0.9, text: '0.5 <' }] },
        { label: 'z', bars: [{ series: 1, value: 2, text: '2' }] },
      ],
    },
    {
      kind: 'lines',
      title: 'Lines',
      xAxis: 'tokens',
      yAxis: 'seconds',
      lines: [
        { series: 0, points: [[100, 1], [200, 2.5]] }, // prettier-ignore
        { series: 1, points: [[100, 2], [200, 5]] }, // prettier-ignore
      ],
    },
  ],
};

describe('charts', () => {
  it('are well-formed, whatever the words', () => {
    const svg = drawFigure(figure);
    const names = elements(svg);
    expect(names[0]).toBe('svg');
    expect(names.filter((name) => name === 'polyline')).toHaveLength(2);
    expect(names.filter((name) => name === 'circle')).toHaveLength(4);
    expect(svg).toContain('Times &lt; &quot;limits&quot; &amp; more');
    expect(svg).not.toContain('NaN');
    expect(svg).toContain('prefers-color-scheme:dark');
    for (const words of ['ms', 'tokens', 'seconds', 'x &amp; y', 'a mark'])
      expect(svg).toContain(`>${words}<`);
  });

  it('has bars as long as their values', () => {
    const widths = [...drawFigure(figure).matchAll(/<rect [^>]*width="([\d.]+)" height="15"/g)].map((match) =>
      Number(match[1]),
    );
    expect(widths).toHaveLength(2);
    expect((widths[1] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(4, 1);
  });

  it('draws nothing measured as nothing', () => {
    const empty: Figure = {
      ...figure,
      panels: [{ kind: 'lines', title: '', xAxis: '', yAxis: '', lines: [] }],
    };
    const svg = drawFigure(empty);
    elements(svg);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it('has round ticks that reach the largest value', () => {
    expect(ticks(4.2)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(ticks(1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(0)).toEqual([0, 1]);
    for (const most of [0.003, 7, 13, 99, 100, 101, 31_000]) {
      const last = ticks(most).at(-1) ?? 0;
      expect(last).toBeGreaterThanOrEqual(most);
      expect(last).toBeLessThan(1.6 * most);
    }
  });

  it('escapes', () => {
    expect(escapeXml('<a b="c">&')).toBe('&lt;a b=&quot;c&quot;&gt;&amp;');
  });
});
