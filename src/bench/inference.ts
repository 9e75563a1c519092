// `bench -- inference`: one forward pass in Chromium, ours against stock tfjs and onnxruntime-web with the same weights.
import { sizes } from '../model/config.ts';
import type { HicmaeConfig, SizeName } from '../model/config.ts';
import type { BarPanel } from './charts.ts';
import { contest, labelOf, timesOf } from './contest.ts';
import type { Results } from './contest.ts';
import { forwardFlops, wholeShape } from './flops.ts';
import { machineFacts } from './machine.ts';
import type { OpenPage, PageHost } from './page-host.ts';
import { startPageHost } from './page-host.ts';
import type { ContenderBackend, ContenderKind, Task } from './page/protocol.ts';
import { megabytes, ratioText, spreadText } from './report.ts';
import type { Report, Table } from './report.ts';
import { ratio } from './statistics.ts';
import { makeTask } from './weights.ts';

export interface InferenceOptions {
  readonly rounds: number;
  readonly sizes: readonly SizeName[];
  readonly backends: readonly ContenderBackend[];
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

/** One measured row. */
interface Row {
  readonly label: string;
  readonly backend: ContenderBackend;
  readonly threads: number;
  readonly what: Task['what'];
  readonly results: Results;
  readonly gigaflops: number;
}

interface Peak {
  readonly kind: ContenderKind;
  readonly wasmBytes: number;
  readonly processBytes: number | null;
}

const kinds: readonly ContenderKind[] = ['ours', 'ort', 'tfjs'];
const threadCounts = [1, 2] as const;

export function configOf(size: SizeName): HicmaeConfig {
  return { ...sizes[size], classCount: 7 };
}

export async function benchInference(options: InferenceOptions): Promise<Report> {
  const { say } = options;
  say('Building the measuring page ...');
  const host = await startPageHost();
  try {
    const page = await host.open();
    const rows: Row[] = [];
    let browserVersion: string;
    let adapterName: string;
    try {
      ({ browserVersion } = page);
      const adapter = await page.adapter();
      adapterName = adapter ? adapter.name + (adapter.software ? ' (played by the CPU)' : '') : 'none';
      if (options.backends.includes('wasm')) await measureWasm(host, page, options, rows);
      if (options.backends.includes('webgpu') && adapter) {
        await measureWebgpu(host, page, options, adapter.software, rows);
      }
    } finally {
      await page.close();
    }
    const peaks =
      options.backends.includes('wasm') && options.sizes.includes('tiny') && !options.quick
        ? await measurePeaks(host, say)
        : [];
    return reportOf(rows, peaks, [
      ...machineFacts(),
      ['browser', `Chromium ${browserVersion}, headless`],
      ['WebGPU adapter', adapterName],
    ]);
  } finally {
    await host.close();
  }
}

async function measureWasm(
  host: PageHost,
  page: OpenPage,
  options: InferenceOptions,
  rows: Row[],
): Promise<void> {
  for (const size of options.sizes) {
    const config = configOf(size);
    const made = await makeTask(host.dataFolder, 'model', config);
    try {
      for (const threads of threadCounts) {
        if (options.quick && threads > 1 && size !== 'nano') continue;
        await measure(page, options, rows, {
          label: size,
          backend: 'wasm',
          threads,
          task: made.task,
          flops: forwardFlops(config, wholeShape(config)),
        });
      }
    } finally {
      await made.remove();
    }
  }
}

/** A CPU that plays a GPU needs minutes for a whole tiny: there one of its blocks stands for it. */
async function measureWebgpu(
  host: PageHost,
  page: OpenPage,
  options: InferenceOptions,
  software: boolean,
  rows: Row[],
): Promise<void> {
  const models: SizeName[] = software ? ['micro'] : ['micro', ...options.sizes];
  const tasks = [
    ...models.map((size) => ({ what: 'model' as const, size, label: size })),
    ...(options.quick ? [] : [{ what: 'block' as const, size: 'tiny' as const, label: 'one block of tiny' }]),
  ];
  for (const { what, size, label } of tasks) {
    const config = configOf(size);
    const made = await makeTask(host.dataFolder, what, config, { attention: 'fused' });
    try {
      await measure(page, options, rows, {
        label,
        backend: 'webgpu',
        threads: 1,
        task: made.task,
        flops: what === 'model' ? forwardFlops(config, wholeShape(config)) : 0,
      });
    } finally {
      await made.remove();
    }
  }
}

async function measure(
  page: OpenPage,
  { rounds, say }: InferenceOptions,
  rows: Row[],
  row: {
    readonly label: string;
    readonly backend: ContenderBackend;
    readonly threads: number;
    readonly task: Task;
    readonly flops: number;
  },
): Promise<void> {
  const { label, backend, threads, task } = row;
  const results = await contest(page, { backend, threads, task, kinds, rounds });
  rows.push({ label, backend, threads, what: task.what, results, gigaflops: row.flops / 1e9 });
  const words = kinds.map((kind) => `${labelOf(kind)} ${spreadText(timesOf(results, kind))}`).join('; ');
  say(`${label}, ${backend}, ${threads} thread${threads === 1 ? '' : 's'}: ${words}`);
}

/** Tiny in a fresh browser for each contender, so that no other's memory is counted. */
async function measurePeaks(host: PageHost, say: (line: string) => void): Promise<Peak[]> {
  const made = await makeTask(host.dataFolder, 'model', configOf('tiny'));
  const peaks: Peak[] = [];
  try {
    for (const kind of kinds) {
      const page = await host.open();
      try {
        await page.load(kind, { backend: 'wasm', threads: 1, task: made.task });
        await page.run(kind);
        const { wasmBytes } = await page.run(kind);
        const processBytes = await page.peakBytes();
        peaks.push({ kind, wasmBytes, processBytes });
        say(
          `memory of tiny, ${labelOf(kind)}: wasm ${megabytes(wasmBytes)}, process ${megabytes(processBytes)}`,
        );
      } finally {
        await page.close();
      }
    }
  } finally {
    await made.remove();
  }
  return peaks;
}

function timeTable(title: string, rows: readonly Row[], notes: readonly string[]): Table {
  const gpu = rows.some(({ backend }) => backend === 'webgpu');
  return {
    title,
    columns: [
      gpu ? 'model' : 'size, threads',
      ...kinds.map((kind) => `${labelOf(kind)}, ms`),
      'ours / onnxruntime-web',
      'ours / stock tfjs',
      ...(gpu ? kinds.map((kind) => `dispatches, ${labelOf(kind)}`) : ['GFLOP/s of ours']),
      'largest difference',
    ],
    rows: rows.map(({ label, threads, results, gigaflops }) => {
      const ours = timesOf(results, 'ours');
      const differences = [...results.values()].map((result) => (result.ok ? result.difference : 0));
      const dispatches = kinds.map((kind) => {
        const result = results.get(kind);
        return result?.ok === true ? String(result.dispatches) : '-';
      });
      return [
        gpu ? label : `${label}, ${threads}`,
        ...kinds.map((kind) => spreadText(timesOf(results, kind))),
        ratioText(ratio(ours, timesOf(results, 'ort'))),
        ratioText(ratio(ours, timesOf(results, 'tfjs'))),
        ...(gpu ? dispatches : [ours ? (gigaflops / (ours.median / 1000)).toFixed(1) : '-']),
        Math.max(...differences).toExponential(1),
      ];
    }),
    notes: [...notes, ...failureNotes(rows)],
  };
}

function failureNotes(rows: readonly Row[]): string[] {
  return rows.flatMap(({ label, threads, results }) =>
    [...results].flatMap(([kind, result]) =>
      result.ok ? [] : [`${labelOf(kind)} did not run ${label} with ${threads} thread(s): ${result.reason}`],
    ),
  );
}

const timeNotes = [
  'From normalized frames and spectrogram in JavaScript to the answer in JavaScript, one clip, after two runs to warm up.',
  'The largest difference is between the contenders’ logits (or tokens, for a block) on the same input and random weights.',
  'Stock tfjs runs our model code on its own kernels, linear layers in the layout that it is fast in. A contender that needs more than 6 s takes part in half of the rounds.',
];

function panel(title: string, rows: readonly Row[]): BarPanel {
  return {
    kind: 'bars',
    title,
    axis: 'time against onnxruntime-web on the same device (less is faster)',
    mark: { value: 1, label: '' },
    groups: rows.map(({ label, backend, threads, results }) => ({
      label: backend === 'webgpu' ? label : `${label}, ${threads} thread${threads === 1 ? '' : 's'}`,
      bars: kinds.flatMap((kind, series) => {
        const own = timesOf(results, kind);
        const peer = timesOf(results, 'ort') ?? timesOf(results, 'ours');
        if (!own || !peer) return [];
        return [
          {
            series,
            value: own.median / peer.median,
            low: own.min / peer.median,
            high: own.max / peer.median,
            text: `${(own.median / peer.median).toFixed(2)} (${spreadWord(own.median)})`,
          },
        ];
      }),
    })),
  };
}

function spreadWord(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

function reportOf(rows: readonly Row[], peaks: readonly Peak[], facts: Report['facts']): Report {
  const wasm = rows.filter(({ backend }) => backend === 'wasm');
  const webgpu = rows.filter(({ backend }) => backend === 'webgpu');
  const tables: Table[] = [];
  if (wasm.length > 0) tables.push(timeTable('One forward pass on WebAssembly', wasm, timeNotes));
  if (webgpu.length > 0)
    tables.push(timeTable('One forward pass on WebGPU', webgpu, wasm.length > 0 ? [] : timeNotes));
  if (peaks.length > 0) {
    tables.push({
      title: 'Peak memory, tiny, WebAssembly, 1 thread',
      columns: ['contender', 'WebAssembly memory', 'process'],
      rows: peaks.map(({ kind, wasmBytes, processBytes }) => [
        labelOf(kind),
        megabytes(wasmBytes),
        megabytes(processBytes),
      ]),
      notes: [
        'WebAssembly memory is what the worker reserved and never gives back. Process is the most that the page’s process had resident (VmHWM on Linux), the browser’s own part and the download of the weights included; each contender in a fresh browser.',
      ],
    });
  }
  const lines = [...new Set(rows.flatMap(({ results }) => [...results.values()]))];
  const details = [...new Set(lines.map((result) => (result.ok ? result.detail : '')))].filter(Boolean);
  return {
    command: 'inference',
    facts: [...facts, ['backends', details.join('; ')]],
    tables,
    figure: {
      title: 'Inference',
      subtitle:
        'One clip through the model in Chromium; medians of rounds in turn, whiskers from least to most',
      legend: kinds.map(labelOf),
      panels: [
        ...(wasm.length > 0 ? [panel('WebAssembly', wasm)] : []),
        ...(webgpu.length > 0
          ? [panel(`WebGPU: ${facts.find(([name]) => name === 'WebGPU adapter')?.[1] ?? ''}`, webgpu)]
          : []),
      ],
    },
    data: {
      rows: rows.map(({ results, ...row }) => ({ ...row, results: Object.fromEntries(results) })),
      peaks,
    },
  };
}
