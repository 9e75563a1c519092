// HiCMAE's pre-training: masked reconstruction of both modalities, and contrast between them at three levels.
import { clone, keep, tensor3d, tidy } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { assert, defined } from '../base/assert.ts';
import { tokenMean } from '../ops/combine.ts';
import { decode } from './decoder.ts';
import { patchLength } from './embed.ts';
import { encodeLevels } from './encoder.ts';
import { fuse } from './fusion.ts';
import type { ForwardOptions } from './layers.ts';
import {
  contrastiveLogits,
  diagonalCrossEntropies,
  diagonalCrossEntropy,
  meanSquaredError,
  weightedSum,
} from './losses.ts';
import type { Mask } from './masking.ts';
import type { Modality, Params } from './params.ts';
import type { PretrainConfig } from './pretrain-config.ts';
import { chooseRows } from './pretrain-targets.ts';

/** One modality of a batch of masked clips; made by {@link pretrainInput}. It must outlive a backward pass. */
export interface PretrainInput {
  /** The visible patches, [B, K, P], as videoPatches or audioPatches cut them. */
  readonly patches: Tensor3D;
  /** Flat token number of each, length B * K. */
  readonly visible: Int32Array;
  /** Flat token number of each masked patch, length B * M. */
  readonly masked: Int32Array;
  /** What is to be predicted of each, [B, M, P], as videoTargets or audioTargets make it; null to predict only. */
  readonly targets: Tensor3D | null;
}

/**
 * Null: a corpus without it. Then there is neither fusion nor contrast: the other branch learns alone, its decoder reading
 * its own encoder, and parameters of fusion and of this branch get no gradient.
 */
export interface PretrainBatch {
  readonly video: PretrainInput | null;
  readonly audio: PretrainInput | null;
}

export interface PretrainOptions extends ForwardOptions {
  /** Weight of the contrastive loss; 0 leaves it out. Default: 0.0025, the official one. */
  readonly contrastiveWeight?: number;
  /** Default: 0.07, the official one. */
  readonly temperature?: number;
  /** False: decoders do not read the encoders' levels. Default: true. */
  readonly skips?: boolean;
}

export const officialContrastiveWeight = 0.0025;
export const officialTemperature = 0.07;

/** What the model says of a batch; the caller disposes of it. */
export interface PretrainOutputs {
  /** Predictions of the masked patches, [B, M, P], in the targets' order and scale; null: absent. */
  readonly video: Tensor3D | null;
  readonly audio: Tensor3D | null;
  /** For each level [B, B]; none with one modality or without the contrastive loss. */
  readonly logits: Tensor2D[];
}

/** The model's losses. */
export interface PretrainLosses {
  /** The weighted sum, which gradients are taken of. */
  readonly loss: Scalar;
  /**
   * What it consists of; contrastive: sum over levels of half of both cross entropies, unweighted. Kept through any tidy
   * and outside of all gradients: the caller disposes of them.
   */
  readonly parts: Readonly<Record<'video' | 'audio' | 'contrastive', Scalar | null>>;
}

const modalities = ['video', 'audio'] as const;

/**
 * The tensors of a modality's clips; the caller disposes of them.
 * @param clips each with all its patches, [N, P], and all its targets, [N, P] (null: to predict only)
 * @param masks one for each clip, all hiding equally many
 */
export function pretrainInput(
  config: PretrainConfig,
  modality: Modality,
  clips: readonly { readonly patches: Float32Array; readonly targets: Float32Array | null }[],
  masks: readonly Mask[],
): PretrainInput {
  const batch = clips.length;
  const length = patchLength(config, modality);
  const first = defined(masks[0], 'mask');
  const [kept, hidden] = [first.visible.length, first.masked.length];
  assert(
    masks.length === batch &&
      masks.every(({ visible, masked }) => visible.length === kept && masked.length === hidden),
    `pretrainInput: ${String(masks.length)} masks of ${String(batch)} clips; wanted one for each, all of one size`,
  );
  const together = (parts: readonly ArrayLike<number>[], partLength: number): Float32Array => {
    const all = new Float32Array(batch * partLength);
    parts.forEach((part, b) => {
      assert(part.length === partLength, `pretrainInput: ${String(part.length)}, not ${String(partLength)}`);
      all.set(part, b * partLength);
    });
    return all;
  };
  const positions = (of: (mask: Mask) => Int32Array): Int32Array =>
    Int32Array.from(masks.flatMap((mask) => [...of(mask)]));
  const rows = (of: (b: number) => Float32Array, tokens: (mask: Mask) => Int32Array, count: number) =>
    tensor3d(
      together(
        masks.map((mask, b) => chooseRows(of(b), length, tokens(mask))),
        count * length,
      ),
      [batch, count, length],
    );
  const patchesOf = (b: number): Float32Array => defined(clips[b], 'clip').patches;
  const targetsOf = (b: number): Float32Array => defined(clips[b]?.targets, 'targets');
  return {
    patches: rows(patchesOf, ({ visible }) => visible, kept),
    visible: positions(({ visible }) => visible),
    masked: positions(({ masked }) => masked),
    targets: clips.some(({ targets }) => targets === null)
      ? null
      : rows(targetsOf, ({ masked }) => masked, hidden),
  };
}

/** The model's predictions and contrasts of a batch; at least one modality is present. */
export function forwardPretrain(
  params: Params,
  config: PretrainConfig,
  batch: PretrainBatch,
  options: PretrainOptions = {},
): PretrainOutputs {
  const { trace, temperature = officialTemperature, skips = true } = options;
  const contrast = (options.contrastiveWeight ?? officialContrastiveWeight) !== 0;
  let outputs: PretrainOutputs | undefined;
  tidy(() => {
    const encoded = (modality: Modality): Tensor3D[] | null => {
      const input = batch[modality];
      if (input === null) return null;
      return encodeLevels(params, config, modality, input.patches, input.visible, config.levels, options);
    };
    const levels = { video: encoded('video'), audio: encoded('audio') };
    assert(levels.video !== null || levels.audio !== null, 'forwardPretrain: a modality is missing');
    let seen = { video: levels.video?.at(-1) ?? null, audio: levels.audio?.at(-1) ?? null };
    const logits: Tensor2D[] = [];
    if (levels.video !== null && levels.audio !== null) {
      if (contrast) {
        for (const i of config.levels.keys()) {
          const [video, audio] = [defined(levels.video[i], 'level'), defined(levels.audio[i], 'level')];
          const square = contrastiveLogits(tokenMean(video), tokenMean(audio), temperature);
          trace?.(`logits_per_video.${String(i)}`, square);
          logits.push(square);
        }
      }
      seen = { ...fuse(params, config, seen.video, seen.audio, options) };
    }
    const decoded = (modality: Modality): Tensor3D | null => {
      const [input, tokens] = [batch[modality], seen[modality]];
      if (input === null || tokens === null) return null;
      const skipped = skips ? (levels[modality]?.slice(0, -1) ?? null) : null;
      const { visible, masked } = input;
      const prediction = decode(params, config, modality, tokens, skipped, visible, masked, options);
      trace?.(`${modality}_prediction`, prediction);
      return prediction;
    };
    const [video, audio] = [decoded('video'), decoded('audio')];
    outputs = { video, audio, logits };
    return [video, audio, ...logits].filter((tensor) => tensor !== null);
  });
  return defined(outputs, 'outputs');
}

/** The losses of a batch with targets; see {@link forwardPretrain}. */
export function pretrainLosses(
  params: Params,
  config: PretrainConfig,
  batch: PretrainBatch,
  options: PretrainOptions = {},
): PretrainLosses {
  const { contrastiveWeight = officialContrastiveWeight, trace } = options;
  const losses: Partial<Record<'video' | 'audio' | 'contrastive', Scalar>> = {};
  const kept = (value: Scalar | undefined): Scalar | null => (value ? keep(clone(value)) : null);
  let parts: PretrainLosses['parts'] | undefined;
  const loss = tidy(() => {
    const outputs = forwardPretrain(params, config, batch, options);
    for (const modality of modalities) {
      const prediction = outputs[modality];
      if (prediction === null) continue;
      losses[modality] = meanSquaredError(prediction, defined(batch[modality]?.targets, 'targets'));
    }
    if (outputs.logits.length > 0) {
      const levels = outputs.logits.map((logits, i) => {
        if (trace) {
          const { rows, columns } = diagonalCrossEntropies(logits);
          trace(`contrastive_ce.${String(2 * i)}`, rows);
          trace(`contrastive_ce.${String(2 * i + 1)}`, columns);
        }
        return { loss: diagonalCrossEntropy(logits), weight: 1 };
      });
      losses.contrastive = weightedSum(levels);
    }
    parts = {
      video: kept(losses.video),
      audio: kept(losses.audio),
      contrastive: kept(losses.contrastive),
    };
    return weightedSum(
      Object.entries(losses).map(([name, value]) => ({
        loss: value,
        weight: name === 'contrastive' ? contrastiveWeight : 1,
      })),
    );
  });
  return { loss, parts: defined(parts, 'parts') };
}
