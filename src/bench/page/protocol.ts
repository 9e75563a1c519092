// What the measuring page and its workers say to each other, and what the command asks of the page.
import type { HicmaeConfig } from '../../model/config.ts';

/** Ours, and the two peers: stock tfjs running the composite ops, and onnxruntime-web running the exported model. */
export type ContenderKind = 'ours' | 'tfjs' | 'ort';

export type ContenderBackend = 'wasm' | 'webgpu';

/** A place of one parameter in the file of weights, in float32 numbers. */
export interface WeightSlot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** What every contender computes on the same numbers. */
export interface Task {
  /** The whole classifier on patches, or the first block of the video encoder alone on tokens. */
  readonly what: 'model' | 'block';
  readonly config: HicmaeConfig;
  readonly batch: number;
  /** Raw float32 numbers. */
  readonly weightsUrl: string;
  readonly slots: readonly WeightSlot[];
  readonly onnxUrl: string;
}

export interface LoadRequest {
  readonly type: 'load';
  readonly backend: ContenderBackend;
  readonly threads: number;
  readonly task: Task;
}

export type Request = LoadRequest | { readonly type: 'run' } | { readonly type: 'dispose' };

export interface Loaded {
  readonly type: 'loaded';
  /** What runs, in words. */
  readonly detail: string;
}

export interface Ran {
  readonly type: 'ran';
  /** From the numbers in JavaScript to the answer in JavaScript. */
  readonly ms: number;
  /** The classifier's logits less their mean, clip by clip, or the block's tokens. */
  readonly output: Float32Array;
  /** All WebAssembly memories of the worker, bytes; they never shrink. */
  readonly wasmBytes: number;
  /** Compute dispatches of this run on webgpu, or 0. */
  readonly dispatches: number;
}

export type Answer = Loaded | Ran | { readonly type: 'disposed' };
export type Reply = Answer | { readonly type: 'failed'; readonly message: string };

/** A run as the command sees it: the output stays in the page. */
export type RunFigures = Omit<Ran, 'output' | 'type'>;

/** What the page offers the command, as `window.bench`. */
export interface BenchPage {
  /** Starts a worker and loads the task; the detail. */
  load(kind: ContenderKind, request: Omit<LoadRequest, 'type'>): Promise<string>;
  run(kind: ContenderKind): Promise<RunFigures>;
  /** The largest difference of two contenders' last outputs; infinite when either has a NaN. */
  compare(a: ContenderKind, b: ContenderKind): number;
  /** Ends the worker. */
  end(kind: ContenderKind): void;
  /** The adapter's name and whether it is a GPU played by the CPU; null without one. */
  adapter(): Promise<{ readonly name: string; readonly software: boolean } | null>;
}

declare global {
  interface Window {
    bench: BenchPage;
  }
}
