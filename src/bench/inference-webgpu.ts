// The WebGPU part of `bench -- inference`.
import type { SizeName } from '../model/config.ts';
import { agreement } from './contest.ts';
import { blockFlops, forwardFlops, wholeShape } from './flops.ts';
import { measureRow } from './inference-row.ts';
import type { Row } from './inference-row.ts';
import type { OpenPage, PageHost } from './page-host.ts';
import type { Task } from './page/protocol.ts';
import { configOf, makeTask } from './weights.ts';
import type { MadeTask } from './weights.ts';

export interface WebgpuRows {
  readonly rows: Row[];
  readonly notes: string[];
}

interface Options {
  readonly rounds: number;
  readonly sizes: readonly SizeName[];
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

/** A CPU that plays a GPU needs minutes for a whole tiny: there one of its blocks stands for it. */
export async function measureWebgpu(
  host: PageHost,
  page: OpenPage,
  { rounds, sizes, quick, say }: Options,
  software: boolean,
): Promise<WebgpuRows> {
  const rows: Row[] = [];
  const notes: string[] = [];
  const models: SizeName[] = software ? ['micro'] : ['micro', ...sizes];
  const tasks = [
    ...models.map((size) => ({ what: 'model' as const, size, label: size })),
    ...(quick ? [] : [{ what: 'block' as const, size: 'tiny' as const, label: 'one block of tiny' }]),
  ];
  for (const { what, size, label } of tasks) {
    const config = configOf(size);
    const whole = wholeShape(config);
    const standard = await makeTask(host.dataFolder, what, config, { attention: 'standard' });
    const fused = await makeTask(host.dataFolder, what, config, { attention: 'fused' });
    try {
      const chosen = await betterForm(page, label, { standard, fused });
      notes.push(...chosen.notes);
      chosen.notes.forEach(say);
      const flops =
        what === 'model' ? forwardFlops(config, whole) : blockFlops(config.width, whole.videoTokens);
      const row = {
        label,
        backend: 'webgpu',
        threads: 1,
        task: chosen.task,
        gigaflops: flops / 1e9,
      } as const;
      rows.push(await measureRow(page, rounds, say, row));
    } finally {
      await standard.remove();
      await fused.remove();
    }
  }
  if (software && !quick && sizes.includes('tiny')) {
    const note = await countDispatches(host, page);
    notes.push(note);
    say(note);
  }
  return { rows, notes };
}

/**
 * Which of the exported forms of attention onnxruntime-web's webgpu runs faster, among those that it runs rightly: its
 * own fused operator was seen to be wrong on a GPU played by the CPU.
 */
async function betterForm(
  page: OpenPage,
  label: string,
  forms: Readonly<Record<'standard' | 'fused', MadeTask>>,
): Promise<{ readonly task: Task; readonly notes: readonly string[] }> {
  const request = { backend: 'webgpu', threads: 1 } as const;
  const notes: string[] = [];
  let best = { task: forms.standard.task, ms: Infinity };
  try {
    await page.load('ours', { ...request, task: forms.standard.task });
    await page.run('ours');
    for (const form of ['standard', 'fused'] as const) {
      const { task } = forms[form];
      const about = `${label}: onnxruntime-web with ${form} attention`;
      try {
        await page.load('ort', { ...request, task });
        await page.run('ort');
        const { ms } = await page.run('ort');
        const difference = await page.compare('ours', 'ort');
        const right = difference <= agreement;
        if (right && ms < best.ms) best = { task, ms };
        notes.push(
          `${about} took ${ms.toFixed(0)} ms${right ? '' : ` but is wrong by ${difference.toExponential(1)}, so it is not used`}.`,
        );
      } catch (error) {
        notes.push(
          `${about} did not run: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`,
        );
      }
    }
  } finally {
    await page.end('ours');
    await page.end('ort');
  }
  return { task: best.task, notes };
}

/** One forward pass of the whole tiny, ours alone: too slow to measure here, but its dispatches are the same anywhere. */
async function countDispatches(host: PageHost, page: OpenPage): Promise<string> {
  const config = configOf('tiny');
  const made = await makeTask(host.dataFolder, 'model', config);
  try {
    await page.load('ours', { backend: 'webgpu', threads: 1, task: made.task });
    const { dispatches } = await page.run('ours');
    const blocks = 2 * (config.encoderDepth + config.fusionDepth);
    return `A forward pass of the whole tiny is ${dispatches} dispatches of ours, for ${blocks} transformer blocks, ${2 * config.fusionDepth} of them with cross attention.`;
  } finally {
    await page.end('ours');
    await made.remove();
  }
}
