// What the build makes of the models' folders: the list that the page chooses from, and the cards as pages.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { modelCardPage } from './model-card.ts';
import { listModels } from './model-list.ts';

const shipped = JSON.parse(readFileSync('models/nano/manifest.json', 'utf8')) as {
  config: object;
  files: readonly { bytes: number }[];
};

it('lists models that name emotions, the cheapest first', () => {
  const models = mkdtempSync(join(tmpdir(), 'model-list-'));
  onTestFinished(() => {
    rmSync(models, { recursive: true });
  });
  const put = (folder: string, change: object): void => {
    mkdirSync(join(models, folder));
    writeFileSync(
      join(models, folder, 'manifest.json'),
      JSON.stringify({ ...shipped, name: folder, ...change }),
    );
  };
  put('a-deep', { config: { ...shipped.config, encoderDepth: 12 } });
  put('b-shipped', {});
  put('dimensions', { outputs: 'dimensions', calibration: undefined });
  mkdirSync(join(models, 'draft'));
  writeFileSync(join(models, 'notes.txt'), '');
  const list = listModels(models);
  expect(list.map(({ name, folder }) => [name, folder])).toEqual([
    ['b-shipped', 'b-shipped/'],
    ['a-deep', 'a-deep/'],
  ]);
  expect(list[0]?.bytes).toBe(shipped.files.reduce((sum, { bytes }) => sum + bytes, 0));
  expect(list[1]!.multiplyAdds / list[0]!.multiplyAdds).toBeGreaterThan(1.5);
  put('broken', { labels: [] });
  expect(() => listModels(models)).toThrow(/broken\/manifest\.json: labels is/);
  expect(listModels(join(models, 'nowhere'))).toEqual([]);
});

it('makes a card of Markdown, without raw HTML, dead links or foreign pictures', () => {
  const page = modelCardPage(
    [
      '# One & <b onclick="x()">two</b>',
      '',
      '| a | b |',
      '| --- | --: |',
      '| 1 | 2 |',
      '',
      '<script>alert(1)</script>',
      '',
      '[out](https://example.org/x) [own](manifest.json) [up](../../docs/training.md) [bad](javascript:alert(1))',
      '',
      '![good](wrong.png) ![foreign](https://example.org/x.png)',
    ].join('\n'),
    'a<b',
  );
  expect(page).toContain('<title>Model card: a&lt;b</title>');
  expect(page).toContain('One &amp; &lt;b onclick=&quot;x()&quot;&gt;two&lt;/b&gt;');
  expect(page).not.toMatch(/<script|<b |href="javascript/);
  expect(page).toMatch(/<div class="table" role="region" aria-label="Table" tabindex="0"><table>/);
  expect(page).toContain('<a href="https://example.org/x" target="_blank" rel="noopener noreferrer">out</a>');
  expect(page).toContain('<a href="manifest.json"');
  expect(page).toMatch(/<\/a> up \[bad\]/);
  expect(page).toContain('<img src="wrong.png" alt="good">');
  expect(page).toContain(' foreign</p>');
});

it('makes a whole page of the shipped card', () => {
  const page = modelCardPage(readFileSync('models/nano/README.md', 'utf8'), 'nano');
  expect(page).toMatch(/<main data-model-card>\s*<h1>nano<\/h1>/);
  expect(page).toContain('<h2>Known failures</h2>');
});
