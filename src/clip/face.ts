// What the face detector tells of a face, in fractions of the picture so that no size need travel along.

/** A point in fractions of the picture's width and height; not mirrored. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A box in fractions of the picture, 0..1, not mirrored. */
export interface FaceBox extends Point {
  readonly width: number;
  readonly height: number;
}

/** The points that alignment uses. `rightEye` is the person's right, left in the picture. */
export interface FacePoints {
  readonly rightEye: Point;
  readonly leftEye: Point;
  readonly mouth: Point;
}
