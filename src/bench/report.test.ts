import { describe, expect, it } from 'vitest';
import { markdownTable, plainTable, replaceSection, spreadText } from './report.ts';

const table = {
  title: 'Times',
  columns: ['size', 'ours'],
  rows: [
    ['nano', '1'],
    ['a | b', '22.5'],
  ],
  notes: ['a note'],
};

describe('report', () => {
  it('aligns for the terminal', () => {
    expect(plainTable(table).split('\n')).toEqual([
      'Times',
      'size   ours',
      'nano      1',
      'a | b  22.5',
      '  a note',
    ]);
  });

  it('is a table in Markdown, pipes and all', () => {
    expect(markdownTable(table)).toContain('| a \\| b | 22.5 |');
  });

  it('replaces one command’s part of the page and keeps the others, in order', () => {
    const first = replaceSection('', 'startup', '## Startup\n\nold');
    const both = replaceSection(first, 'inference', '## Inference\n\nnumbers');
    const newer = replaceSection(both, 'startup', '## Startup\n\nnew');
    expect(newer).not.toContain('old');
    expect(newer.indexOf('numbers')).toBeLessThan(newer.indexOf('new\n'));
    expect(newer.match(/# Measurements/g)).toHaveLength(1);
    expect(replaceSection(newer, 'startup', '## Startup\n\nnew')).toBe(newer);
  });

  it('says nothing was measured', () => {
    expect(spreadText(null)).toBe('-');
    expect(spreadText({ count: 3, min: 1.234, median: 12.34, max: 123.4 })).toBe('1.23 / 12.3 / 123');
  });
});
