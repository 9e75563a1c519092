// `analyze`: the built page's own live path, headless, over media files.
import { access } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { chromium, type Page } from 'playwright';
import { withTimeout } from '../../base/timeout.ts';
import { writeWhole } from '../base/cache.ts';
import { chromiumArgs, requireChromium } from '../../site/chromium.ts';
import { number } from '../base/options.ts';
import { buildIfNeeded, servePage } from '../../site/page-server.ts';

/** A reading as the page gives it: `Reading` of `live/state.ts`, read back as data. */
interface AnalyzedReading {
  readonly timeMs: number;
  /** The most probable emotion, or `uncertain`. */
  readonly label: string;
  readonly probabilities: Readonly<Record<string, number>>;
  readonly modalities: { readonly face: boolean; readonly voice: boolean };
  readonly faceBox: { x: number; y: number; width: number; height: number } | null;
}

interface AnalyzedFile {
  readonly file: string;
  readonly durationMs: number;
  readonly readings: readonly AnalyzedReading[];
}

/** What is used of `<emotion-recognizer>`. */
interface AnalyzingElement extends HTMLElement {
  analyze(
    file: File,
    options: { hopMs: number; onReading: (reading: AnalyzedReading) => void },
  ): Promise<Omit<AnalyzedFile, 'file'>>;
}

interface AnalyzeOptions {
  readonly model: string;
  readonly backend: string;
  readonly hop: number;
  readonly limit: number;
  readonly json?: string;
}

function line(reading: AnalyzedReading): string {
  const ranked = Object.entries(reading.probabilities).sort((a, b) => b[1] - a[1]);
  const values = ranked.map(([label, p]) => `${label} ${(100 * p).toFixed(1)}%`).join('  ');
  const { face, voice } = reading.modalities;
  const from = face && voice ? 'face+voice' : face ? 'face' : 'voice';
  return `${(reading.timeMs / 1000).toFixed(2).padStart(7)} s  ${from.padEnd(10)}  ${reading.label.padEnd(9)}  ${values}`;
}

/** How many readings had which label, the most first. */
function tally(readings: readonly AnalyzedReading[]): string {
  const counts = new Map<string, number>();
  for (const { label } of readings) counts.set(label, (counts.get(label) ?? 0) + 1);
  const ranked = [...counts].sort((a, b) => b[1] - a[1]).map(([label, count]) => `${String(count)} ${label}`);
  return `${String(readings.length)} readings: ${ranked.join(', ')}`;
}

async function analyzeFile(page: Page, file: string, options: AnalyzeOptions): Promise<AnalyzedFile> {
  await page.setInputFiles('#analyze-input', file);
  const work = page.evaluate(
    async ({ hopMs, backend, model }) => {
      const element = document.querySelector<AnalyzingElement>('emotion-recognizer');
      const input = document.querySelector<HTMLInputElement>('#analyze-input');
      const chosen = input?.files?.[0];
      if (!element || !chosen) throw new Error('internal: the page has no recognizer or no file');
      element.setAttribute('model', model);
      element.setAttribute('backend', backend);
      // No function is written here: tsx would mark it with a helper that the page lacks.
      const onReading = (window as unknown as { analyzeReading: (reading: AnalyzedReading) => void })
        .analyzeReading;
      return await element.analyze(chosen, { hopMs, onReading });
    },
    { hopMs: options.hop, backend: options.backend, model: `./models/${options.model}/` },
  );
  const late = `${file} was not analyzed in time: raise --limit for long files`;
  const result = await withTimeout(work, options.limit * 1000, late);
  const readings = result.readings.map(({ timeMs, label, probabilities, modalities, faceBox }) => ({
    timeMs,
    label,
    probabilities,
    modalities,
    faceBox,
  }));
  return { file, durationMs: result.durationMs, readings };
}

async function analyze(
  files: readonly string[],
  options: AnalyzeOptions,
  say: (line: string) => void,
): Promise<void> {
  for (const file of files) {
    await access(file).catch(() => {
      throw new Error(`${file} cannot be read: check the path.`);
    });
  }
  const executablePath = requireChromium();
  await buildIfNeeded();
  const server = await servePage(0);
  const browser = await chromium.launch({ executablePath, args: [...chromiumArgs] });
  const results: AnalyzedFile[] = [];
  let failures = 0;
  try {
    const page = await browser.newPage();
    await page.exposeFunction('analyzeReading', (reading: AnalyzedReading) => {
      say(line(reading));
    });
    await page.goto(server.url);
    await page.evaluate(() => {
      const input = document.createElement('input');
      input.type = 'file';
      input.id = 'analyze-input';
      input.hidden = true;
      document.body.append(input);
    });
    for (const file of files) {
      say(basename(file));
      try {
        const result = await analyzeFile(page, file, options);
        const none = result.readings.length === 0;
        say(`  ${none ? 'no reading: no face was seen and no voice was heard' : tally(result.readings)}`);
        results.push(result);
      } catch (error) {
        failures += 1;
        const message = error instanceof Error ? error.message : String(error);
        say(`  failed: ${message.replace(/^page\.evaluate: (\w*Error: )?/, '').split('\n')[0] ?? ''}`);
      }
    }
  } finally {
    await browser.close();
    await server.close();
  }
  if (results.length > 1) say(`all: ${tally(results.flatMap(({ readings }) => readings))}`);
  if (options.json !== undefined && results.length > 0) {
    writeWhole(options.json, `${JSON.stringify(files.length === 1 ? results[0] : results, null, 2)}\n`);
    say(`Wrote ${options.json}`);
  }
  if (failures > 0) throw new Error(`${failures} of ${files.length} files failed.`);
}

export function analyzeCommand(say: (line: string) => void): Command {
  return new Command('analyze')
    .description("read media files with the built page's own live path, headless; one line per reading")
    .argument('<file...>', 'video or sound files that Chromium can play (webm, mp4, ...)')
    .option('--model <name>', 'folder under models/', 'nano')
    .addOption(
      new Option('--backend <name>', 'where tensors are computed')
        .choices(['auto', 'webgpu', 'wasm', 'cpu'])
        .default('auto'),
    )
    .option('--hop <ms>', 'media time between readings, milliseconds', number(1, 60_000), 500)
    .option('--limit <s>', 'longest time for one file, seconds', number(1, 86_400), 900)
    .option('--json <out>', 'write {file, durationMs, readings} here (an array when several files are given)')
    .action(async (files: string[], options: AnalyzeOptions) => {
      await analyze(files, options, say);
    });
}
