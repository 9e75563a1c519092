// The paper's recipes as values of the commands' options: HiCMAE's published scripts (pre-training on VoxCeleb2; fine-tuning
// on CREMA-D, MAFW and Werewolf-XL), and what the paper's other data sets change.

export type OptionValue = string | number | boolean;

export interface Preset {
  readonly name: string;
  readonly command: 'pretrain' | 'finetune';
  /** One line for --help. */
  readonly about: string;
  /** Values of options by their names in code; a typed option wins over the preset's. */
  readonly values: Readonly<Record<string, OptionValue>>;
}

/** What all fine-tuning recipes share. Learning rates are 1e-3 x batch / 256, floors 1e-6 x batch / 256. */
const finetuning = {
  size: 'base',
  beta2: 0.999,
  weightDecay: 0.05,
  warmupEpochs: 5,
  layerDecay: 0.75,
  dropPath: 0.1,
  average: 0,
  seed: 0,
  // 14 samples of base would not fit into a thread's 4 GiB otherwise; the numbers stay the same.
  recompute: true,
} as const;

/** Mixup and cutmix pair samples within a part, as within a GPU's batch in the official code: 4 of 14, or of 32. */
const classification = {
  ...finetuning,
  task: 'classes',
  batch: 56,
  partSize: 14,
  lr: 2.1875e-4,
  floor: 2.1875e-7,
  frameStep: 4,
  augment: 'official',
  mix: true,
  smoothing: 0.1,
} as const;

const regression = {
  ...finetuning,
  task: 'dimensions',
  batch: 128,
  partSize: 32,
  lr: 5e-4,
  floor: 5e-7,
  frameStep: 3,
  augment: 'official',
  mix: false,
  loss: 'mse',
  epochs: 30,
} as const;

/** VoxCeleb2's recipe at the published 4 x 40 clips a step. */
const pretraining = {
  batch: 160,
  partSize: 40,
  epochs: 100,
  warmupEpochs: 5,
  lr: 1.875e-4,
  floor: 6.25e-6,
  beta2: 0.95,
  weightDecay: 0.05,
  maskFaces: 0.9,
  maskVoices: 0.8,
  contrastWeight: 0.0025,
  frameStep: 4,
  seed: 0,
} as const;

const published = 'as the published script';
const likely = "the paper gives no script: CREMA-D's values with this corpus' classes and folds";

export const presets: readonly Preset[] = [
  {
    name: 'voxceleb2',
    command: 'pretrain',
    about: `HiCMAE-B on VoxCeleb2, ${published}; --size small or tiny for the others`,
    values: { ...pretraining, size: 'base' },
  },
  {
    name: 'nano',
    command: 'pretrain',
    about: 'our nano, for faces, voices or both on a CPU',
    values: {
      ...pretraining,
      size: 'nano',
      batch: 64,
      partSize: 32,
      epochs: 50,
      warmupEpochs: 2,
      lr: 1e-3,
      floor: 1e-5,
      frameStep: 16,
      shortSound: 'silence',
    },
  },
  {
    name: 'crema-d',
    command: 'finetune',
    about: `6 classes, ${published}`,
    values: { ...classification, epochs: 50 },
  },
  {
    name: 'mafw',
    command: 'finetune',
    about: `11 classes, ${published}`,
    values: { ...classification, epochs: 100 },
  },
  {
    name: 'werewolf-xl',
    command: 'finetune',
    about: `3 dimensions, ${published}`,
    values: regression,
  },
  {
    name: 'dfew',
    command: 'finetune',
    about: `7 classes; ${likely}`,
    values: { ...classification, epochs: 100 },
  },
  {
    name: 'mer-multi',
    command: 'finetune',
    about: `6 classes; ${likely}`,
    values: { ...classification, epochs: 100 },
  },
  {
    name: 'msp-improv',
    command: 'finetune',
    about: `4 classes; ${likely}`,
    values: { ...classification, epochs: 50 },
  },
  {
    name: 'ravdess',
    command: 'finetune',
    about: `8 classes; ${likely}`,
    values: { ...classification, epochs: 50 },
  },
  {
    name: 'iemocap',
    command: 'finetune',
    about: `4 classes; ${likely}`,
    values: { ...classification, epochs: 50 },
  },
  {
    name: 'avcaffe',
    command: 'finetune',
    about: `classes of arousal and valence levels; ${likely}`,
    values: { ...classification, epochs: 50 },
  },
  {
    name: 'nano',
    command: 'finetune',
    about:
      'our nano, for faces, voices or both on a CPU; from fresh weights (take --layer-decay 0.75 with --from)',
    values: {
      ...classification,
      size: 'nano',
      batch: 64,
      partSize: 32,
      epochs: 30,
      warmupEpochs: 1,
      lr: 1e-3,
      floor: 1e-5,
      frameStep: 16,
      shortSound: 'silence',
      layerDecay: 1,
      dropPath: 0,
      average: 0.998,
      modalityDropout: 0.5,
      recompute: false,
    },
  },
];

export function presetNames(command: Preset['command']): string[] {
  return presets.filter((preset) => preset.command === command).map(({ name }) => name);
}
