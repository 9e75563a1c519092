// A training thread: its own tfjs, the shared parameters, its own gradients.
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
import { trainStep } from './train-step.ts';
import type { StepLosses, StepOptions } from './train-step.ts';
import type { VoiceSet } from './voices.ts';

/** Everything a thread is started with; the arrays are shared, not copied. */
export interface TrainThreadData {
  readonly config: HicmaeConfig;
  readonly bandLimitHz: number | null;
  readonly params: SharedFloats;
  /** The running average of the parameters. */
  readonly average: SharedFloats;
  readonly gradients: SharedFloats;
  readonly faces: FaceSet | null;
  readonly voices: VoiceSet | null;
  readonly validFaces: FaceSet | null;
  readonly validVoices: VoiceSet | null;
  /** Default wasm. */
  readonly backend?: 'wasm' | 'webgpu';
  readonly thread: number;
  readonly threadCount: number;
  /** Absent when the thread only predicts. */
  readonly step: StepOptions | null;
}

export type TrainRequest =
  | { readonly kind: 'start' }
  | { readonly kind: 'step'; readonly step: number }
  /** Logits of validation faces and voices by the averaged parameters. */
  | { readonly kind: 'predict'; readonly items: PredictItems };

export type TrainReply =
  | { readonly kind: 'started'; readonly backend: string }
  | { readonly kind: 'losses'; readonly losses: StepLosses }
  | { readonly kind: 'logits'; readonly logits: number[][] };

const data = workerData as TrainThreadData;
const { slots } = slotsOf(parameterShapes(data.config));
const step =
  data.step &&
  trainStep(
    data.config,
    data.bandLimitHz,
    data.faces,
    data.voices,
    slots,
    data.thread,
    data.threadCount,
    data.step,
  );
const predict = predictor(data.config, data.bandLimitHz, data.validFaces, data.validVoices);

serve<TrainRequest, TrainReply>(async (request) => {
  switch (request.kind) {
    case 'start':
      return { kind: 'started', backend: await startBackend(data.backend) };
    case 'step':
      if (!step) throw new Error('internal: this thread only predicts');
      return { kind: 'losses', losses: await step(request.step, data.params, data.gradients) };
    case 'predict': {
      const params = tensorsOf(data.average, slots);
      try {
        return { kind: 'logits', logits: await predict(params, request.items) };
      } finally {
        dispose(params);
      }
    }
  }
});
