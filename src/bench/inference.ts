// `bench -- inference`: one forward pass in Chromium, ours against stock tfjs and onnxruntime-web with the same weights.
import type { SizeName } from '../model/config.ts';
import { labelOf } from './contest.ts';
import { forwardFlops, wholeShape } from './flops.ts';
import { inferenceReport } from './inference-report.ts';
import type { Peak } from './inference-report.ts';
import { kinds, measureRow } from './inference-row.ts';
import type { Row } from './inference-row.ts';
import { measureWebgpu } from './inference-webgpu.ts';
import { machineFacts } from './machine.ts';
import { startPageHost } from './page-host.ts';
import type { OpenPage, PageHost } from './page-host.ts';
import type { ContenderBackend } from './page/protocol.ts';
import { megabytes } from './report.ts';
import type { Report } from './report.ts';
import { configOf, makeTask } from './weights.ts';

export interface InferenceOptions {
  readonly rounds: number;
  readonly sizes: readonly SizeName[];
  readonly backends: readonly ContenderBackend[];
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

const threadCounts = [1, 2] as const;

export async function benchInference(options: InferenceOptions): Promise<Report> {
  const { say } = options;
  say('Building the measuring page ...');
  const host = await startPageHost();
  try {
    const page = await host.open();
    const rows: Row[] = [];
    const webgpuNotes: string[] = [];
    let browserVersion: string;
    let adapterName: string;
    try {
      ({ browserVersion } = page);
      const adapter = await page.adapter();
      adapterName = adapter ? adapter.name + (adapter.software ? ' (played by the CPU)' : '') : 'none';
      if (options.backends.includes('wasm')) await measureWasm(host, page, options, rows);
      if (options.backends.includes('webgpu') && adapter) {
        const webgpu = await measureWebgpu(host, page, options, adapter.software);
        rows.push(...webgpu.rows);
        webgpuNotes.push(...webgpu.notes);
      }
    } finally {
      await page.close();
    }
    const peaks =
      options.backends.includes('wasm') && options.sizes.includes('tiny') && !options.quick
        ? await measurePeaks(host, say)
        : [];
    return inferenceReport(rows, peaks, webgpuNotes, [
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
        const gigaflops = forwardFlops(config, wholeShape(config)) / 1e9;
        const row = { label: size, backend: 'wasm', threads, task: made.task, gigaflops } as const;
        rows.push(await measureRow(page, options.rounds, options.say, row));
      }
    } finally {
      await made.remove();
    }
  }
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
