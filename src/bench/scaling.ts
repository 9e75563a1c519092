// `bench -- scaling`: time and memory of a forward pass against tokens and batch, ours and onnxruntime-web.
import type { HicmaeConfig } from '../model/config.ts';
import { tokenCount } from '../model/embed.ts';
import type { LinePanel } from './charts.ts';
import { colorOf, contest, labelOf, timesOf } from './contest.ts';
import type { Results } from './contest.ts';
import { forwardFlops, wholeShape } from './flops.ts';
import { machineFacts } from './machine.ts';
import { startPageHost } from './page-host.ts';
import type { OpenPage, PageHost } from './page-host.ts';
import type { ContenderKind } from './page/protocol.ts';
import { megabytes, ratioText, spreadText } from './report.ts';
import type { Report, Table } from './report.ts';
import { ratio } from './statistics.ts';
import { configOf, makeTask } from './weights.ts';

export interface ScalingOptions {
  readonly rounds: number;
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

interface Point {
  readonly videoTokens: number;
  readonly batch: number;
  readonly results: Results;
  readonly gigaflops: number;
}

const kinds: readonly ContenderKind[] = ['ours', 'ort'];
const base = configOf('tiny');

/** Tiny with another number of frames, so another number of video tokens: the same model to every runtime. */
function withFrames(frameCount: number): HicmaeConfig {
  return { ...base, video: { ...base.video, frameCount } };
}

export async function benchScaling(options: ScalingOptions): Promise<Report> {
  const { say, quick } = options;
  say('Building the measuring page ...');
  const host = await startPageHost();
  try {
    const page = await host.open();
    try {
      const tokens: Point[] = [];
      for (const frames of quick ? [2, 4, 8] : [2, 4, 8, 16, 32]) {
        tokens.push(await measure(host, page, options, withFrames(frames), 1));
      }
      const batches: Point[] = [];
      for (const batch of quick ? [1, 2] : [1, 2, 4]) {
        batches.push(await measure(host, page, options, quick ? withFrames(4) : base, batch));
      }
      return reportOf(tokens, batches, page.browserVersion);
    } finally {
      await page.close();
    }
  } finally {
    await host.close();
  }
}

async function measure(
  host: PageHost,
  page: OpenPage,
  { rounds, say }: ScalingOptions,
  config: HicmaeConfig,
  batch: number,
): Promise<Point> {
  const made = await makeTask(host.dataFolder, 'model', config, { batch });
  try {
    const results = await contest(page, { backend: 'wasm', threads: 1, task: made.task, kinds, rounds });
    const videoTokens = tokenCount(config, 'video');
    const words = kinds.map((kind) => `${labelOf(kind)} ${spreadText(timesOf(results, kind))}`);
    say(`${videoTokens} video tokens, batch ${batch}: ${words.join('; ')}`);
    return { videoTokens, batch, results, gigaflops: forwardFlops(config, wholeShape(config, batch)) / 1e9 };
  } finally {
    await made.remove();
  }
}

function wasmBytes(results: Results, kind: ContenderKind): number | null {
  const result = results.get(kind);
  return result?.ok === true ? result.wasmBytes : null;
}

function table(
  title: string,
  first: string,
  label: (point: Point) => string,
  points: readonly Point[],
): Table {
  return {
    title,
    columns: [
      first,
      ...kinds.map((kind) => `${labelOf(kind)}, ms`),
      'ours / onnxruntime-web',
      'GFLOP/s of ours',
      ...kinds.map((kind) => `WebAssembly memory, ${labelOf(kind)}`),
    ],
    rows: points.map((point) => {
      const ours = timesOf(point.results, 'ours');
      return [
        label(point),
        ...kinds.map((kind) => spreadText(timesOf(point.results, kind))),
        ratioText(ratio(ours, timesOf(point.results, 'ort'))),
        ours ? (point.gigaflops / (ours.median / 1000)).toFixed(1) : '-',
        ...kinds.map((kind) => megabytes(wasmBytes(point.results, kind))),
      ];
    }),
    notes: [],
  };
}

function lines(
  title: string,
  xAxis: string,
  yAxis: string,
  points: readonly Point[],
  x: (point: Point) => number,
  y: (point: Point, kind: ContenderKind) => number | null,
): LinePanel {
  return {
    kind: 'lines',
    title,
    xAxis,
    yAxis,
    lines: kinds.map((kind) => ({
      series: colorOf[kind],
      points: points.flatMap((point) => {
        const value = y(point, kind);
        return value === null ? [] : [[x(point), value] as const];
      }),
    })),
  };
}

function reportOf(tokens: readonly Point[], batches: readonly Point[], browserVersion: string): Report {
  const seconds = (point: Point, kind: ContenderKind): number | null => {
    const times = timesOf(point.results, kind);
    return times === null ? null : times.median / 1000;
  };
  const memory = (point: Point, kind: ContenderKind): number | null => {
    const bytes = wasmBytes(point.results, kind);
    return bytes === null ? null : bytes / 1e6;
  };
  const tokensOf = (point: Point): number => point.videoTokens;
  const batchOf = (point: Point): number => point.batch;
  const audioTokens = tokenCount(base, 'audio');
  const batchTokens = batches[0]?.videoTokens ?? 0;
  const byTokens = table('Against tokens', 'video tokens', (point) => String(point.videoTokens), tokens);
  return {
    command: 'scaling',
    facts: [
      ...machineFacts(),
      ['browser', `Chromium ${browserVersion}, headless`],
      ['backend', 'WebAssembly, 1 thread'],
    ],
    tables: [
      {
        ...byTokens,
        notes: [
          `Tiny on clips of fewer or more frames, so fewer or more video tokens; ${audioTokens} audio tokens, batch 1. Memory is what the worker’s WebAssembly memories reserved, weights (80 MB) included; they never shrink.`,
        ],
      },
      {
        ...table('Against batch', 'clips', (point) => String(point.batch), batches),
        notes: [`Tiny, ${batchTokens} video and ${audioTokens} audio tokens a clip.`],
      },
    ],
    figure: {
      title: 'Scaling',
      subtitle: 'A forward pass of tiny in Chromium on WebAssembly, one thread; medians of rounds in turn',
      legend: Object.fromEntries(kinds.map((kind) => [colorOf[kind], labelOf(kind)])),
      panels: [
        lines('Time against tokens', 'video tokens', 'seconds', tokens, tokensOf, seconds),
        lines('Memory against tokens', 'video tokens', 'MB', tokens, tokensOf, memory),
        lines('Time against batch', 'clips', 'seconds', batches, batchOf, seconds),
        lines('Memory against batch', 'clips', 'MB', batches, batchOf, memory),
      ],
    },
    data: [...tokens, ...batches].map(({ results, ...point }) => ({
      ...point,
      results: Object.fromEntries(results),
    })),
  };
}
