// What the Node side (face-points.ts) and the page's side (film-points.ts) say to each other.

/** rightEye x, y, leftEye x, y, mouth x, y in fractions of the still; they may lie a little outside it. */
export type FlatPoints = readonly [number, number, number, number, number, number];

/** Pictures of one size. */
export interface PictureBatch {
  /** Where their interleaved pixels, 0..255, are to be had; shape [count, height, width, channels]. */
  readonly url: string;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Time of each picture in a film, milliseconds; times that do not rise begin another. Null: single pictures. */
  readonly timesMs: readonly number[] | null;
}

export interface PictureFinder {
  /** Points of each picture; null where the face is not to be seen. @throws Problem `face-detector-failed`, `timeout` */
  find(batch: PictureBatch): Promise<(FlatPoints | null)[]>;
  close(): void;
}
