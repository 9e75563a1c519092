// Which of several faces is read: one, and the same one until it has really left. Pure, so that it can be tested.
import type { FaceBox, FacePoints, Point } from '../clip/face.ts';
import type { DetectedFace } from './face-protocol.ts';

/** The face being followed. */
export interface TrackedFace {
  readonly box: FaceBox;
  readonly points: FacePoints;
  readonly seenMs: number;
}

/** A face that has been away this long is given up, and the largest one present takes its place. */
export const switchAfterMs = 1000;

/** Overlap (intersection over union) from which a detection is surely the same face. */
const sameOverlap = 0.2;

/** Without overlap, a detection whose center moved by less than this many box widths is still the same face. */
const nearWidths = 0.75;

/** A neighbor's size may differ by this factor and still be the same face. */
const sizeFactor = 1.8;

/**
 * The face to read now.
 * @param tracked the face followed so far; null at first
 * @returns null when the followed face is not to be seen: a short miss, or nobody there
 */
export function chooseFace(
  tracked: TrackedFace | null,
  faces: readonly DetectedFace[],
  timeMs: number,
): DetectedFace | null {
  const awayMs = tracked ? timeMs - tracked.seenMs : Infinity;
  // Time going backwards means another series of pictures (a file was rewound).
  if (!tracked || awayMs < 0) return best(faces, (face) => area(face.box));
  const overlapping = best(
    faces.filter((face) => overlap(tracked.box, face.box) >= sameOverlap),
    (face) => overlap(tracked.box, face.box),
  );
  if (overlapping) return overlapping;
  const near = best(
    faces.filter((face) => isNear(tracked.box, face.box)),
    (face) => -distance(center(tracked.box), center(face.box)),
  );
  if (near) return near;
  return awayMs >= switchAfterMs ? best(faces, (face) => area(face.box)) : null;
}

/** Motion, in eye distances, below which points are mostly held, and above which they follow at once. */
const restMotion = 0.02;
const freeMotion = 0.12;
/** The least share of a new measurement that is taken over. */
const leastGain = 0.35;
/** After such a gap the old points say nothing. */
const forgetMs = 250;

/**
 * Points steadied against the detector's jitter, so that a still face gives a still crop: the new measurement counts for
 * 35 % while it moves by up to 2 % of the distance between the eyes, fully from 12 % on, in between linearly.
 */
export function steadyPoints(tracked: TrackedFace | null, points: FacePoints, timeMs: number): FacePoints {
  if (!tracked) return points;
  const gapMs = timeMs - tracked.seenMs;
  if (gapMs < 0 || gapMs > forgetMs) return points;
  const old = tracked.points;
  const eyes = Math.max(1e-6, distance(points.rightEye, points.leftEye));
  const moved = Math.max(
    distance(old.rightEye, points.rightEye),
    distance(old.leftEye, points.leftEye),
    distance(old.mouth, points.mouth),
  );
  const share = Math.min(1, Math.max(0, (moved / eyes - restMotion) / (freeMotion - restMotion)));
  const gain = leastGain + (1 - leastGain) * share;
  const mix = (from: Point, to: Point): Point => ({
    x: from.x + gain * (to.x - from.x),
    y: from.y + gain * (to.y - from.y),
  });
  return {
    rightEye: mix(old.rightEye, points.rightEye),
    leftEye: mix(old.leftEye, points.leftEye),
    mouth: mix(old.mouth, points.mouth),
  };
}

function best(faces: readonly DetectedFace[], value: (face: DetectedFace) => number): DetectedFace | null {
  let winner: DetectedFace | null = null;
  for (const face of faces) if (!winner || value(face) > value(winner)) winner = face;
  return winner;
}

function area(box: FaceBox): number {
  return box.width * box.height;
}

function center(box: FaceBox): Point {
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function isNear(a: FaceBox, b: FaceBox): boolean {
  const close = distance(center(a), center(b)) < nearWidths * Math.max(a.width, b.width);
  const ratio = area(a) / Math.max(1e-9, area(b));
  return close && ratio < sizeFactor ** 2 && ratio > 1 / sizeFactor ** 2;
}

/** Intersection over union, 0..1. */
function overlap(a: FaceBox, b: FaceBox): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (area(a) + area(b) - width * height);
}
