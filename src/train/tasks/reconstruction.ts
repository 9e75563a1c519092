// Pictures of what pre-training makes of a clip: what it was, what the network saw, what it made of it.
import type { FrameColor } from '../../clip/spec.ts';
import type { Mask } from '../../model/masking.ts';
import type { PretrainConfig } from '../../model/pretrain-config.ts';
import { reconstructAudio, reconstructVideo } from '../../model/pretrain-targets.ts';
import type { TaskPicture } from './run-task.ts';

/** Frames shown of a clip at most, evenly spread. */
const shownFrames = 4;
/** Between pictures, pixels. */
const gap = 4;
/** What is hidden is shown as this gray. */
const hiddenGray = 128;

/** Tiles of equal size in rows, on white. */
function tiled(
  name: string,
  rows: readonly (readonly Uint8ClampedArray[])[],
  width: number,
  height: number,
): TaskPicture {
  const columns = Math.max(...rows.map((row) => row.length));
  const wholeWidth = columns * (width + gap) - gap;
  const wholeHeight = rows.length * (height + gap) - gap;
  const pixels = new Uint8ClampedArray(wholeWidth * wholeHeight * 3).fill(255);
  rows.forEach((row, r) => {
    row.forEach((tile, c) => {
      for (let y = 0; y < height; y++) {
        const at = ((r * (height + gap) + y) * wholeWidth + c * (width + gap)) * 3;
        pixels.set(tile.subarray(y * width * 3, (y + 1) * width * 3), at);
      }
    });
  });
  return { name, width: wholeWidth, height: wholeHeight, pixels };
}

/** Which numbers of a row of patches are hidden: paints them gray. */
function paintHidden(
  tile: Uint8ClampedArray,
  width: number,
  patchPx: number,
  hidden: (row: number, column: number) => boolean,
): Uint8ClampedArray {
  const out = tile.slice();
  for (let i = 0; i < out.length / 3; i++) {
    const [y, x] = [Math.floor(i / width), i % width];
    if (hidden(Math.floor(y / patchPx), Math.floor(x / patchPx))) out.fill(hiddenGray, 3 * i, 3 * i + 3);
  }
  return out;
}

/**
 * Rows: the clip, what is visible of it, the reconstruction of the rest; columns: frames.
 * @param frames normalized as `color` says, [T, H, W, 3]
 * @param predictions [masked tokens, P]
 */
export function facePicture(
  name: string,
  frames: Float32Array,
  mask: Mask,
  predictions: Float32Array,
  config: PretrainConfig,
  color: FrameColor,
): TaskPicture {
  const { frameCount, cropPx, patchPx, tubeletFrames } = config.video;
  const none = new Int32Array(0);
  const original = reconstructVideo(frames, none, new Float32Array(0), config, color);
  const made = reconstructVideo(frames, mask.masked, predictions, config, color);
  // Standardized frames have no black and white of their own: the clip's range is shown.
  let low = 0;
  let high = 1;
  if (color === 'gray-standardized') {
    low = original.reduce((a, b) => Math.min(a, b), Infinity);
    high = original.reduce((a, b) => Math.max(a, b), -Infinity);
  }
  const size = cropPx * cropPx * 3;
  const tile = (values: Float32Array, t: number): Uint8ClampedArray =>
    Uint8ClampedArray.from(
      values.subarray(t * size, (t + 1) * size),
      (value) => (255 * (value - low)) / Math.max(1e-6, high - low),
    );
  const count = Math.min(shownFrames, frameCount);
  const shown = Array.from({ length: count }, (_, k) => Math.floor((k * frameCount) / count));
  const hidden = new Set(mask.masked);
  const side = cropPx / patchPx;
  return tiled(
    name,
    [
      shown.map((t) => tile(original, t)),
      shown.map((t) => {
        const slot = Math.floor(t / tubeletFrames);
        return paintHidden(tile(original, t), cropPx, patchPx, (row, column) =>
          hidden.has((slot * side + row) * side + column),
        );
      }),
      shown.map((t) => tile(made, t)),
    ],
    cropPx,
    cropPx,
  );
}

/** Rows: the spectrogram, what is visible of it, the reconstruction of the rest; time runs right, pitch up. */
export function voicePicture(
  name: string,
  mel: Float32Array,
  mask: Mask,
  predictions: Float32Array,
  config: PretrainConfig,
): TaskPicture {
  const { frameCount, melBins, patchSize } = config.audio;
  const made = reconstructAudio(mel, mask.masked, predictions, config);
  const low = mel.reduce((a, b) => Math.min(a, b), Infinity);
  const high = mel.reduce((a, b) => Math.max(a, b), -Infinity);
  const tile = (values: Float32Array): Uint8ClampedArray => {
    const out = new Uint8ClampedArray(frameCount * melBins * 3);
    for (let t = 0; t < frameCount; t++) {
      for (let bin = 0; bin < melBins; bin++) {
        const value = (255 * ((values[t * melBins + bin] ?? 0) - low)) / Math.max(1e-6, high - low);
        const at = ((melBins - 1 - bin) * frameCount + t) * 3;
        out.fill(value, at, at + 3);
      }
    }
    return out;
  };
  const hidden = new Set(mask.masked);
  const across = melBins / patchSize;
  const seen = paintHidden(tile(mel), frameCount, patchSize, (row, column) =>
    hidden.has(column * across + (across - 1 - row)),
  );
  return tiled(name, [[tile(mel)], [seen], [tile(made)]], frameCount, melBins);
}
