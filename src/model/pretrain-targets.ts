// What pre-training's decoders are to predict, in plain JavaScript, and predictions put back into pictures.
import { assert, defined } from '../base/assert.ts';
import { mean as rgbMean, std as rgbStd } from '../clip/frames.ts';
import type { FrameColor } from '../clip/spec.ts';
import type { EncoderConfig } from './config.ts';
import { audioPatches, patchLength, tokenCount } from './embed.ts';

/** Added to a patch's deviation. */
const epsilon = 1e-6;

interface Statistics {
  readonly mean: number;
  /** Unbiased standard deviation plus epsilon. */
  readonly divisor: number;
}

/** Of every `stride`-th number from `start`, `count` in all. */
function statisticsOf(values: Float64Array, start: number, stride: number, count: number): Statistics {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[start + i * stride] ?? NaN;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += ((values[start + i * stride] ?? NaN) - mean) ** 2;
  return { mean, divisor: Math.sqrt(squares / (count - 1)) + epsilon };
}

/**
 * Calls `visit` with each number of each patch in the target's order: in `out`'s order tokens (time, row, column), in
 * each (time, row, column, channel).
 * @param visit index in the frames [T, H, W, 3], index in the targets [Nv, P]
 */
function eachPixel({ video }: EncoderConfig, visit: (pixel: number, target: number) => void): void {
  const { frameCount, cropPx, tubeletFrames, patchPx } = video;
  const side = cropPx / patchPx;
  let o = 0;
  for (let slot = 0; slot < frameCount / tubeletFrames; slot++)
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++)
        for (let t = 0; t < tubeletFrames; t++)
          for (let y = 0; y < patchPx; y++) {
            const line = (slot * tubeletFrames + t) * cropPx + row * patchPx + y;
            const first = (line * cropPx + column * patchPx) * 3;
            for (let i = 0; i < 3 * patchPx; i++) visit(first + i, o++);
          }
}

/** Undoes what normalizeFrames did by channel; gray-standardized frames stay as they are. */
function plainValue(value: number, channel: number, color: FrameColor): number {
  if (color === 'gray-standardized') return value;
  return value * (rgbStd[channel] ?? NaN) + (rgbMean[channel] ?? NaN);
}

function framesInPatches(frames: Float32Array, config: EncoderConfig, color: FrameColor): Float64Array {
  const { frameCount, cropPx } = config.video;
  const wanted = frameCount * cropPx * cropPx * 3;
  assert(frames.length === wanted, `targets: ${String(frames.length)} numbers, wanted ${String(wanted)}`);
  const values = new Float64Array(wanted);
  eachPixel(config, (pixel, target) => {
    values[target] = plainValue(frames[pixel] ?? NaN, pixel % 3, color);
  });
  return values;
}

/** A frame's step in a patch of targets; odd frames of a tubelet are differences to the frame before. */
function frameLength({ video }: EncoderConfig): number {
  return 3 * video.patchPx ** 2;
}

/**
 * The video's targets: each patch's pixels, normalized by channel within the patch (unbiased deviation + 1e-6); then each
 * second frame of a tubelet minus the one before.
 * @param frames normalized as `color` says, shape [T, H, W, 3]
 * @param frameDifference false leaves the second frames as they are
 * @returns [Nv, P], tokens in order (time, row, column), each patch in order (time, row, column, channel)
 */
export function videoTargets(
  frames: Float32Array,
  config: EncoderConfig,
  color: FrameColor,
  frameDifference = true,
): Float32Array {
  const values = framesInPatches(frames, config, color);
  const length = patchLength(config, 'video');
  const step = frameLength(config);
  const out = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += length) {
    for (let c = 0; c < 3; c++) {
      const { mean, divisor } = statisticsOf(values, start + c, 3, length / 3);
      for (let i = start + c; i < start + length; i += 3) values[i] = ((values[i] ?? NaN) - mean) / divisor;
    }
    for (let i = 0; i < length; i++) {
      const odd = frameDifference && Math.floor(i / step) % 2 === 1;
      const at = start + i;
      out[at] = (values[at] ?? NaN) - (odd ? (values[at - step] ?? NaN) : 0);
    }
  }
  return out;
}

/**
 * The spectrogram's targets: each patch normalized within itself (unbiased deviation + 1e-6).
 * @param mel normalized log-mel, shape [F, M]
 * @returns [Na, P], as audioPatches orders them
 */
export function audioTargets(mel: Float32Array, config: EncoderConfig): Float32Array {
  return normalizedPatches(audioPatches(mel, config), patchLength(config, 'audio'));
}

/** Patches of `length` numbers, each normalized within itself (unbiased deviation + 1e-6). */
export function normalizedPatches(patches: Float32Array, length: number): Float32Array {
  const values = Float64Array.from(patches);
  const out = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += length) {
    const { mean, divisor } = statisticsOf(values, start, 1, length);
    for (let i = start; i < start + length; i++) out[i] = ((values[i] ?? NaN) - mean) / divisor;
  }
  return out;
}

/**
 * Rows of some tokens: the visible patches, or the masked tokens' targets.
 * @param rows [N, P]
 * @param tokens flat token numbers
 * @returns [tokens.length, P]
 */
export function chooseRows(rows: Float32Array, rowLength: number, tokens: Int32Array): Float32Array {
  const out = new Float32Array(tokens.length * rowLength);
  tokens.forEach((token, i) => {
    assert(token >= 0 && (token + 1) * rowLength <= rows.length, `chooseRows: token ${String(token)}`);
    out.set(rows.subarray(token * rowLength, (token + 1) * rowLength), i * rowLength);
  });
  return out;
}

/**
 * A video with predicted patches in place of its own, by the means and deviations of its own patches (which a prediction
 * does not say).
 * @param frames the original, normalized as `color` says, shape [T, H, W, 3]
 * @param tokens which patches were predicted, flat token numbers
 * @param predictions [tokens.length, P], in the targets' order and scale; null leaves those patches empty (their mean)
 * @param frameDifference as the targets were made
 * @returns [T, H, W, 3]: RGB, 0..1 but for the prediction's errors; gray-standardized frames keep their own scale
 */
export function reconstructVideo(
  frames: Float32Array,
  tokens: Int32Array,
  predictions: Float32Array | null,
  config: EncoderConfig,
  color: FrameColor,
  frameDifference = true,
): Float32Array {
  const values = framesInPatches(frames, config, color);
  const length = patchLength(config, 'video');
  const step = frameLength(config);
  checkPredictions(tokens, predictions, length);
  tokens.forEach((token, row) => {
    assert(token >= 0 && token < tokenCount(config, 'video'), `reconstruct: token ${String(token)}`);
    const start = token * length;
    const statistics = [0, 1, 2].map((c) => statisticsOf(values, start + c, 3, length / 3));
    const own = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const odd = frameDifference && Math.floor(i / step) % 2 === 1;
      const predicted = predictions === null ? 0 : (predictions[row * length + i] ?? NaN);
      own[i] = predicted + (odd ? (own[i - step] ?? NaN) : 0);
      const { mean, divisor } = defined(statistics[i % 3], 'channel');
      values[start + i] = (own[i] ?? NaN) * divisor + mean;
    }
  });
  const out = new Float32Array(frames.length);
  eachPixel(config, (pixel, target) => {
    out[pixel] = values[target] ?? NaN;
  });
  return out;
}

/**
 * A spectrogram with predicted patches in place of its own, by its own patches' means and deviations.
 * @param mel the original, shape [F, M]
 * @param predictions [tokens.length, P]; null leaves those patches empty (their mean)
 * @returns [F, M]
 */
export function reconstructAudio(
  mel: Float32Array,
  tokens: Int32Array,
  predictions: Float32Array | null,
  config: EncoderConfig,
): Float32Array {
  const { melBins, patchSize } = config.audio;
  const values = Float64Array.from(audioPatches(mel, config));
  const length = patchLength(config, 'audio');
  const acrossBins = melBins / patchSize;
  checkPredictions(tokens, predictions, length);
  const out = mel.slice();
  tokens.forEach((token, row) => {
    assert(token >= 0 && token < tokenCount(config, 'audio'), `reconstruct: token ${String(token)}`);
    const { mean, divisor } = statisticsOf(values, token * length, 1, length);
    const time = Math.floor(token / acrossBins) * patchSize;
    const bin = (token % acrossBins) * patchSize;
    for (let i = 0; i < length; i++) {
      const predicted = predictions === null ? 0 : (predictions[row * length + i] ?? NaN);
      out[(time + Math.floor(i / patchSize)) * melBins + bin + (i % patchSize)] = predicted * divisor + mean;
    }
  });
  return out;
}

function checkPredictions(tokens: Int32Array, predictions: Float32Array | null, length: number): void {
  assert(
    predictions === null || predictions.length === tokens.length * length,
    `reconstruct: ${String(predictions?.length)} predictions, wanted ${String(tokens.length)} x ${String(length)}`,
  );
}
