// The compiled kernels, and threads that help with the big ones.
import { assert } from '../../base/assert.ts';
import { withTimeout } from '../../base/timeout.ts';
import type { Heap } from './heap.ts';
import * as builds from './kernels-wasm.ts';

type Numeric = (...values: number[]) => number;

/** The module's exports: see assembly/index.ts. Pointers and byte counts, then sizes. */
export type KernelExports = Record<
  | 'usePool'
  | 'jobBytes'
  | 'help'
  | 'gemm'
  | 'gemmScratchBytes'
  | 'gelu'
  | 'geluGrad'
  | 'add'
  | 'scaleGroups'
  | 'columnSum'
  | 'tokenMean'
  | 'layerNorm'
  | 'layerNormGrad'
  | 'attention'
  | 'attentionScratchBytes'
  | 'attentionGrad'
  | 'attentionGradScratchBytes'
  | 'gatherRows'
  | 'scatterRows'
  | 'adamw'
  | 'approach'
  | 'scaleAndSquare',
  Numeric
>;

/** The kernels bound to one heap. */
export interface Kernels {
  readonly exports: KernelExports;
  /** How many threads run the big kernels. */
  readonly threadCount: number;
  /** Whether multiply-add is fused. */
  readonly fused: boolean;
  /**
   * Scratch for every thread: `byteCount` bytes each, `step` bytes apart; valid until the next call, and kept between
   * kernels, since they never overlap.
   */
  scratch(byteCount: number): { readonly pointer: number; readonly step: number };
  /** Ends the helpers. */
  close(): void;
}

/** What a helper thread is started with. */
export interface HelperStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Pointer of the job block. */
  readonly job: number;
  readonly threadCount: number;
  /** 1..threadCount - 1. */
  readonly thread: number;
}

/** A thread that will call {@link help}; made by whoever knows how threads are made here. */
export interface Helper {
  /** Sends what the thread needs; settles once it is about to help. */
  start(start: HelperStart): Promise<void>;
  close(): void;
}

/** A browser that cannot start a worker in this time runs the kernels on one thread. */
const helperLimitMs = 10_000;

export function decodeBuild(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/**
 * The best build that this engine accepts, or undefined when it has no SIMD or no threads.
 * @param wide the wide build, base64, where it is wanted: see wide.ts
 */
export function chooseBuild(
  allowFused: boolean,
  wide?: string,
): { bytes: Uint8Array<ArrayBuffer>; fused: boolean } | undefined {
  for (const fused of allowFused ? [true, false] : [false]) {
    const bytes = decodeBuild(fused ? (wide ?? builds.fused) : builds.plain);
    if (WebAssembly.validate(bytes)) return { bytes, fused };
  }
  return undefined;
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as KernelExports;
}

/**
 * Compiles the kernels for a heap.
 * @param helpers threads beside this one; where one of them fails, none helps
 * @returns undefined when this engine lacks WebAssembly SIMD or threads
 */
export async function loadKernels(
  heap: Heap,
  helpers: readonly Helper[],
  allowFused: boolean,
  wide?: string,
): Promise<{ kernels: Kernels; trouble: string | null } | undefined> {
  const build = chooseBuild(allowFused, wide);
  if (!build) return undefined;
  const module = await WebAssembly.compile(build.bytes);
  const exports = instantiate(module, heap.memory);
  const jobBytes = exports.jobBytes();
  const job = heap.allocate(jobBytes);
  heap.integers(job, jobBytes / 4).fill(0);
  let threadCount = helpers.length + 1;
  let trouble: string | null = null;
  try {
    await withTimeout(
      Promise.all(
        helpers.map((helper, i) =>
          helper.start({ module, memory: heap.memory, job, threadCount, thread: i + 1 }),
        ),
      ),
      helperLimitMs,
      'they did not start',
    );
  } catch (error) {
    trouble = `no helper threads (${error instanceof Error ? error.message : String(error)})`;
    for (const helper of helpers) helper.close();
    threadCount = 1;
  }
  exports.usePool(job, threadCount, 0);
  let pointer = 0;
  let capacity = 0;
  const kernels: Kernels = {
    exports,
    threadCount,
    fused: build.fused,
    scratch(byteCount) {
      const step = Math.ceil(byteCount / 64) * 64 + 64;
      if (step * threadCount > capacity) {
        if (pointer !== 0) heap.release(pointer);
        pointer = 0;
        capacity = step * threadCount;
        pointer = heap.allocate(capacity);
      }
      return { pointer, step };
    },
    close() {
      for (const helper of helpers) helper.close();
    },
  };
  return { kernels, trouble };
}

/** A helper thread's whole life; tells `ready` and never returns. */
export function help({ module, memory, job, threadCount, thread }: HelperStart, ready: () => void): void {
  assert(thread > 0 && thread < threadCount, `helper ${thread} of ${threadCount} threads`);
  const exports = instantiate(module, memory);
  exports.usePool(job, threadCount, thread);
  ready();
  exports.help();
}
