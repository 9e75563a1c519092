// How the shipped models are made: every option of every stage, so that one command makes one again (reproduce.ts).
import type { Dtype } from '../weights/safetensors.ts';
import type { StillsOptions } from './finetune-stills.ts';
import type { PretrainStillsOptions } from './pretrain-stills.ts';
import type { DataOptions } from './stills/training-data.ts';

/** What a recipe leaves open: where data and runs lie, and what computes. */
type Open =
  | Exclude<keyof DataOptions, 'threads'>
  | ('out' | 'resume' | 'checkpointEvery' | 'validateEvery' | 'backend' | 'from' | 'widen' | 'minutes');

export interface FinetuneStage extends Omit<StillsOptions, Open> {
  /** What comes of it is the mean of the weights that it began and ended with, held as the exported ones (a model soup). */
  readonly soup?: true;
}

export interface Recipe {
  /** What the first fine-tuning starts from: pre-training, or a narrower shipped model (a folder of models/), widened. */
  readonly begin: { readonly pretrain: Omit<PretrainStillsOptions, Open> } | { readonly widen: string };
  /** One after the other, each from the weights of the one before. */
  readonly finetune: readonly FinetuneStage[];
  /** How the exported weights are held. */
  readonly dtype: Dtype;
}

/** Threads draw their own random numbers, so their number belongs to a recipe. */
const common = { size: 'nano', seed: 1, threads: 2, weightDecay: 0.05, optimizer: 'muon' } as const;

/** What all fine-tunings see, and how the labels count. */
const mixture = {
  batchFaces: 112,
  pairs: 16,
  balance: 0.3,
  keepFaces: 0.75,
  blendVoices: 0,
  faceChanges: 1,
  voiceChanges: 1,
  layerDecay: 1,
  smoothing: 0.1,
} as const;

/** What a fine-tuning of fine-tuned weights takes. */
const further = {
  ...common,
  ...mixture,
  keepVoices: 0.5,
  lr: 5e-4,
  warmup: 40,
  dropPath: 0.05,
  average: 0.995,
} as const;

/** Trained too, twice the width reads voices of people never heard worse; there are few to learn from. */
const voicesFrozen = {
  ...further,
  size: 'mini',
  freeze: ['encoder_audio', 'audio_layer_weights'],
  batchFaces: 208,
  pairs: 32,
  soup: true,
} as const;

export const recipes: Readonly<Record<string, Recipe>> = {
  nano: {
    begin: {
      pretrain: {
        ...common,
        steps: 3000,
        batchFaces: 64,
        batchVoices: 64,
        maskFaces: 0.75,
        maskVoices: 0.8,
        skips: true,
        lr: 1e-3,
        warmup: 100,
      },
    },
    finetune: [
      {
        ...common,
        ...mixture,
        steps: 4600,
        batchVoices: 64,
        keepVoices: 0.6,
        lr: 1e-3,
        warmup: 200,
        dropPath: 0.05,
        average: 0.998,
      },
      {
        ...common,
        ...mixture,
        seed: 2,
        steps: 2200,
        batchVoices: 48,
        keepVoices: 0.5,
        lr: 7e-4,
        warmup: 100,
        dropPath: 0.08,
        average: 0.997,
      },
      {
        ...further,
        seed: 3,
        steps: 700,
        batchVoices: 64,
      },
      {
        ...further,
        seed: 4,
        steps: 900,
        batchVoices: 96,
        lr: 6e-4,
      },
      {
        ...further,
        seed: 5,
        steps: 420,
        batchFaces: 64,
        batchVoices: 112,
        lr: 4e-4,
        average: 0.993,
        soup: true,
      },
    ],
    dtype: 'I8',
  },
  mini: {
    begin: { widen: 'nano' },
    finetune: [
      {
        ...voicesFrozen,
        steps: 300,
        batchVoices: 64,
        lr: 4e-4,
      },
      {
        ...voicesFrozen,
        seed: 2,
        steps: 640,
        batchVoices: 48,
      },
    ],
    dtype: 'I8',
  },
};
