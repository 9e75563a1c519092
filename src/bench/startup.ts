// `bench -- startup`: the built page in Chromium: what it weighs, how soon it reads, and how smoothly it goes on.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright';
import type { Browser, BrowserContext, Page } from 'playwright';
import { withTimeout } from '../base/timeout.ts';
import { chromiumArgs, requireChromium } from '../train/chromium.ts';
import { buildIfNeeded, servePage } from '../train/page-server.ts';
import { machineFacts } from './machine.ts';
import { ratioText, spreadText } from './report.ts';
import type { Report } from './report.ts';
import { ratio, spreadOf } from './statistics.ts';
import type { Spread } from './statistics.ts';

export interface StartupOptions {
  readonly rounds: number;
  /** How long the steady state is watched, ms. */
  readonly liveMs: number;
  readonly say: (line: string) => void;
}

declare global {
  interface Window {
    startup: {
      /** When the element could be started, and its readings: ms since navigation began. */
      readyMs: number;
      readonly readings: { readonly atMs: number; readonly inferenceMs: number }[];
      /** Main-thread tasks of 50 ms and more, as the browser tells them. */
      readonly tasks: { readonly atMs: number; readonly durationMs: number }[];
      /** How late timers of the main thread were. */
      readonly delays: { readonly atMs: number; readonly lateMs: number }[];
    };
  }
}

/** Files that a visit asked for. */
interface Weight {
  readonly files: number;
  readonly bytes: number;
  readonly scriptBytes: number;
  readonly scriptGzipBytes: number;
}

interface Visit {
  readonly readyMs: number;
  readonly firstReadingMs: number;
}

interface Live {
  readonly watchedMs: number;
  readonly readings: number;
  readonly inference: Spread;
  readonly everyMs: number;
  readonly longTasks: readonly number[];
  readonly worstDelayMs: number;
  readonly backend: string;
}

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const limitMs = 180_000;
/** Not counted after the first reading: rings fill, caches warm. */
const settleMs = 5000;
/** Between the timers that watch the main thread. */
const tickMs = 10;
const gzipBar = 150_000;
const taskBarMs = 50;

export async function benchStartup({ rounds, liveMs, say }: StartupOptions): Promise<Report> {
  await buildIfNeeded();
  const server = await servePage(4397);
  try {
    const weight = await weigh(server.url);
    say(`before Start: ${(weight.before.scriptGzipBytes / 1000).toFixed(1)} kB of gzipped JavaScript`);
    const cold: Visit[] = [];
    const warm: Visit[] = [];
    for (let round = 0; round < rounds; round++) {
      // A browser of its own each round: nothing is cached, nothing compiled.
      await withBrowser(async (browser) => {
        const context = await browser.newContext();
        cold.push(await visit(context, server.url));
        warm.push(await visit(context, server.url));
      });
      say(
        `first reading: cold ${cold.at(-1)?.firstReadingMs.toFixed(0) ?? ''} ms, warm ${warm.at(-1)?.firstReadingMs.toFixed(0) ?? ''} ms`,
      );
    }
    const { live, version } = await withBrowser(async (browser) => ({
      live: await watch(await browser.newContext(), server.url, liveMs),
      version: browser.version(),
    }));
    return reportOf(weight, cold, warm, live, version);
  } finally {
    await server.close();
  }
}

async function withBrowser<T>(use: (browser: Browser) => Promise<T>): Promise<T> {
  const executablePath = requireChromium();
  const browser = await withTimeout(
    chromium.launch({ executablePath, args: [...chromiumArgs], headless: true }),
    limitMs,
    `${executablePath} did not start`,
  );
  try {
    return await use(browser);
  } finally {
    await browser.close();
  }
}

/** Opens the page with its watchers in place; nothing is started. */
async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.addInitScript((everyMs) => {
    window.startup = { readyMs: NaN, readings: [], tasks: [], delays: [] };
    const { readings, tasks, delays } = window.startup;
    document.addEventListener('reading', (event) => {
      const { inferenceMs } = (event as CustomEvent<{ inferenceMs: number }>).detail;
      readings.push({ atMs: performance.now(), inferenceMs });
    });
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        tasks.push({ atMs: startTime, durationMs: duration });
      }
    }).observe({ type: 'longtask', buffered: true });
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      if (now - last > 2 * everyMs) delays.push({ atMs: last, lateMs: now - last - everyMs });
      last = now;
    }, everyMs);
    void customElements.whenDefined('emotion-recognizer').then(() => {
      window.startup.readyMs = performance.now();
    });
  }, tickMs);
  await page.goto(url, { timeout: limitMs });
  await page.waitForFunction(() => window.startup.readyMs > 0, null, { timeout: limitMs });
  return page;
}

async function start(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const element = document.querySelector('emotion-recognizer') as unknown as {
      start(): Promise<void>;
    };
    await element.start();
  });
}

async function readings(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const phase = document.querySelector('emotion-recognizer')?.getAttribute('phase');
      if (phase === 'failed') throw new Error('The page failed to start.');
      return window.startup.readings.length >= wanted;
    },
    count,
    { timeout: limitMs },
  );
}

/** One visit, started as soon as the element can be. */
async function visit(context: BrowserContext, url: string): Promise<Visit> {
  const page = await open(context, url);
  await Promise.all([start(page), readings(page, 1)]);
  const { readyMs, firstMs } = await page.evaluate(() => ({
    readyMs: window.startup.readyMs,
    firstMs: window.startup.readings[0]?.atMs ?? NaN,
  }));
  await page.close();
  return { readyMs, firstReadingMs: firstMs };
}

/** What is asked for before Start, and until the first reading. */
async function weigh(url: string): Promise<{ readonly before: Weight; readonly until: Weight }> {
  return withBrowser(async (browser) => {
    const context = await browser.newContext();
    const paths = new Set<string>();
    context.on('request', (request) => {
      const asked = new URL(request.url());
      if (asked.origin === new URL(url).origin) paths.add(asked.pathname);
    });
    const page = await open(context, url);
    await page.waitForLoadState('networkidle', { timeout: limitMs });
    const before = weightOf(paths);
    await Promise.all([start(page), readings(page, 1)]);
    return { before, until: weightOf(paths) };
  });
}

function weightOf(paths: ReadonlySet<string>): Weight {
  let [files, bytes, scriptBytes, scriptGzipBytes] = [0, 0, 0, 0];
  for (const path of paths) {
    const file = join(dist, path.endsWith('/') ? `${path}index.html` : path);
    if (!existsSync(file)) continue;
    const content = readFileSync(file);
    files++;
    bytes += content.length;
    if (!/\.m?js$/.test(file)) continue;
    scriptBytes += content.length;
    scriptGzipBytes += gzipSync(content, { level: 9 }).length;
  }
  return { files, bytes, scriptBytes, scriptGzipBytes };
}

/** The steady state. */
async function watch(context: BrowserContext, url: string, liveMs: number): Promise<Live> {
  const page = await open(context, url);
  await Promise.all([start(page), readings(page, 1)]);
  await page.waitForTimeout(settleMs + liveMs);
  const { seen, backend } = await page.evaluate(() => ({
    seen: window.startup,
    backend:
      document
        .querySelector('emotion-recognizer')
        ?.shadowRoot?.querySelector('status-line')
        ?.shadowRoot?.querySelector('.reason')
        ?.textContent.trim() ?? '',
  }));
  await page.close();
  const from = (seen.readings[0]?.atMs ?? 0) + settleMs;
  const counted = seen.readings.filter(({ atMs }) => atMs >= from && atMs <= from + liveMs);
  const times = counted.map(({ atMs }) => atMs);
  return {
    watchedMs: liveMs,
    readings: counted.length,
    inference: spreadOf(counted.map(({ inferenceMs }) => inferenceMs)),
    everyMs: ((times.at(-1) ?? NaN) - (times[0] ?? NaN)) / (counted.length - 1),
    longTasks: seen.tasks.filter(({ atMs }) => atMs >= from).map(({ durationMs }) => durationMs),
    worstDelayMs: Math.max(0, ...seen.delays.filter(({ atMs }) => atMs >= from).map(({ lateMs }) => lateMs)),
    backend,
  };
}

function reportOf(
  { before, until }: { readonly before: Weight; readonly until: Weight },
  cold: readonly Visit[],
  warm: readonly Visit[],
  live: Live,
  browserVersion: string,
): Report {
  const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);
  const weightRow = (name: string, weight: Weight): string[] => [
    name,
    String(weight.files),
    kilobytes(weight.bytes),
    kilobytes(weight.scriptBytes),
    kilobytes(weight.scriptGzipBytes),
  ];
  const spreads = {
    coldReady: spreadOf(cold.map(({ readyMs }) => readyMs)),
    warmReady: spreadOf(warm.map(({ readyMs }) => readyMs)),
    coldFirst: spreadOf(cold.map(({ firstReadingMs }) => firstReadingMs)),
    warmFirst: spreadOf(warm.map(({ firstReadingMs }) => firstReadingMs)),
  };
  const worstTask = Math.max(0, ...live.longTasks);
  const seconds = (live.watchedMs / 1000).toFixed(0);
  const bar = (series: number, spread: Spread) => ({
    series,
    value: spread.median,
    low: spread.min,
    high: spread.max,
    text: `${spread.median.toFixed(0)} ms`,
  });
  return {
    command: 'startup',
    facts: [
      ...machineFacts(),
      ['browser', `Chromium ${browserVersion}, headless`],
      ['page', `demo source, model nano${live.backend === '' ? '' : `; ${live.backend}`}`],
    ],
    tables: [
      {
        title: 'What the page asks for',
        columns: ['until', 'files', 'kB', 'JavaScript, kB', 'JavaScript, kB gzipped'],
        rows: [weightRow('before Start', before), weightRow('first reading', until)],
        notes: [
          `Bar: less than ${gzipBar / 1000} kB of gzipped JavaScript before Start: ${before.scriptGzipBytes < gzipBar ? 'met' : 'missed'}.`,
        ],
      },
      {
        title: 'From navigation on',
        columns: ['', 'cold cache, ms', 'warm cache, ms', 'warm / cold'],
        rows: [
          [
            'can be started',
            spreadText(spreads.coldReady),
            spreadText(spreads.warmReady),
            ratioText(ratio(spreads.warmReady, spreads.coldReady)),
          ],
          [
            'first reading',
            spreadText(spreads.coldFirst),
            spreadText(spreads.warmFirst),
            ratioText(ratio(spreads.warmFirst, spreads.coldFirst)),
          ],
        ],
        notes: [
          'The demo source, started by script as soon as the element can be, over this machine’s own network and uncompressed. Cold: a fresh browser. Warm: a second visit in it. A first reading also waits for enough of a clip.',
        ],
      },
      {
        title: `${seconds} seconds of the live page`,
        columns: ['what', 'value'],
        rows: [
          ['readings', String(live.readings)],
          ['from one reading to the next, ms', live.everyMs.toFixed(0)],
          ['one reading (front ends and forward pass), ms', spreadText(live.inference)],
          [`main-thread tasks of ${taskBarMs} ms and more`, String(live.longTasks.length)],
          ['the worst of them, ms', live.longTasks.length === 0 ? '-' : worstTask.toFixed(0)],
          ['latest timer of the main thread, ms late', live.worstDelayMs.toFixed(0)],
        ],
        notes: [
          `The first ${settleMs / 1000} s after the first reading do not count. Bar: no main-thread task over ${taskBarMs} ms: ${worstTask > taskBarMs ? 'missed' : 'met'}.`,
          `A timer due every ${tickMs} ms is also late when the machine has no core free for the page, so its delay is no task of ours alone.`,
        ],
      },
    ],
    figure: {
      title: 'Startup',
      subtitle: 'The built page with the demo source in Chromium; medians, whiskers from least to most',
      legend: ['cold cache', 'warm cache'],
      panels: [
        {
          kind: 'bars',
          title: 'Time from navigation',
          axis: 'ms',
          groups: [
            { label: 'can be started', bars: [bar(0, spreads.coldReady), bar(1, spreads.warmReady)] },
            { label: 'first reading', bars: [bar(0, spreads.coldFirst), bar(1, spreads.warmFirst)] },
          ],
        },
        {
          kind: 'bars',
          title: 'JavaScript asked for',
          axis: 'kB gzipped',
          mark: { value: gzipBar / 1000, label: 'bar for before Start' },
          groups: [
            { label: 'before Start', bytes: before.scriptGzipBytes },
            { label: 'until the first reading', bytes: until.scriptGzipBytes },
          ].map(({ label, bytes }) => ({
            label,
            bars: [{ series: 0, value: bytes / 1000, text: `${kilobytes(bytes)} kB` }],
          })),
        },
      ],
    },
    data: { before, until, cold, warm, live },
  };
}
