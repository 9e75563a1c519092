// Visits to the built page, with watchers that are in place before its own scripts.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright';
import type { Browser, BrowserContext, Page } from 'playwright';
import { withTimeout } from '../base/timeout.ts';
import { chromiumArgs, requireChromium } from '../site/chromium.ts';
import { spreadOf } from './statistics.ts';
import type { Spread } from './statistics.ts';

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
export interface Weight {
  readonly files: number;
  readonly bytes: number;
  readonly scriptBytes: number;
  readonly scriptGzipBytes: number;
}

export interface Visit {
  readonly readyMs: number;
  readonly firstReadingMs: number;
}

export interface Live {
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
export const settleMs = 5000;
/** Between the timers that watch the main thread. */
export const tickMs = 10;

export async function withBrowser<T>(use: (browser: Browser) => Promise<T>): Promise<T> {
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
export async function visit(context: BrowserContext, url: string): Promise<Visit> {
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
export async function weigh(url: string): Promise<{ readonly before: Weight; readonly until: Weight }> {
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
export async function watch(context: BrowserContext, url: string, liveMs: number): Promise<Live> {
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
