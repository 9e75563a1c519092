// What a run will do, before it does it: steps, rates, parameters, memory, time.
import { dispose, randomUniform, zeros } from '@tensorflow/tfjs-core';
import type { Rank } from '@tensorflow/tfjs-core';
import { Problem } from '../../base/errors.ts';
import type { EncoderConfig } from '../../model/config.ts';
import { tokenCount } from '../../model/embed.ts';
import { linear } from '../../ops/linear.ts';
import { optionName } from './command-line.ts';
import type { CommonOptions, Resolved } from './run-options.ts';
import type { Split } from './run-data.ts';
import type { TrainerOptions } from '../trainer/trainer.ts';

export interface Steps {
  readonly threads: number;
  readonly partsPerThread: number;
  readonly stepsPerEpoch: number;
  readonly steps: number;
  readonly warmupSteps: number;
}

/**
 * How samples become steps.
 * @throws Problem when parts do not make up a batch
 */
export function stepsOf(options: CommonOptions, trainedCount: number, backend: 'wasm' | 'webgpu'): Steps {
  const { batch, partSize } = options;
  if (batch % partSize !== 0) {
    throw new Problem(
      'unsupported-file',
      `--batch ${String(batch)} is no multiple of --part-size ${String(partSize)}: choose a part size that divides it.`,
    );
  }
  const parts = batch / partSize;
  // A GPU's steps come from one thread. Otherwise as many threads as share the parts evenly.
  let threads = backend === 'webgpu' ? 1 : Math.min(options.threads, parts);
  while (parts % threads !== 0) threads--;
  const stepsPerEpoch = Math.floor(trainedCount / batch);
  const steps = Math.max(1, Math.round(options.epochs * stepsPerEpoch));
  return {
    threads,
    partsPerThread: parts / threads,
    stepsPerEpoch,
    steps,
    warmupSteps: Math.min(steps, Math.round(options.warmupEpochs * stepsPerEpoch)),
  };
}

/** The trainer's options of a run's. */
export function trainerOptionsOf(
  options: CommonOptions,
  steps: Steps,
  backend: 'wasm' | 'webgpu',
  patience: number,
): TrainerOptions {
  const { lr, floor, weightDecay, beta2, average, freeze, minutes, checkpointEvery, validateEvery } = options;
  return {
    steps: steps.steps,
    minutes,
    learningRate: lr,
    floor,
    warmupSteps: steps.warmupSteps,
    weightDecay,
    adamw: { beta1: 0.9, beta2, epsilon: 1e-8 },
    optimizer: 'adamw',
    averageDecay: average,
    freeze,
    threads: steps.threads,
    backend,
    partsPerThread: steps.partsPerThread,
    checkpointEveryMinutes: checkpointEvery,
    validateEverySteps: Math.max(1, Math.round(validateEvery * steps.stepsPerEpoch)),
    patience,
  };
}

/**
 * Memory of a run on the CPU, bytes: parameters with two moments, average and each thread's gradients; in each thread a
 * copy of the parameters and either their gradients or what a part's blocks keep for the backward pass, about 20 numbers a
 * token, block and channel, whichever is more (base, measured: 867 MB at one sample; recomputed 725 MB, 935 MB at four).
 */
export function memoryBytes(
  config: EncoderConfig,
  visible: Readonly<Record<'video' | 'audio', number>>,
  parameterCount: number,
  options: Pick<CommonOptions, 'partSize' | 'recompute'>,
  threads: number,
): { readonly parameters: number; readonly thread: number } {
  const { width, encoderDepth, fusionDepth } = config;
  const tokens = tokenCount(config, 'video') * visible.video + tokenCount(config, 'audio') * visible.audio;
  const perBlock = 20 * tokens * width;
  const blocks = encoderDepth + 1.5 * fusionDepth;
  const kept = options.recompute ? blocks * tokens * width : blocks * perBlock;
  const { partSize } = options;
  return {
    parameters: 4 * parameterCount * (4 + threads),
    thread: 4 * (parameterCount + Math.max(parameterCount, partSize * kept) + partSize * perBlock),
  };
}

/** Multiply-adds a second that a training step reaches on one thread here, measured in a fraction of a second. */
export async function measureRate(): Promise<number> {
  const [rows, width] = [512, 512];
  const x = randomUniform<Rank.R2>([rows, width]);
  const w = randomUniform<Rank.R2>([width, width]);
  const b = zeros<Rank.R1>([width]);
  const once = async (): Promise<void> => {
    const y = linear(x, w, b);
    await y.data();
    y.dispose();
  };
  await once();
  const begun = performance.now();
  let count = 0;
  while (performance.now() - begun < 200) {
    await once();
    count++;
  }
  const seconds = (performance.now() - begun) / 1000;
  dispose([x, w, b]);
  // Attention, norms and the optimizer run slower than a large product: about 0.8 of it on tiny.
  return (0.8 * count * rows * width * width) / seconds;
}

/** WebAssembly's memory of 32-bit addresses. */
const heapBytes = 2 ** 32;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86_400).toFixed(1)} days`;
}

export interface PlanFacts {
  readonly steps: Steps;
  readonly split: Split;
  readonly parameterCount: number;
  /** A clip's forward pass. */
  readonly multiplyAdds: number;
  readonly memory: ReturnType<typeof memoryBytes>;
  /** Multiply-adds a second and thread; null: not measured (a GPU). */
  readonly rate: number | null;
}

/** The plan in lines: every option with where it is from, and what follows from them. */
export function planOf<T extends CommonOptions>(
  { options, sources }: Resolved<T>,
  facts: PlanFacts,
): { readonly options: readonly string[]; readonly facts: readonly string[] } {
  const { steps, split, parameterCount, multiplyAdds, memory, rate } = facts;
  const values = Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const text = Array.isArray(value) ? value.join(',') : String(value);
      return `  ${optionName(name).padEnd(20)} ${text.padEnd(24)} ${sources.get(name) ?? 'default'}`;
    });
  const leftOut = Object.entries(split.leftOut).map(([why, count]) => `${String(count)} ${why}`);
  // The backward pass costs twice the forward pass; recomputing costs one more.
  const passes = options.recompute ? 4 : 3;
  const seconds = rate && (options.batch * multiplyAdds * passes) / (rate * steps.threads);
  const lines = [
    `samples: ${String(split.trained.length)} trained, ${String(split.validated.length)} held out` +
      (leftOut.length > 0 ? `; left out: ${leftOut.join(', ')}` : ''),
    `steps: ${String(steps.steps)} (${String(steps.stepsPerEpoch)} an epoch of ${String(options.batch)} samples, ${String(steps.warmupSteps)} of warm-up); ` +
      `${String(steps.threads)} threads, each ${String(steps.partsPerThread)} parts of ${String(options.partSize)} a step`,
    `parameters: ${String(parameterCount)}; a clip's forward pass: ${(multiplyAdds / 1e9).toFixed(2)} G multiply-adds`,
    `memory, roughly: ${megabytes(memory.parameters + steps.threads * memory.thread)} (parameters and optimizer ${megabytes(memory.parameters)}, each thread ${megabytes(memory.thread)})` +
      (memory.thread > heapBytes && rate !== null
        ? `; more than a thread's ${megabytes(heapBytes)}: choose a smaller --part-size, or --recompute`
        : '') +
      (memory.parameters > heapBytes
        ? `; parameters, optimizer and gradients must fit into ${megabytes(heapBytes)} together: take fewer --threads`
        : ''),
    seconds === null
      ? 'time: not estimated on a GPU; the first steps tell'
      : `time, roughly: ${seconds.toFixed(1)} s a step, ${duration(seconds * steps.steps)} in all at ${((2 * (rate ?? 0)) / 1e9).toFixed(0)} GFLOP/s a thread, measured now (decoding not counted)`,
  ];
  return { options: ['Plan', ...values], facts: lines };
}
