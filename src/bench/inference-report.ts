// The tables and the chart of `bench -- inference`.
import type { BarPanel } from './charts.ts';
import { colorOf, labelOf, timesOf } from './contest.ts';
import { kinds, threadsText } from './inference-row.ts';
import type { Row } from './inference-row.ts';
import type { ContenderKind } from './page/protocol.ts';
import { megabytes, ratioText, spreadText } from './report.ts';
import type { Report, Table } from './report.ts';
import { ratio } from './statistics.ts';

/** Memory of one contender in a browser of its own. */
export interface Peak {
  readonly kind: ContenderKind;
  readonly wasmBytes: number;
  readonly processBytes: number | null;
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
      result.ok
        ? []
        : [`${labelOf(kind)} did not run ${label} with ${threadsText(threads)}: ${result.reason}`],
    ),
  );
}

const timeNotes = [
  'From normalized frames and spectrogram in JavaScript to the answer in JavaScript, one clip, after two runs to warm up.',
  'The largest difference is between the contenders’ logits (or tokens, for a block) on the same input and random weights.',
  'Stock tfjs runs our model code on its own kernels, linear layers in the layout that it is fast in. Where it needs more than 6 s, it takes part in a third of the rounds.',
];

const legend = Object.fromEntries(kinds.map((kind) => [colorOf[kind], labelOf(kind)]));

function panel(title: string, rows: readonly Row[]): BarPanel {
  return {
    kind: 'bars',
    title,
    axis: 'time against onnxruntime-web on the same device (less is faster)',
    mark: { value: 1, label: '' },
    groups: rows.map(({ label, backend, threads, results }) => ({
      label: backend === 'webgpu' ? label : `${label}, ${threadsText(threads)}`,
      bars: kinds.flatMap((kind) => {
        const own = timesOf(results, kind);
        const peer = timesOf(results, 'ort') ?? timesOf(results, 'ours');
        if (!own || !peer) return [];
        return [
          {
            series: colorOf[kind],
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

export function inferenceReport(
  rows: readonly Row[],
  peaks: readonly Peak[],
  webgpuNotes: readonly string[],
  facts: Report['facts'],
): Report {
  const wasm = rows.filter(({ backend }) => backend === 'wasm');
  const webgpu = rows.filter(({ backend }) => backend === 'webgpu');
  const tables: Table[] = [];
  if (wasm.length > 0) tables.push(timeTable('One forward pass on WebAssembly', wasm, timeNotes));
  if (webgpu.length > 0)
    tables.push(
      timeTable('One forward pass on WebGPU', webgpu, [
        ...(wasm.length > 0 ? [] : timeNotes),
        ...webgpuNotes,
      ]),
    );
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
      legend,
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
