// Every message between the page and the face worker, and what is known of a face.
import type { ProblemKind } from '../base/errors.ts';
import type { FaceBox, FacePoints } from '../clip/face.ts';

/** A face found in one picture. */
export interface DetectedFace {
  readonly box: FaceBox;
  readonly points: FacePoints;
  /** The detector's confidence, 0..1. */
  readonly score: number;
}

export interface FinderOptions {
  /** MediaPipe's model for faces within about 2 m, filling much of the picture, or for smaller ones up to about 5 m. */
  readonly range: 'short' | 'full';
  /** Least confidence of a face, 0..1. */
  readonly minScore: number;
}

/** The tracked face at one time. */
export interface FaceObservation extends DetectedFace {
  /** Milliseconds on the source's clock. */
  readonly timeMs: number;
  /** Aligned crop, RGB 0..255; shape [S, S, 3]. */
  readonly crop: Uint8ClampedArray;
  /** The same in further sizes, where they were asked for, in that order. */
  readonly otherCrops?: readonly Uint8ClampedArray[];
}

/** Parts of a request that the client fills in itself. */
interface Numbered {
  readonly id: number;
}

export interface OpenRequest extends Numbered {
  readonly type: 'open';
  /** URL of the folder with MediaPipe's wasm and the face model, ending in a slash. */
  readonly assetsUrl: string;
  readonly cropPx: number;
  /** Absent: what suits cameras and films. */
  readonly finder?: FinderOptions | undefined;
}

/** Follow one face through a series of pictures. The bitmap is transferred; the worker closes it. */
export interface TrackRequest extends Numbered {
  readonly type: 'track';
  readonly bitmap: ImageBitmap;
  readonly timeMs: number;
  /** Sides of the crops wanted: the first is `crop`, the rest are `otherCrops`; absent: the one of the opening. */
  readonly cropSizesPx: readonly number[] | undefined;
}

/** All faces of one picture, without memory of others. The bitmap is transferred; the worker closes it. */
export interface DetectRequest extends Numbered {
  readonly type: 'detect';
  readonly bitmap: ImageBitmap;
}

export type FaceRequest = OpenRequest | TrackRequest | DetectRequest;

export type FaceReply =
  | { readonly type: 'opened'; readonly id: number }
  | { readonly type: 'tracked'; readonly id: number; readonly observation: FaceObservation | null }
  | { readonly type: 'detected'; readonly id: number; readonly faces: readonly DetectedFace[] }
  | { readonly type: 'failed'; readonly id: number; readonly kind: ProblemKind; readonly message: string };
