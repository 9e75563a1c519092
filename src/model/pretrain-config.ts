// The sizes of HiCMAE's pre-training. tiny, small and base are the paper's; micro is the golden tests'; nano and mini are ours.
import { sizes } from './config.ts';
import type { EncoderConfig, SizeName } from './config.ts';

/** A pre-training HiCMAE's architecture: the encoders and fusion that fine-tuning takes over, and the decoders. */
export interface PretrainConfig extends EncoderConfig {
  /** Dd, width of both decoders. */
  readonly decoderWidth: number;
  readonly decoderHeads: number;
  /** Blocks of each decoder: a plain one, then one that reads each of the levels, the deepest first. */
  readonly decoderDepth: number;
  /** Encoder blocks (from 0, ascending; one fewer than decoderDepth) whose outputs decoders read and contrast compares. */
  readonly levels: readonly number[];
}

/** The encoder's part of a size, without the head's. */
function encoder(name: SizeName): EncoderConfig {
  const { width, heads, encoderDepth, fusionDepth, video, audio } = sizes[name];
  return { width, heads, encoderDepth, fusionDepth, video, audio };
}

const officialDepths = { decoderDepth: 4, levels: [3, 6, 9] } as const;

/**
 * Each size's architecture. micro's encoder is not the fine-tuning micro's: its fixtures have other inputs and depths.
 * tiny is not registered in the official code; it is the official class at these numbers.
 */
export const pretrainSizes: Readonly<Record<SizeName, PretrainConfig>> = {
  micro: {
    width: 64,
    heads: 4,
    encoderDepth: 4,
    fusionDepth: 2,
    video: { frameCount: 16, cropPx: 32, tubeletFrames: 2, patchPx: 16 },
    audio: { frameCount: 64, melBins: 32, patchSize: 16 },
    decoderWidth: 32,
    decoderHeads: 2,
    decoderDepth: 4,
    levels: [0, 1, 3],
  },
  // The last block and two below it in equal steps, as the paper's sizes.
  nano: { ...encoder('nano'), decoderWidth: 64, decoderHeads: 2, decoderDepth: 4, levels: [1, 3, 5] },
  mini: { ...encoder('mini'), decoderWidth: 128, decoderHeads: 4, decoderDepth: 4, levels: [1, 3, 5] },
  tiny: { ...encoder('tiny'), decoderWidth: 128, decoderHeads: 2, ...officialDepths },
  small: { ...encoder('small'), decoderWidth: 192, decoderHeads: 3, ...officialDepths },
  base: { ...encoder('base'), decoderWidth: 384, decoderHeads: 6, ...officialDepths },
};
