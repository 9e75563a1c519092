// Still faces with crowd votes, laid out as FER+: SPLIT-images.npy.gz and SPLIT-votes.csv.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../../base/errors.ts';
import { alignFace, alignment, canonicalPoints } from '../../../clip/face-alignment.ts';
import type { Picture } from '../../../clip/face-alignment.ts';
import type { FacePoints, Point } from '../../../clip/face.ts';
import { emotions } from '../../../model/labels.ts';
import { readCsv } from '../../base/csv.ts';
import { readNpyBytes } from '../../base/npy.ts';
import { sharedBytes, sharedFloats } from '../../base/shared-array.ts';
import type { SharedBytes, SharedFloats } from '../../base/shared-array.ts';

/** FER+'s vote columns, in the order of `emotions`, and those that are no emotion of ours. */
const voteColumns = ['anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness', 'surprise'] as const;
const otherColumns = ['contempt', 'unknown', 'not_a_face'] as const;

/** Gray faces with soft and hard labels. */
export interface FaceSet {
  readonly count: number;
  /** Side of each stored picture in pixels. */
  readonly sidePx: number;
  /** 0..255; shape [count, sidePx, sidePx]. */
  readonly gray: SharedBytes;
  /** The crowd's votes over our seven classes, summing to 1; shape [count, 7]. */
  readonly targets: SharedFloats;
  /** The class with most votes; shape [count]. */
  readonly labels: SharedBytes;
}

/** The stills of a split as read, before alignment. */
export interface Stills {
  readonly count: number;
  readonly widthPx: number;
  readonly heightPx: number;
  /** 0..255; shape [count, heightPx, widthPx]. */
  readonly data: Uint8Array;
  /** Rows of votes; shape [count, 10], in the order of voteColumns, then otherColumns. */
  readonly votes: readonly (readonly number[])[];
  readonly imagePath: string;
}

/** Reads a split: DIR/SPLIT-images.npy.gz (or .npy) and DIR/SPLIT-votes.csv, row by row the same faces. */
export function readStills(folder: string, split: string): Stills {
  const zipped = join(folder, `${split}-images.npy.gz`);
  const plain = join(folder, `${split}-images.npy`);
  const imagePath = existsSync(zipped) || !existsSync(plain) ? zipped : plain;
  if (!existsSync(imagePath)) {
    throw new Problem(
      'unsupported-file',
      `No faces: ${zipped} does not exist. Give a folder laid out like FER+ and one of its splits.`,
    );
  }
  const { shape, data } = readNpyBytes(imagePath);
  const [count = 0, heightPx = 0, widthPx = 0] = shape;
  if (shape.length !== 3 || heightPx < 8 || widthPx < 8) {
    throw new Problem(
      'unsupported-file',
      `${imagePath} has the shape [${shape.join(', ')}]; wanted [faces, height, width], gray.`,
    );
  }
  const votesPath = join(folder, `${split}-votes.csv`);
  const columns = [...voteColumns, ...otherColumns];
  const { rows } = readCsv(votesPath, columns);
  if (rows.length !== count) {
    throw new Problem(
      'unsupported-file',
      `${votesPath} has ${String(rows.length)} rows for ${String(count)} faces in ${imagePath}; wanted one each.`,
    );
  }
  const votes = rows.map((row, i) =>
    columns.map((column) => {
      const value = Number(row[column]);
      if (!Number.isFinite(value) || value < 0) {
        throw new Problem(
          'unsupported-file',
          `${votesPath} row ${String(i + 2)}: ${column} is "${row[column] ?? ''}"; wanted a count of votes.`,
        );
      }
      return value;
    }),
  );
  return { count, widthPx, heightPx, data, votes, imagePath };
}

/** Why a row is left out, or its class. */
type Verdict = { readonly label: number } | { readonly dropped: string };

/**
 * The class of a row of votes.
 * @param ties `keep` takes the first of equal emotions (training), `drop` leaves the row out (scoring)
 */
function verdict(votes: readonly number[], ties: 'keep' | 'drop'): Verdict {
  const most = Math.max(...votes);
  const top = votes.flatMap((value, i) => (value === most ? [i] : []));
  if (most === 0) return { dropped: 'no votes' };
  if (top.length > 1 && ties === 'drop') return { dropped: 'tied' };
  const first = top[0] ?? 0;
  if (first >= emotions.length)
    return { dropped: `plurality ${otherColumns[first - emotions.length] ?? 'other'}` };
  return { label: first };
}

/** The indices of the rows that stay, their classes, and how many were left out and why. */
export function selectRows(
  stills: Stills,
  ties: 'keep' | 'drop',
): { readonly rows: number[]; readonly labels: number[]; readonly dropped: Record<string, number> } {
  const rows: number[] = [];
  const labels: number[] = [];
  const dropped: Record<string, number> = {};
  stills.votes.forEach((votes, i) => {
    const result = verdict(votes, ties);
    if ('label' in result) {
      rows.push(i);
      labels.push(result.label);
    } else dropped[result.dropped] = (dropped[result.dropped] ?? 0) + 1;
  });
  return { rows, labels, dropped };
}

/**
 * Points that make `alignFace(picture, points, sidePx)` keep the scale of a cropPx crop but show a margin around it.
 */
function withMargin(points: FacePoints, picture: Picture, cropPx: number, sidePx: number): FacePoints {
  const { width, height } = picture;
  const s = alignment(points, width, height, cropPx);
  const margin = (sidePx - cropPx) / 2;
  const squared = s.a * s.a + s.b * s.b;
  const back = (p: Point): Point => {
    const x = p.x * sidePx - s.tx - margin;
    const y = p.y * sidePx - s.ty - margin;
    return { x: (s.a * x + s.b * y) / squared / width, y: (s.a * y - s.b * x) / squared / height };
  };
  return {
    rightEye: back(canonicalPoints.rightEye),
    leftEye: back(canonicalPoints.leftEye),
    mouth: back(canonicalPoints.mouth),
  };
}

/**
 * Aligned faces of the rows that stay.
 * @param points one per still, null where no face was found: such a still is taken as a canonical crop already
 * @param cropPx the model's crop
 * @param sidePx side of what is stored: cropPx, or more to leave a margin for augmentation
 */
export function alignStills(
  stills: Stills,
  selection: { readonly rows: readonly number[]; readonly labels: readonly number[] },
  points: readonly (FacePoints | null)[] | null,
  cropPx: number,
  sidePx: number,
): FaceSet {
  const count = selection.rows.length;
  const size = sidePx * sidePx;
  const gray = sharedBytes(count * size);
  const targets = sharedFloats(count * emotions.length);
  const labels = sharedBytes(count);
  const pixels = stills.widthPx * stills.heightPx;
  selection.rows.forEach((row, i) => {
    const picture: Picture = {
      data: stills.data.subarray(row * pixels, (row + 1) * pixels),
      width: stills.widthPx,
      height: stills.heightPx,
      channels: 1,
    };
    const found = points?.[row] ?? canonicalPoints;
    const crop = alignFace(
      picture,
      sidePx === cropPx ? found : withMargin(found, picture, cropPx, sidePx),
      sidePx,
    );
    for (let p = 0; p < size; p++) gray[i * size + p] = crop[p * 3] ?? 0;
    const votes = (stills.votes[row] ?? []).slice(0, emotions.length);
    const sum = votes.reduce((a, b) => a + b, 0);
    votes.forEach((value, c) => (targets[i * emotions.length + c] = value / sum));
    labels[i] = selection.labels[i] ?? 0;
  });
  return { count, sidePx, gray, targets, labels };
}
