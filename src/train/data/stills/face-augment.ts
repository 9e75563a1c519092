// Faces to the model's tokens, for training: a random warp and lighting, then only the tokens that are kept.
import { standardize } from '../../../clip/frames.ts';
import type { EncoderConfig } from '../../../model/config.ts';
import type { Random } from '../../../base/random.ts';
import type { FaceSet } from './faces.ts';
import { scaledBy } from './scaled.ts';

/** How far a face is moved and relit; 0 everywhere leaves it as it is. */
export interface FaceAugmentation {
  /** Largest rotation in degrees. */
  readonly rotationDeg: number;
  /** Largest relative change of scale. */
  readonly scale: number;
  /** Largest shift in crop pixels. */
  readonly shiftPx: number;
  /** Largest relative change of contrast. */
  readonly contrast: number;
  /** Largest change of brightness, 0..255. */
  readonly brightness: number;
  /** Probability of a mirror image, of a slight blur, and of a second frame that differs from the first. */
  readonly flip: number;
  readonly blur: number;
  readonly motion: number;
  /** Largest light from one side: relative change of brightness from the middle to an edge. */
  readonly sideLight: number;
  /** Probability that the face is seen in fewer pixels, down to half of them a side. */
  readonly coarse: number;
  /** Probability that something covers a part: glasses, a hand, hair, the picture's edge. */
  readonly cover: number;
}

/** As in the page. */
const unchanged: FaceAugmentation = {
  rotationDeg: 0,
  scale: 0,
  shiftPx: 0,
  contrast: 0,
  brightness: 0,
  flip: 0,
  blur: 0,
  motion: 0,
  sideLight: 0,
  coarse: 0,
  cover: 0,
};

/** As in the page's second view. */
export const mirrorImage: FaceAugmentation = { ...unchanged, flip: 1 };

export const faceAugmentation: FaceAugmentation = {
  rotationDeg: 8,
  scale: 0.08,
  shiftPx: 2,
  contrast: 0.3,
  brightness: 30,
  flip: 0.5,
  blur: 0.15,
  motion: 0.5,
  sideLight: 0.3,
  coarse: 0.15,
  cover: 0.2,
};

/** A share of the usual changes, in extent and in how often, 0..1; mirror images are as many as ever. */
export function faceChanges(share: number): FaceAugmentation {
  const { flip, ...changes } = faceAugmentation;
  return { ...scaledBy(share, changes), flip };
}

/** For pre-training, which is to predict the face itself: moved and relit, but nothing is put over it. */
export const gentleFaceAugmentation: FaceAugmentation = {
  ...faceAugmentation,
  blur: 0,
  sideLight: 0,
  coarse: 0,
  cover: 0,
};

interface Warp {
  readonly cos: number;
  readonly sin: number;
  readonly x: number;
  readonly y: number;
  readonly mirror: number;
  readonly gain: number;
  readonly offset: number;
}

/** Bilinear samples of a stored face; outside it its edge is repeated. */
function sample(set: FaceSet, index: number, warp: Warp, cropPx: number, out: Float32Array): void {
  const { gray, sidePx } = set;
  const base = index * sidePx * sidePx;
  const last = sidePx - 1;
  const middle = (cropPx - 1) / 2;
  let at = 0;
  for (let v = 0; v < cropPx; v++) {
    const dy = v - middle;
    for (let u = 0; u < cropPx; u++) {
      const dx = (u - middle) * warp.mirror;
      const x = Math.min(last, Math.max(0, warp.cos * dx - warp.sin * dy + last / 2 + warp.x));
      const y = Math.min(last, Math.max(0, warp.sin * dx + warp.cos * dy + last / 2 + warp.y));
      const x0 = x | 0;
      const y0 = y | 0;
      const fx = x - x0;
      const fy = y - y0;
      const p = base + y0 * sidePx + x0;
      const right = x0 < last ? 1 : 0;
      const down = y0 < last ? sidePx : 0;
      const top = gray[p]! + fx * (gray[p + right]! - gray[p]!);
      const bottom = gray[p + down]! + fx * (gray[p + down + right]! - gray[p + down]!);
      out[at++] = Math.min(255, Math.max(0, (top + fy * (bottom - top)) * warp.gain + warp.offset));
    }
  }
}

/** A 1-2-1 blur in both directions, in place; the outermost pixels stay. */
function blur(image: Float32Array, side: number, scratch: Float32Array): void {
  scratch.set(image);
  for (let y = 1; y < side - 1; y++)
    for (let x = 1; x < side - 1; x++) {
      const i = y * side + x;
      const corners =
        scratch[i - side - 1]! + scratch[i - side + 1]! + scratch[i + side - 1]! + scratch[i + side + 1]!;
      const edges = scratch[i - side]! + scratch[i - 1]! + scratch[i + 1]! + scratch[i + side]!;
      image[i] = (corners + 2 * edges + 4 * scratch[i]!) / 16;
    }
}

/** What makes a picture unlike a studio's, drawn once for both frames. */
interface Disturbance {
  /** Side light: change per pixel from the middle, along x and y. */
  readonly lightX: number;
  readonly lightY: number;
  /** Pixels a side that are left; the picture's own side leaves it. */
  readonly coarseSide: number;
  readonly cover: Cover | null;
}

interface Cover {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly gray: number;
}

/** A strip over the eyes, or a box anywhere that may reach over the edge. */
function drawCover(side: number, random: Random): Cover {
  const gray = random.uniform() * 255;
  if (random.uniform() < 0.3) {
    const top = side * (0.22 + random.uniform() * 0.1);
    return { left: 0, top, right: side, bottom: top + side * (0.12 + random.uniform() * 0.13), gray };
  }
  const width = side * (0.2 + random.uniform() * 0.35);
  const height = side * (0.2 + random.uniform() * 0.35);
  const left = random.uniform() * side - width / 2;
  const top = random.uniform() * side - height / 2;
  return { left, top, right: left + width, bottom: top + height, gray };
}

/** Light, coarseness and cover, in place. */
function disturb(image: Float32Array, side: number, by: Disturbance, scratch: Float32Array): void {
  const middle = (side - 1) / 2;
  for (let y = 0, i = 0; y < side; y++)
    for (let x = 0; x < side; x++, i++)
      image[i] = Math.min(255, image[i]! * (1 + by.lightX * (x - middle) + by.lightY * (y - middle)));
  if (by.cover) {
    const { left, top, right, bottom, gray } = by.cover;
    for (let y = Math.max(0, Math.round(top)); y < Math.min(side, bottom); y++)
      image.fill(
        gray,
        y * side + Math.max(0, Math.round(left)),
        y * side + Math.round(Math.min(side, right)),
      );
  }
  if (by.coarseSide < side) coarsen(image, side, by.coarseSide, scratch);
}

/** Means over the cells of a grid of `few` x `few`, and bilinear between them. */
function coarsen(image: Float32Array, side: number, few: number, scratch: Float32Array): void {
  const cell = side / few;
  for (let v = 0; v < few; v++)
    for (let u = 0; u < few; u++) {
      const [top, bottom] = [Math.floor(v * cell), Math.ceil((v + 1) * cell)];
      const [left, right] = [Math.floor(u * cell), Math.ceil((u + 1) * cell)];
      let sum = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += image[y * side + x]!;
      scratch[v * few + u] = sum / ((bottom - top) * (right - left));
    }
  const inside = (at: number): number => Math.min(few - 1, Math.max(0, (at + 0.5) / cell - 0.5));
  for (let y = 0; y < side; y++) {
    const v = inside(y);
    const v0 = Math.floor(v);
    const v1 = Math.min(few - 1, v0 + 1);
    for (let x = 0; x < side; x++) {
      const u = inside(x);
      const u0 = Math.floor(u);
      const u1 = Math.min(few - 1, u0 + 1);
      const top = scratch[v0 * few + u0]! * (u0 + 1 - u) + scratch[v0 * few + u1]! * (u - u0);
      const bottom = scratch[v1 * few + u0]! * (u0 + 1 - u) + scratch[v1 * few + u1]! * (u - u0);
      image[y * side + x] = top * (v0 + 1 - v) + bottom * (v - v0);
    }
  }
}

/** Fills the tokens of single faces; holds its scratch memory. */
export interface FacePatcher {
  /**
   * Both frames of a tubelet, standardized; shape [frames, side, side]. The next call overwrites them.
   * @param augmentation null: the stored face's middle, both frames alike
   */
  tubelet(set: FaceSet, index: number, random: Random, augmentation: FaceAugmentation | null): Float32Array;
  /**
   * Writes the patches at `positions` (flat indices over [slots, rows, columns]) of one face.
   * @param patches the batch's [B, K, P]; this face's begin at `offset`
   * @param augmentation null: the stored face's middle, both frames of a tubelet alike
   */
  fill(
    set: FaceSet,
    index: number,
    positions: Int32Array,
    patches: Float32Array,
    offset: number,
    random: Random,
    augmentation: FaceAugmentation | null,
  ): void;
}

export function facePatcher(config: EncoderConfig): FacePatcher {
  const { cropPx, patchPx, tubeletFrames } = config.video;
  const perRow = cropPx / patchPx;
  const patchLength = 3 * tubeletFrames * patchPx * patchPx;
  const tubelet = new Float32Array(tubeletFrames * cropPx * cropPx);
  const frames = Array.from({ length: tubeletFrames }, (_, t) =>
    tubelet.subarray(t * cropPx * cropPx, (t + 1) * cropPx * cropPx),
  );
  const scratch = new Float32Array(cropPx * cropPx);
  const spread = (random: Random, limit: number): number => (random.uniform() * 2 - 1) * limit;
  const draw: FacePatcher['tubelet'] = (set, index, random, augmentation) => {
    const limits = augmentation ?? unchanged;
    const angle = (spread(random, limits.rotationDeg) * Math.PI) / 180;
    const scale = Math.exp(spread(random, limits.scale));
    const gain = Math.exp(spread(random, limits.contrast));
    const warp: Warp = {
      cos: Math.cos(angle) * scale,
      sin: Math.sin(angle) * scale,
      x: spread(random, limits.shiftPx),
      y: spread(random, limits.shiftPx),
      mirror: random.uniform() < limits.flip ? -1 : 1,
      gain,
      // Contrast turns around middle gray.
      offset: spread(random, limits.brightness) + 128 * (1 - gain),
    };
    const blurred = random.uniform() < limits.blur;
    const moving = random.uniform() < limits.motion;
    const light = spread(random, limits.sideLight) / (cropPx / 2);
    const direction = random.uniform() * 2 * Math.PI;
    const disturbance: Disturbance = {
      lightX: light * Math.cos(direction),
      lightY: light * Math.sin(direction),
      coarseSide: random.uniform() < limits.coarse ? cropPx / 2 + random.integer(cropPx / 2) : cropPx,
      cover: random.uniform() < limits.cover ? drawCover(cropPx, random) : null,
    };
    frames.forEach((frame, t) => {
      if (t > 0 && !moving) {
        frame.set(frames[0]!);
        return;
      }
      const moved =
        t === 0
          ? warp
          : {
              ...warp,
              x: warp.x + spread(random, 0.7),
              y: warp.y + spread(random, 0.7),
              offset: warp.offset + spread(random, 4),
            };
      sample(set, index, moved, cropPx, frame);
      if (blurred) blur(frame, cropPx, scratch);
      if (augmentation) disturb(frame, cropPx, disturbance, scratch);
    });
    standardize(tubelet);
    return tubelet;
  };
  return {
    tubelet: draw,
    fill(set, index, positions, patches, offset, random, augmentation) {
      draw(set, index, random, augmentation);
      const pixels = patchPx * patchPx;
      positions.forEach((position, k) => {
        const place = position % (perRow * perRow);
        const top = Math.floor(place / perRow) * patchPx;
        const left = (place % perRow) * patchPx;
        const to = offset + k * patchLength;
        // Channel, frame, row, column: as the convolution's weight is laid out.
        for (let c = 0; c < 3; c++) {
          for (let t = 0; t < tubeletFrames; t++) {
            const frame = frames[t]!;
            let at = to + (c * tubeletFrames + t) * pixels;
            for (let y = 0; y < patchPx; y++)
              for (let x = 0, from = (top + y) * cropPx + left; x < patchPx; x++)
                patches[at++] = frame[from++]!;
          }
        }
      });
    },
  };
}
