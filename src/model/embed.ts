// From frames and spectrograms to tokens. Patches are cut in plain JavaScript, so that dropping tokens is giving fewer
// of them, and embedding is one product (tfjs-wasm's 3-D convolution has a wrong gradient).
import { tensor3d } from '@tensorflow/tfjs-core';
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { assert } from '../base/assert.ts';
import { addConstant } from '../ops/combine.ts';
import { constant } from '../ops/constant.ts';
import { linear } from '../ops/linear.ts';
import type { EncoderConfig } from './config.ts';
import type { ForwardOptions } from './layers.ts';
import { encoderPrefix, parameter } from './params.ts';
import type { Modality, Params } from './params.ts';

/** Nv or Na: tokens of a whole clip. */
export function tokenCount({ video, audio }: EncoderConfig, modality: Modality): number {
  return modality === 'video'
    ? (video.frameCount / video.tubeletFrames) * (video.cropPx / video.patchPx) ** 2
    : (audio.frameCount / audio.patchSize) * (audio.melBins / audio.patchSize);
}

/** P: numbers in one patch. */
export function patchLength({ video, audio }: EncoderConfig, modality: Modality): number {
  return modality === 'video' ? 3 * video.tubeletFrames * video.patchPx ** 2 : audio.patchSize ** 2;
}

/**
 * The video's patches.
 * @param frames normalized RGB, shape [T, H, W, 3]
 * @returns [Nv, P], tokens in order (time, row, column), each patch in order (channel, time, row, column) as the
 *   official convolution's weight
 */
export function videoPatches(frames: Float32Array, config: EncoderConfig): Float32Array {
  const { frameCount, cropPx, tubeletFrames, patchPx } = config.video;
  const wanted = frameCount * cropPx * cropPx * 3;
  assert(
    frames.length === wanted,
    `videoPatches: ${String(frames.length)} numbers, wanted ${String(wanted)}`,
  );
  const side = cropPx / patchPx;
  const out = new Float32Array(wanted);
  let o = 0;
  for (let slot = 0; slot < frameCount / tubeletFrames; slot++)
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++)
        for (let c = 0; c < 3; c++)
          for (let t = 0; t < tubeletFrames; t++)
            for (let y = 0; y < patchPx; y++) {
              const line = (slot * tubeletFrames + t) * cropPx + row * patchPx + y;
              let i = (line * cropPx + column * patchPx) * 3 + c;
              for (let x = 0; x < patchPx; x++, i += 3) out[o++] = frames[i] ?? NaN;
            }
  return out;
}

/**
 * The spectrogram's patches.
 * @param mel normalized log-mel, shape [F, M]
 * @returns [Na, P], tokens in order (time, mel), each patch likewise
 */
export function audioPatches(mel: Float32Array, config: EncoderConfig): Float32Array {
  const { frameCount, melBins, patchSize } = config.audio;
  const wanted = frameCount * melBins;
  assert(mel.length === wanted, `audioPatches: ${String(mel.length)} numbers, wanted ${String(wanted)}`);
  const out = new Float32Array(wanted);
  let o = 0;
  for (let time = 0; time < frameCount; time += patchSize)
    for (let bin = 0; bin < melBins; bin += patchSize)
      for (let t = 0; t < patchSize; t++)
        for (let f = 0; f < patchSize; f++) out[o++] = mel[(time + t) * melBins + bin + f] ?? NaN;
  return out;
}

/**
 * The sine-cosine table over flat token numbers, computed in double, stored as float32.
 * @param positions token numbers
 * @returns [positions.length, width]
 */
export function positionTable(positions: ArrayLike<number>, width: number): Float32Array {
  const table = new Float32Array(positions.length * width);
  for (let n = 0; n < positions.length; n++)
    for (let j = 0; j < width; j++) {
      const angle = (positions[n] ?? NaN) / 10000 ** ((2 * Math.floor(j / 2)) / width);
      table[n * width + j] = j % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  return table;
}

const wholeTables = new Map<string, Float32Array>();

/** The table of tokens 0..count-1, computed once per size. */
function wholeTable(count: number, width: number): Float32Array {
  const key = `${String(count)} x ${String(width)}`;
  let table = wholeTables.get(key);
  if (table === undefined) {
    const positions = Array.from({ length: count }, (_, i) => i);
    wholeTables.set(key, (table = positionTable(positions, width)));
  }
  return table;
}

/**
 * The rows of {@link positionTable} that belong to some tokens, in their order.
 * @param all tokens of a whole clip
 * @returns [positions.length, width]
 */
export function chosenPositions(positions: Int32Array, all: number, width: number): Float32Array {
  const whole = wholeTable(all, width);
  const chosen = new Float32Array(positions.length * width);
  positions.forEach((position, n) => {
    assert(position >= 0 && position < all, `embedPatches: token ${String(position)} of ${String(all)}`);
    chosen.set(whole.subarray(position * width, (position + 1) * width), n * width);
  });
  return chosen;
}

/**
 * Tokens of the given patches.
 * @param patches [B, K, P], as {@link videoPatches} or {@link audioPatches} cut them; it must outlive a backward pass
 * @param positions length B * K, the flat token number of each patch; null when every clip has all of them in order
 * @returns [B, K, D]
 */
export function embedPatches(
  params: Params,
  config: EncoderConfig,
  modality: Modality,
  patches: Tensor3D,
  positions: Int32Array | null,
  options: ForwardOptions = {},
): Tensor3D {
  const [batch, count] = patches.shape;
  const { width } = config;
  const name = `${encoderPrefix(modality)}.patch_embed`;
  const all = tokenCount(config, modality);
  assert(
    positions === null ? count === all : positions.length === batch * count,
    `embedPatches: ${String(count)} patches of ${String(all)}, ${positions === null ? 'no' : String(positions.length)} positions`,
  );
  const table =
    positions === null
      ? constant(`positions ${String(all)} x ${String(width)}`, [1, all, width], () => wholeTable(all, width))
      : tensor3d(chosenPositions(positions, all, width), [batch, count, width]);
  const weight = parameter(params, `${name}.proj.weight`);
  const bias = parameter(params, `${name}.proj.bias`);
  if (options.trace === undefined) return linear(patches, weight, bias, { plus: table, inputIsData: true });
  const embedded = linear(patches, weight, bias, { inputIsData: true });
  options.trace(name, embedded);
  return addConstant(embedded, table);
}
