// How the shipped models are made: every option of every stage, so that one command makes one again (reproduce.ts).
import type { Dtype } from '../../weights/safetensors.ts';
import type { StillsOptions } from '../commands/finetune-stills.ts';
import type { DataOptions } from '../data/stills/training-data.ts';

/** What a recipe leaves open: where data and runs lie, and what computes. */
type Open =
  | Exclude<keyof DataOptions, 'threads'>
  | ('out' | 'resume' | 'checkpointEvery' | 'validateEvery' | 'backend' | 'from' | 'widen' | 'minutes');

export interface FinetuneStage extends Omit<StillsOptions, Open> {
  /** Name of the run's folder: recipes share the runs that they have in common. */
  readonly run: string;
}

export interface Recipe {
  /**
   * One after the other: the first from fresh weights, each from those of the one before, and where its size is greater from
   * these as they would be exported, widened.
   */
  readonly finetune: readonly FinetuneStage[];
  /** How the exported weights are held. */
  readonly dtype: Dtype;
}

/** Threads draw their own random numbers, so their number belongs to a recipe. */
const common = { size: 'nano', seed: 1, threads: 2, weightDecay: 0.05, optimizer: 'muon' } as const;

/** What most fine-tunings see, and how the labels count. */
const mixture = {
  batchFaces: 112,
  pairs: 16,
  balance: 0.3,
  surprisedNeutral: 0.5,
  surprisedExcited: 0,
  keepFaces: 0.75,
  keepVoices: 0.5,
  blendVoices: 0,
  faceChanges: 1,
  voiceChanges: 1,
  voiceEnds: 'keep',
  pauses: 0,
  slowVoices: 0.12,
  layerDecay: 1,
  dropPath: 0.05,
  smoothing: 0.1,
  average: 0.995,
} as const;

/** There are few people to learn voices from, and many faces: the faces learn while the voices' branch stays as it is. */
const voicesFrozen = {
  ...common,
  ...mixture,
  freeze: ['encoder_audio', 'audio_layer_weights'],
  batchFaces: 208,
  batchVoices: 48,
  pairs: 32,
} as const;

/** Voices, at first alone; what the faces' branch knows is kept. */
const facesFrozen = {
  ...common,
  ...mixture,
  freeze: ['encoder.'],
  batchFaces: 0,
  batchVoices: 128,
  pairs: 0,
  voiceChanges: 0.3,
  steps: 1500,
  lr: 1.2e-3,
  average: 0.99,
} as const;

/** Faces, voices from them, both and pairs, then faces again. */
const begun: readonly FinetuneStage[] = [
  {
    run: 'nano-1',
    ...voicesFrozen,
    batchFaces: 192,
    batchVoices: 0,
    pairs: 0,
    faceChanges: 0.3,
    steps: 3000,
    lr: 1.2e-3,
    warmup: 100,
  },
  {
    run: 'nano-2',
    ...facesFrozen,
    voicesFromFaces: true,
    keepVoices: 0.3,
    warmup: 60,
  },
  {
    run: 'nano-3',
    ...facesFrozen,
    seed: 2,
    keepVoices: 0.4,
    warmup: 40,
  },
  {
    run: 'nano-4',
    ...common,
    ...mixture,
    seed: 3,
    batchVoices: 96,
    steps: 900,
    lr: 6e-4,
    warmup: 40,
  },
  {
    run: 'nano-5',
    ...voicesFrozen,
    seed: 4,
    faceChanges: 0.7,
    steps: 4000,
    lr: 1e-3,
    warmup: 100,
    average: 0.997,
  },
];

/** Voices as they are heard live, without silent ends, reaching into pauses, and slower; surprised voices of several kinds. */
const live = {
  voiceChanges: 1,
  voiceEnds: 'cut',
  pauses: 0.5,
  slowVoices: 0.24,
  surprisedNeutral: 0.25,
  surprisedExcited: 0.1,
} as const;

/** The voices as they are heard live, faces and pairs beside them so that these are kept. */
const voicesLast: FinetuneStage = {
  run: 'nano-6',
  ...facesFrozen,
  ...live,
  seed: 5,
  batchFaces: 64,
  batchVoices: 96,
  pairs: 16,
  keepVoices: 0.5,
  steps: 1200,
  lr: 6e-4,
  warmup: 30,
};

/** Faces and pairs, from voices that are known by then. */
const facesLast = {
  ...voicesFrozen,
  ...live,
  seed: 6,
  faceChanges: 0.7,
  blendVoices: 0.3,
  lr: 5e-4,
  warmup: 40,
  average: 0.997,
} as const;

export const recipes: Readonly<Record<string, Recipe>> = {
  nano: {
    finetune: [...begun, voicesLast, { run: 'nano-7', ...facesLast, steps: 700 }],
    dtype: 'I8',
  },
  mini: {
    finetune: [
      ...begun,
      voicesLast,
      {
        run: 'mini-7',
        ...facesLast,
        size: 'mini',
        faceChanges: 1,
        keepFaces: 0.55,
        dropPath: 0.1,
        steps: 1200,
        lr: 6e-4,
        warmup: 60,
      },
    ],
    dtype: 'I8',
  },
};
