// A predicting thread: its own tfjs and the shared parameters.
import { workerData } from 'node:worker_threads';
import { dispose } from '@tensorflow/tfjs-core';
import type { HicmaeConfig } from '../model/config.ts';
import { parameterShapes } from '../model/params.ts';
import { startBackend } from './backend.ts';
import type { FaceSet } from './faces.ts';
import { slotsOf, tensorsOf } from './flat-params.ts';
import { predictor } from './predictor.ts';
import type { PredictItems } from './predictor.ts';
import type { SharedFloats } from './shared-array.ts';
import { serve } from './threads.ts';
import type { VoiceSet } from './voices.ts';

/** Everything a thread is started with; the arrays are shared, not copied. */
export interface TrainThreadData {
  readonly config: HicmaeConfig;
  readonly bandLimitHz: number | null;
  /** The parameters. */
  readonly average: SharedFloats;
  readonly validFaces: FaceSet | null;
  readonly validVoices: VoiceSet | null;
  /** Default wasm. */
  readonly backend?: 'wasm' | 'webgpu';
}

export type TrainRequest =
  { readonly kind: 'start' } | { readonly kind: 'predict'; readonly items: PredictItems };

export type TrainReply =
  | { readonly kind: 'started'; readonly backend: string }
  | { readonly kind: 'logits'; readonly logits: number[][] };

const data = workerData as TrainThreadData;
const { slots } = slotsOf(parameterShapes(data.config));
const predict = predictor(data.config, data.bandLimitHz, data.validFaces, data.validVoices);

serve<TrainRequest, TrainReply>(async (request) => {
  if (request.kind === 'start') return { kind: 'started', backend: await startBackend(data.backend) };
  const params = tensorsOf(data.average, slots);
  try {
    return { kind: 'logits', logits: await predict(params, request.items) };
  } finally {
    dispose(params);
  }
});
