// Face points of small still pictures, such as training faces, by the live path's own detector.
import { Problem } from '../base/errors.ts';
import type { FacePoints, Point } from '../clip/face.ts';
import { openFaceTracker } from '../capture/face-client.ts';
import type { DetectedFace, FinderOptions } from '../capture/face-protocol.ts';
import type { FlatPoints } from './protocol.ts';

/** Interleaved pixels, 0..255; shape [height, width, channels]. */
export interface Picture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

export interface StillFinder {
  /** Points of the face that fills the still; null when none is found. */
  find(still: Picture): Promise<FlatPoints | null>;
  close(): void;
}

/**
 * Measured on FER+ valid's 48 x 48 faces: found 97.7 % of all 3,579 so. The full-range model, made for smaller faces in
 * larger pictures, found 53-78 % at 0.6 (mostly on 120 images each), whatever the padding (1.5-4) and border.
 */
const stillFinder: FinderOptions = { range: 'short', minScore: 0.5 };

/** The detector expects a face inside a picture: side of the square picture around a still, in sides of the still. */
const padding = 2;

/** Side of that picture in pixels: what the short-range model reads. */
const sidePx = 128;

/**
 * @param assetsUrl folder with MediaPipe's wasm and the face model, ending in a slash
 * @throws Problem `face-detector-failed` or `timeout`
 */
export async function openStillFinder(assetsUrl: string): Promise<StillFinder> {
  const tracker = await openFaceTracker({ assetsUrl, cropPx: 1, finder: stillFinder });
  const source = new OffscreenCanvas(1, 1);
  const picture = new OffscreenCanvas(sidePx, sidePx);
  return {
    async find(still) {
      const { width, height } = still;
      const faces = await tracker.detect(draw(stillAsImage(still), source, picture));
      return toPoints(faces, width, height);
    },
    close: () => {
      tracker.close();
    },
  };
}

/** The still in the middle of a square picture whose border continues it. */
function draw(still: ImageData, source: OffscreenCanvas, picture: OffscreenCanvas): ImageBitmap {
  const { width, height } = still;
  source.width = width;
  source.height = height;
  source.getContext('2d')?.putImageData(still, 0, 0);
  const context = picture.getContext('2d');
  if (!context) throw new Problem('face-detector-failed', 'internal: no 2d context');
  context.imageSmoothingQuality = 'high';
  const scale = sidePx / padding / Math.max(width, height);
  const w = width * scale;
  const h = height * scale;
  const x = (sidePx - w) / 2;
  const y = (sidePx - h) / 2;
  // Edges first, then corners, each stretched from the outermost pixels.
  context.drawImage(source, 0, 0, width, 1, x, 0, w, y + 1);
  context.drawImage(source, 0, height - 1, width, 1, x, y + h - 1, w, sidePx - y - h + 1);
  context.drawImage(source, 0, 0, 1, height, 0, y, x + 1, h);
  context.drawImage(source, width - 1, 0, 1, height, x + w - 1, y, sidePx - x - w + 1, h);
  context.drawImage(source, 0, 0, 1, 1, 0, 0, x, y);
  context.drawImage(source, width - 1, 0, 1, 1, x + w, 0, sidePx - x - w, y);
  context.drawImage(source, 0, height - 1, 1, 1, 0, y + h, x, sidePx - y - h);
  context.drawImage(source, width - 1, height - 1, 1, 1, x + w, y + h, sidePx - x - w, sidePx - y - h);
  context.drawImage(source, x, y, w, h);
  return picture.transferToImageBitmap();
}

function toPoints(faces: readonly DetectedFace[], width: number, height: number): FlatPoints | null {
  const face = faces[0];
  if (!face) return null;
  const spanX = (padding * Math.max(width, height)) / width;
  const spanY = (padding * Math.max(width, height)) / height;
  const x = (value: number): number => 0.5 + (value - 0.5) * spanX;
  const y = (value: number): number => 0.5 + (value - 0.5) * spanY;
  const inStill = (point: Point): Point => ({ x: x(point.x), y: y(point.y) });
  const { rightEye, leftEye, mouth } = face.points;
  return flatten({ rightEye: inStill(rightEye), leftEye: inStill(leftEye), mouth: inStill(mouth) });
}

export function flatten({ rightEye, leftEye, mouth }: FacePoints): FlatPoints {
  return [rightEye.x, rightEye.y, leftEye.x, leftEye.y, mouth.x, mouth.y];
}

export function stillAsImage({ data, width, height, channels }: Picture): ImageData {
  const image = new ImageData(width, height);
  const rgba = image.data;
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let to = 0, from = 0; to < rgba.length; to += 4, from += channels) {
    rgba[to] = data[from]!;
    rgba[to + 1] = data[from + green]!;
    rgba[to + 2] = data[from + blue]!;
    rgba[to + 3] = 255;
  }
  return image;
}
