// `bench -- startup`: the built page in Chromium: what it weighs, how soon it reads, and how smoothly it goes on.
import { buildIfNeeded, servePage } from '../site/page-server.ts';
import type { SeriesColor } from './charts.ts';
import { machineFacts } from './machine.ts';
import { ratioText, spreadText } from './report.ts';
import type { Report } from './report.ts';
import { settleMs, tickMs, visit, watch, weigh, withBrowser } from './startup-visit.ts';
import type { Live, Visit, Weight } from './startup-visit.ts';
import { ratio, spreadOf } from './statistics.ts';
import type { Spread } from './statistics.ts';

export interface StartupOptions {
  readonly rounds: number;
  /** How long the steady state is watched, ms. */
  readonly liveMs: number;
  readonly say: (line: string) => void;
}

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
  const bar = (series: SeriesColor, spread: Spread) => ({
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
      ['page', `demo source, automatic model${live.backend === '' ? '' : `; ${live.backend}`}`],
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
      legend: { 0: 'cold cache', 3: 'warm cache' },
      panels: [
        {
          kind: 'bars',
          title: 'Time from navigation',
          axis: 'ms',
          groups: [
            { label: 'can be started', bars: [bar(0, spreads.coldReady), bar(3, spreads.warmReady)] },
            { label: 'first reading', bars: [bar(0, spreads.coldFirst), bar(3, spreads.warmFirst)] },
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
            bars: [{ series: 0 as const, value: bytes / 1000, text: `${kilobytes(bytes)} kB` }],
          })),
        },
      ],
    },
    data: { before, until, cold, warm, live },
  };
}
