// HiCMAE as an ONNX file, so that other runtimes run our weights and can be measured against ours. Pure: no file is
// touched here.
import type { HicmaeConfig } from '../../model/config.ts';
import { patchLength, positionTable, tokenCount } from '../../model/embed.ts';
import { encoderPrefix } from '../../model/params.ts';
import type { Modality } from '../../model/params.ts';
import type { TensorMap } from '../../weights/safetensors.ts';
import { writeOnnx } from './onnx-file.ts';
import type { OnnxValue } from './onnx-file.ts';
import {
  block,
  constant,
  crossBlock,
  draftGraph,
  integers,
  linear,
  norm,
  parameter,
  project,
  put,
  reshape,
  tokenMean,
} from './onnx-layers.ts';
import type { AttentionForm, GraphDraft, Rows } from './onnx-layers.ts';

export interface OnnxOptions {
  /** Clips in a batch; null (default) leaves it to the caller. */
  readonly batch?: number | null;
  /** Default `standard`. */
  readonly attention?: AttentionForm;
  /** The graph's name. */
  readonly name?: string;
  /** Texts by key for the file's metadata_props. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * The whole model with both modalities present: encoders, fusion, head.
 *
 * Inputs, float32: `frames` [B, T, H, W, 3], normalized RGB; `mel` [B, F, M], normalized log-mel. Outputs: `logits`
 * [B, E], after the head's activation; `probabilities` [B, E], their softmax, only when that activation is none.
 * @param tensors every parameter of `config`: official names, PyTorch layouts
 */
export function onnxModel(config: HicmaeConfig, tensors: TensorMap, options: OnnxOptions = {}): Uint8Array {
  const draft = draftGraph(tensors, config.heads, options.attention ?? 'standard');
  const { width, classCount, video, audio } = config;
  const encoded = {
    video: encode(draft, config, 'video', videoRows(draft, config)),
    audio: encode(draft, config, 'audio', audioRows(draft, config)),
  };
  let fused = { video: encoded.video.tokens, audio: encoded.audio.tokens };
  for (let i = 0; i < config.fusionDepth; i++) {
    // Both read the other's tokens of the previous layer.
    fused = {
      video: crossBlock(draft, `encoder_fusion.blocks.${String(i)}`, fused.video, fused.audio),
      audio: crossBlock(draft, `encoder_fusion.blocks_audio.${String(i)}`, fused.audio, fused.video),
    };
  }
  const means = (['video', 'audio'] as const).map((modality) => {
    const name = modality === 'video' ? 'encoder_fusion.norm' : 'encoder_fusion.norm_audio';
    const value = norm(draft, name, fused[modality].value);
    return tokenMean(draft, name, { value, tokens: fused[modality].tokens }, width);
  });
  const parts = [encoded.video.utterance, encoded.audio.utterance, ...means]; // [B, 1, D] each
  const joined = put(draft, 'features', 'Concat', parts, { axis: 2 });
  const feature = reshape(draft, 'feature', joined, [-1, 4 * width]);
  const head = project(draft, 'head', norm(draft, 'fc_norm', feature));
  const activations = { none: 'Identity', sigmoid: 'Sigmoid', relu: 'Relu', tanh: 'Tanh' } as const;
  put(draft, 'logits', activations[config.headActivation], [head]);
  const shape = [options.batch ?? 'batch', classCount];
  const outputs: OnnxValue[] = [{ name: 'logits', shape, about: 'one per class' }];
  if (config.headActivation === 'none') {
    put(draft, 'probabilities', 'Softmax', ['logits'], { axis: -1 });
    outputs.push({ name: 'probabilities', shape, about: 'softmax of the logits' });
  }
  const batch = options.batch ?? 'batch';
  const inputs: OnnxValue[] = [
    {
      name: 'frames',
      shape: [batch, video.frameCount, video.cropPx, video.cropPx, 3],
      about: 'aligned face crops, normalized: clip, frame, row, column, RGB',
    },
    {
      name: 'mel',
      shape: [batch, audio.frameCount, audio.melBins],
      about: 'log-mel spectrogram, normalized: clip, time, mel bin',
    },
  ];
  return write(draft, options, inputs, outputs);
}

/**
 * One encoder block alone, for measuring: input `x` [B, N, D], output `y` [B, N, D].
 * @param tensors at least the block's parameters
 * @param name the block's prefix, such as `encoder.blocks.0`
 */
export function onnxBlock(
  tensors: TensorMap,
  name: string,
  size: { readonly width: number; readonly heads: number; readonly tokens: number },
  options: OnnxOptions = {},
): Uint8Array {
  const { width, heads, tokens } = size;
  const draft = draftGraph(tensors, heads, options.attention ?? 'standard');
  const { value } = block(draft, name, { value: reshape(draft, 'rows', 'x', [-1, width]), tokens });
  reshape(draft, 'y', value, [-1, tokens, width]);
  const shape = [options.batch ?? 'batch', tokens, width];
  return write(
    draft,
    options,
    [{ name: 'x', shape, about: 'tokens' }],
    [{ name: 'y', shape, about: 'tokens' }],
  );
}

function write(
  draft: GraphDraft,
  { name = 'hicmae', metadata = {} }: OnnxOptions,
  inputs: readonly OnnxValue[],
  outputs: readonly OnnxValue[],
): Uint8Array {
  const constants = [...draft.constants.values()];
  return writeOnnx({ name, nodes: draft.nodes, constants, inputs, outputs }, metadata);
}

/** Embedded patches: rows [B * N, P] to rows [B * N, D] with positions. */
function embed(
  draft: GraphDraft,
  config: HicmaeConfig,
  modality: Modality,
  patches: string,
  order?: (input: number) => number,
): Rows {
  const { width } = config;
  const tokens = tokenCount(config, modality);
  const name = `${encoderPrefix(modality)}.patch_embed`;
  const bias = parameter(draft, `${name}.proj.bias`);
  const rows = linear(draft, `${name}/out`, patches, `${name}.proj.weight`, bias, order);
  const table = constant(draft, `${name}.positions`, [1, tokens, width], () =>
    positionTable(
      Array.from({ length: tokens }, (_, i) => i),
      width,
    ),
  );
  const placed = put(draft, `${name}/placed`, 'Add', [
    reshape(draft, `${name}/clips`, rows, [-1, tokens, width]),
    table,
  ]);
  return { value: reshape(draft, `${name}/rows`, placed, [-1, width]), tokens };
}

/**
 * Cuts `frames` into patches. Within a patch the numbers stay in the order (time, row, column, channel) of the frames, so
 * that whole lines are copied; the weight's rows are put into that order instead.
 */
function videoRows(draft: GraphDraft, config: HicmaeConfig): Rows {
  const { tubeletFrames: frames, cropPx, patchPx } = config.video;
  const side = cropPx / patchPx;
  const lines = reshape(draft, 'frames/lines', 'frames', [-1, frames, side, patchPx, side, patchPx * 3]);
  const cut = put(draft, 'frames/patches', 'Transpose', [lines], { perm: [0, 2, 4, 1, 3, 5] });
  const patches = reshape(draft, 'frames/rows', cut, [-1, patchLength(config, 'video')]);
  const perChannel = frames * patchPx * patchPx;
  return embed(draft, config, 'video', patches, (i) => (i % 3) * perChannel + Math.floor(i / 3));
}

/** Cuts `mel` into patches. */
function audioRows(draft: GraphDraft, config: HicmaeConfig): Rows {
  const { melBins, patchSize } = config.audio;
  const lines = reshape(draft, 'mel/lines', 'mel', [-1, patchSize, melBins / patchSize, patchSize]);
  const cut = put(draft, 'mel/patches', 'Transpose', [lines], { perm: [0, 2, 1, 3] });
  return embed(draft, config, 'audio', reshape(draft, 'mel/rows', cut, [-1, patchLength(config, 'audio')]));
}

/** One encoder. @returns the utterance feature [B, 1, D] and the normed last layer's rows */
function encode(
  draft: GraphDraft,
  config: HicmaeConfig,
  modality: Modality,
  embedded: Rows,
): { utterance: string; tokens: Rows } {
  const prefix = encoderPrefix(modality);
  const means: string[] = [];
  let rows = embedded;
  let normed = embedded;
  for (let i = 0; i < config.encoderDepth; i++) {
    rows = block(draft, `${prefix}.blocks.${String(i)}`, rows);
    const value = norm(draft, `${prefix}.norm`, rows.value, String(i));
    normed = { value, tokens: rows.tokens };
    means.push(tokenMean(draft, `${prefix}.norm/${String(i)}`, normed, config.width));
  }
  const layers = put(draft, `${modality}_layers`, 'Concat', means, { axis: 1 }); // [B, L, D]
  const weights = parameter(draft, `${modality}_layer_weights`);
  const shares = put(draft, `${modality}_layer_shares`, 'Softmax', [weights], { axis: -1 });
  const row = put(draft, `${modality}_layer_row`, 'Unsqueeze', [shares, integers(draft, [0])]);
  return { utterance: put(draft, `${modality}_feature`, 'MatMul', [row, layers]), tokens: normed };
}
