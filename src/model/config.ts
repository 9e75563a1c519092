// The sizes of HiCMAE. tiny, small and base are the paper's; micro is the golden tests'; nano and mini are ours, not the paper's.

/** Both encoders and their fusion: what pre-training and fine-tuning share. */
export interface EncoderConfig {
  /** D, model width. */
  readonly width: number;
  /** A, attention heads. */
  readonly heads: number;
  /** L, blocks of each encoder. */
  readonly encoderDepth: number;
  /** Cross-modal fusion layers. */
  readonly fusionDepth: number;
  readonly video: {
    /** T, H = W: the input is [B, T, H, W, 3]. */
    readonly frameCount: number;
    readonly cropPx: number;
    /** Frames and pixels of a tubelet (patch). */
    readonly tubeletFrames: number;
    readonly patchPx: number;
  };
  readonly audio: {
    /** F and M: the input is [B, F, M]. */
    readonly frameCount: number;
    readonly melBins: number;
    /** Side of the square patch. */
    readonly patchSize: number;
  };
}

/** A fine-tuning HiCMAE's architecture. Parameters are named as in the official code. */
export interface HicmaeConfig extends EncoderConfig {
  /** E, outputs of the head. */
  readonly classCount: number;
  readonly headActivation: 'none' | 'sigmoid' | 'relu' | 'tanh';
}

const officialInput = {
  video: { frameCount: 16, cropPx: 160, tubeletFrames: 2, patchPx: 16 },
  audio: { frameCount: 256, melBins: 128, patchSize: 16 },
  headActivation: 'none',
} as const;

/** For faces of 48 pixels a side, as FER+ has them. */
const smallInput = {
  video: { frameCount: 4, cropPx: 48, tubeletFrames: 2, patchPx: 8 },
  audio: { frameCount: 256, melBins: 128, patchSize: 16 },
  headActivation: 'none',
} as const;

export type SizeName = 'micro' | 'nano' | 'mini' | 'tiny' | 'small' | 'base';

/** Each size's architecture, but for the head's classes. */
export const sizes: Readonly<Record<SizeName, Omit<HicmaeConfig, 'classCount'>>> = {
  micro: {
    width: 64,
    heads: 4,
    encoderDepth: 2,
    fusionDepth: 1,
    video: { frameCount: 4, cropPx: 32, tubeletFrames: 2, patchPx: 16 },
    audio: { frameCount: 32, melBins: 32, patchSize: 16 },
    headActivation: 'none',
  },
  nano: { width: 128, heads: 4, encoderDepth: 6, fusionDepth: 1, ...smallInput },
  mini: { width: 256, heads: 8, encoderDepth: 6, fusionDepth: 1, ...smallInput },
  tiny: { width: 256, heads: 4, encoderDepth: 10, fusionDepth: 2, ...officialInput },
  small: { width: 384, heads: 6, encoderDepth: 10, fusionDepth: 2, ...officialInput },
  base: { width: 512, heads: 8, encoderDepth: 10, fusionDepth: 2, ...officialInput },
};
