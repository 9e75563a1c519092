// `bench -- gpu`: one forward pass in Node on a GPU, through Dawn: in 32 and in 16 bits, and how near it comes to what the
// same GPU does in a plain product.
import { dispose, randomNormal, slice, tensor3d } from '@tensorflow/tfjs-core';
import type { Rank } from '@tensorflow/tfjs-core';
import { random } from '../base/random.ts';
import type { SizeName } from '../model/config.ts';
import { patchLength, tokenCount } from '../model/embed.ts';
import { forwardClassify } from '../model/hicmae.ts';
import { initParams } from '../model/params.ts';
import type { Modality } from '../model/params.ts';
import { gemm } from '../ops/matmul.ts';
import { registerWebgpuKernels } from '../ops/webgpu/register.ts';
import { startWebgpu } from '../train/base/webgpu.ts';
import { forwardFlops, productFlops, wholeShape } from './flops.ts';
import { machineFacts } from './machine.ts';
import { maxDifference } from './page/difference.ts';
import { spreadText } from './report.ts';
import type { Report } from './report.ts';
import { alternate } from './statistics.ts';
import type { Spread } from './statistics.ts';
import { configOf } from './weights.ts';

export interface GpuOptions {
  readonly rounds: number;
  readonly sizes: readonly SizeName[];
  /** Side of the square matrices whose product is the yardstick. */
  readonly productSize: number;
  readonly say: (line: string) => void;
}

interface Row {
  readonly size: SizeName;
  readonly bits: 32 | 16;
  readonly times: Spread;
  readonly gigaflops: number;
  readonly dispatches: number;
  /** From the 32-bit logits. */
  readonly difference: number;
}

/** Milliseconds until the answer is back. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await run();
  return performance.now() - begun;
}

/** GFLOP/s of a square product of ours in 32 bits. */
async function productRate(size: number, rounds: number): Promise<number> {
  const [a, b] = [randomNormal<Rank.R2>([size, size]), randomNormal<Rank.R2>([size, size])];
  // Reading back the whole product would be timed too.
  const run = async (): Promise<void> => {
    const product = gemm(a, b, { transposeB: true });
    const row = slice(product, [0, 0], [1, size]);
    await row.data();
    dispose([product, row]);
  };
  await run();
  const times = await alternate([{ name: 'product', rounds, measure: () => timed(run) }]);
  dispose([a, b]);
  return productFlops(size, size, size) / 1e6 / (times.get('product')?.min ?? NaN);
}

async function measure(size: SizeName, rounds: number, widths: readonly (32 | 16)[]): Promise<Row[]> {
  const config = configOf(size);
  const params = initParams(config, random(7), 'xavier');
  const source = random(8);
  const batch = (modality: Modality) => {
    const shape = [1, tokenCount(config, modality), patchLength(config, modality)] as const;
    const values = Float32Array.from({ length: shape[1] * shape[2] }, () => source.normal());
    return { patches: tensor3d(values, [...shape]), positions: null };
  };
  const [video, audio] = [batch('video'), batch('audio')];
  const logits = new Map<number, Float32Array>();
  const run = async (bits: 32 | 16): Promise<void> => {
    await registerWebgpuKernels({ half: bits === 16 });
    const output = forwardClassify(params, config, video, audio);
    logits.set(bits, await output.data<'float32'>());
    output.dispose();
  };
  const dispatches = new Map<number, number>();
  const encoder = GPUComputePassEncoder.prototype;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called on its own object below
  const original = encoder.dispatchWorkgroups;
  for (const bits of widths) {
    await run(bits);
    let count = 0;
    encoder.dispatchWorkgroups = function (x, y, z) {
      count++;
      original.call(this, x, y, z);
    };
    await run(bits);
    encoder.dispatchWorkgroups = original;
    dispatches.set(bits, count);
  }
  const times = await alternate(
    widths.map((bits) => ({ name: String(bits), rounds, measure: () => timed(() => run(bits)) })),
  );
  dispose([params, video.patches, audio.patches]);
  const exact = logits.get(32) ?? new Float32Array();
  return widths.map((bits) => ({
    size,
    bits,
    times: times.get(String(bits))!,
    gigaflops: forwardFlops(config, wholeShape(config)) / 1e9,
    dispatches: dispatches.get(bits) ?? 0,
    difference: maxDifference(logits.get(bits) ?? new Float32Array(), exact),
  }));
}

/** @throws Problem `worker-failed` when Dawn finds no adapter; one played by the CPU is measured, and named */
export async function benchGpu({ rounds, sizes, productSize, say }: GpuOptions): Promise<Report> {
  const reason = await startWebgpu();
  say(reason);
  const { reason: halfReason } = await registerWebgpuKernels({ half: true });
  const widths = halfReason.includes('16-bit') ? ([32, 16] as const) : ([32] as const);
  await registerWebgpuKernels();
  const rate = await productRate(productSize, rounds);
  say(`a product of ${productSize} x ${productSize} in 32 bits: ${rate.toFixed(0)} GFLOP/s`);
  const rows: Row[] = [];
  for (const size of sizes) {
    const measured = await measure(size, rounds, widths);
    rows.push(...measured);
    for (const row of measured) say(`${size}, ${row.bits} bits: ${spreadText(row.times)} ms`);
  }
  const rateOf = ({ gigaflops, times }: Row): number => gigaflops / (times.median / 1000);
  return {
    command: 'gpu',
    facts: [
      ...machineFacts(),
      ['adapter', reason],
      ['product', `${productSize} x ${productSize} in 32 bits: ${rate.toFixed(0)} GFLOP/s`],
    ],
    tables: [
      {
        title: 'One forward pass in Node on WebGPU (Dawn)',
        columns: [
          'size',
          'bits',
          'ms',
          'GFLOP/s',
          'of the product’s rate',
          'dispatches',
          'largest difference',
        ],
        rows: rows.map((row) => [
          row.size,
          String(row.bits),
          spreadText(row.times),
          rateOf(row).toFixed(0),
          `${((100 * rateOf(row)) / rate).toFixed(0)} %`,
          String(row.dispatches),
          row.difference.toExponential(1),
        ]),
        notes: [
          'One clip that is on the GPU already, until its logits are back. The product is ours too, in 32 bits.',
          'The largest difference is from the logits in 32 bits, random weights.',
          ...(widths.length === 1 ? ['This device has no 16-bit floats (shader-f16).'] : []),
        ],
      },
    ],
    figure: {
      title: 'GPU',
      subtitle: `One forward pass in Node: ${reason}`,
      legend: { 0: '32 bits', 1: '16 bits' },
      panels: [
        {
          kind: 'bars',
          title: 'Time',
          axis: 'ms (less is faster)',
          groups: sizes.map((size) => ({
            label: size,
            bars: rows
              .filter((row) => row.size === size)
              .map(({ bits, times }) => ({
                series: bits === 32 ? 0 : 1,
                value: times.median,
                low: times.min,
                high: times.max,
                text: `${times.median.toFixed(1)} ms`,
              })),
          })),
        },
      ],
    },
    data: { rate, rows },
  };
}
