// How much arithmetic a clip costs: multiply-adds of the products (linear layers, patch embedding, attention), as papers
// count them. Norms, softmax and GELU are not counted; twice the number is floating-point operations.
import type { EncoderConfig, HicmaeConfig } from './config.ts';
import { patchLength, tokenCount } from './embed.ts';
import type { Modality } from './params.ts';
import type { PretrainConfig } from './pretrain-config.ts';

/** One block on `tokens` tokens: four D x D of attention, eight of the MLP; scores and weighted values. */
export function blockCost(tokens: number, width: number): number {
  return tokens * 12 * width * width + 2 * tokens * tokens * width;
}

/** Tokens that read a context, then a block. */
export function crossBlockCost(tokens: number, context: number, width: number): number {
  const products = 2 * tokens * width * width + 2 * context * width * width;
  return products + 2 * tokens * context * width + blockCost(tokens, width);
}

interface Counts {
  readonly video: number;
  readonly audio: number;
}

function embeddingCost(config: EncoderConfig, modality: Modality, tokens: number): number {
  return tokens * patchLength(config, modality) * config.width;
}

function encoderCost({ encoderDepth, width }: EncoderConfig, tokens: number): number {
  return encoderDepth * blockCost(tokens, width);
}

function fusionCost({ fusionDepth, width }: EncoderConfig, { video, audio }: Counts): number {
  return fusionDepth * (crossBlockCost(video, audio, width) + crossBlockCost(audio, video, width));
}

/** Multiply-adds of one clip in the fine-tuning model's forward pass. */
export interface FinetuneCosts {
  readonly videoPatches: number;
  readonly audioPatches: number;
  readonly videoEncoder: number;
  readonly audioEncoder: number;
  readonly fusion: number;
  readonly head: number;
  readonly total: number;
}

/**
 * The fine-tuning model's forward pass.
 * @param faceViews how often the face is read: the voice is encoded once all the same
 * @param tokens of each modality that pass through it; default: all
 */
export function finetuneMultiplyAdds(
  config: HicmaeConfig,
  faceViews = 1,
  tokens: Counts = { video: tokenCount(config, 'video'), audio: tokenCount(config, 'audio') },
): FinetuneCosts {
  const parts = {
    videoPatches: faceViews * embeddingCost(config, 'video', tokens.video),
    audioPatches: embeddingCost(config, 'audio', tokens.audio),
    videoEncoder: faceViews * encoderCost(config, tokens.video),
    audioEncoder: encoderCost(config, tokens.audio),
    fusion: faceViews * fusionCost(config, tokens),
    head: faceViews * 4 * config.width * config.classCount,
  };
  return { ...parts, total: sumOf(parts) };
}

/** Multiply-adds of one clip in the pre-training model's forward pass. */
export interface PretrainCosts {
  readonly patches: number;
  readonly encoders: number;
  readonly fusion: number;
  readonly encoderToDecoder: number;
  readonly videoDecoder: number;
  readonly audioDecoder: number;
  readonly total: number;
}

/**
 * The pre-training model's forward pass; the contrastive loss is not counted.
 * @param visible tokens that the masks leave (masking.ts: maskCounts)
 * @param embedded tokens that are embedded: the visible ones here; the official code embeds all and drops the masked after
 */
export function pretrainMultiplyAdds(
  config: PretrainConfig,
  visible: Counts,
  embedded: Counts = visible,
): PretrainCosts {
  const { width, decoderWidth, decoderDepth, levels } = config;
  const decoder = (modality: Modality): number => {
    const all = tokenCount(config, modality);
    const masked = all - visible[modality];
    return (
      blockCost(all, decoderWidth) +
      (decoderDepth - 1) * crossBlockCost(all, visible[modality], decoderWidth) +
      masked * decoderWidth * patchLength(config, modality)
    );
  };
  const parts = {
    patches: embeddingCost(config, 'video', embedded.video) + embeddingCost(config, 'audio', embedded.audio),
    encoders: encoderCost(config, visible.video) + encoderCost(config, visible.audio),
    fusion: fusionCost(config, visible),
    // The fused tokens and each level's.
    encoderToDecoder: (1 + levels.length) * (visible.video + visible.audio) * width * decoderWidth,
    videoDecoder: decoder('video'),
    audioDecoder: decoder('audio'),
  };
  return { ...parts, total: sumOf(parts) };
}

function sumOf(parts: Readonly<Record<string, number>>): number {
  return Object.values(parts).reduce((a, b) => a + b, 0);
}
