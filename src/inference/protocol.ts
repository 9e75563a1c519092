// Every message that crosses the worker boundary. Types only: no tfjs on the page's main thread.
import type { ProblemKind } from '../base/errors.ts';
import type { Clip, ClipSpec } from '../clip/spec.ts';

export type BackendName = 'webgpu' | 'wasm' | 'cpu';

/** The backend in use, and why the faster ones are not: for example `webgpu: no adapter`. */
export interface BackendChoice {
  readonly name: BackendName;
  readonly reason: string;
}

/** What the page needs to know of the loaded model. */
export interface ModelSummary {
  readonly name: string;
  readonly labels: readonly string[];
  readonly clip: ClipSpec;
  /** Whether the model was trained to read a face alone or a voice alone. */
  readonly missingModalities: boolean;
  /** A reading whose greatest probability is below this, 0..1, is uncertain; 0: none ever is. */
  readonly uncertainBelow: number;
}

export interface LoadRequest {
  readonly type: 'load';
  readonly id: number;
  /** URL of the model's folder, ending in a slash. */
  readonly modelUrl: string;
  /** `auto` tries webgpu, then wasm, then cpu; a name tries only that one. */
  readonly backend: BackendName | 'auto';
  /** Threads of the wasm kernels; null chooses. */
  readonly threadCount: number | null;
}

export interface PredictRequest {
  readonly type: 'predict';
  readonly id: number;
  readonly clip: Clip;
}

export type Request = LoadRequest | PredictRequest;

export interface ProgressReply {
  readonly type: 'progress';
  readonly id: number;
  readonly stage: 'backend' | 'download' | 'warm-up';
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface LoadedReply {
  readonly type: 'loaded';
  readonly id: number;
  readonly model: ModelSummary;
  readonly backend: BackendChoice;
}

export interface Prediction {
  /** Probability of each label, calibrated if the model is, in the labels' order; they sum to 1. */
  readonly probabilities: Float32Array;
  /** Which modalities the clip had. */
  readonly modalities: { readonly face: boolean; readonly voice: boolean };
  /** Front ends and forward pass, milliseconds. */
  readonly inferenceMs: number;
}

export interface PredictedReply {
  readonly type: 'predicted';
  readonly id: number;
  readonly prediction: Prediction;
}

export interface FailedReply {
  readonly type: 'failed';
  readonly id: number;
  readonly kind: ProblemKind;
  readonly message: string;
}

export type Reply = ProgressReply | LoadedReply | PredictedReply | FailedReply;
