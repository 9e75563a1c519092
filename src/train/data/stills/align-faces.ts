// A folder's faces, read, selected and aligned; the points are found once per file and kept.
import { Problem, toProblem } from '../../../base/errors.ts';
import type { FacePoints } from '../../../clip/face.ts';
import { readCache, sha256, writeCache } from '../../base/cache.ts';
import { alignStills, readStills, selectRows } from './faces.ts';
import type { FaceSet, Stills } from './faces.ts';
import { progress } from '../../base/progress.ts';

/** Changes when the cached points would. */
const pointsVersion = 'points-1';
const numbersPerFace = 6;

/** How a folder's faces were taken in. */
export interface FaceReport {
  /** Rows of the split. */
  readonly rows: number;
  /** Rows left out, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Faces that stayed in which no face was found: taken as they are. Null when no detector was asked. */
  readonly undetected: number | null;
}

function toRow(points: FacePoints | null): number[] {
  if (points === null) return new Array<number>(numbersPerFace).fill(NaN);
  return [points.rightEye, points.leftEye, points.mouth].flatMap(({ x, y }) => [x, y]);
}

function fromRow(row: Float32Array): FacePoints | null {
  const [ax = NaN, ay = 0, bx = 0, by = 0, cx = 0, cy = 0] = row;
  return Number.isNaN(ax)
    ? null
    : { rightEye: { x: ax, y: ay }, leftEye: { x: bx, y: by }, mouth: { x: cx, y: cy } };
}

/** The points of every still, from .cache/ or by the live path's detector in a headless Chromium. */
async function facePointsOf(stills: Stills, say: (line: string) => void): Promise<(FacePoints | null)[]> {
  const { count, widthPx: width, heightPx: height, data } = stills;
  const name = `${sha256(pointsVersion, `${String(width)}x${String(height)}`, data).slice(0, 24)}.face-points`;
  let bytes = readCache(name, count * numbersPerFace * 4);
  if (bytes === undefined) {
    // Loaded only here: it brings a browser and a server with it.
    const { findFacePoints } = await import('../../../face-points/face-points.ts');
    const asked = findFacePoints(
      { data, count, width, height, channels: 1 },
      progress(`finding faces in ${stills.imagePath}`, say),
    );
    const points = await asked.catch((error: unknown) => {
      const [why = ''] = toProblem(error).message.replace('internal: ', '').split('\n');
      throw new Problem(
        'face-detector-failed',
        `${why} It is needed to align the faces in ${stills.imagePath}; if they are aligned already, give --align as-is.`,
        { cause: error },
      );
    });
    bytes = new Uint8Array(Float32Array.from(points.flatMap(toRow)).buffer);
    writeCache(name, bytes);
  }
  const numbers = new Float32Array(bytes.slice().buffer);
  return Array.from({ length: count }, (_, i) =>
    fromRow(numbers.subarray(i * numbersPerFace, (i + 1) * numbersPerFace)),
  );
}

/** How a split's faces are wanted. */
export interface FaceWish {
  readonly folder: string;
  readonly split: string;
  /** Tied rows: kept with the first of the equals (training), or left out (scoring). */
  readonly ties: 'keep' | 'drop';
  readonly cropPx: number;
  /** Side of what is stored; more than cropPx leaves a margin for augmentation. */
  readonly sidePx: number;
  /** `detect`: aligned by the detector's points, as the page does; `as-is`: the stills are canonical crops already. */
  readonly align: 'detect' | 'as-is';
}

/** Reads, selects and aligns a split. @throws Problem when nothing is left of it, or no detector can be run */
export async function loadFaces(
  wish: FaceWish,
  say: (line: string) => void,
): Promise<{ set: FaceSet; report: FaceReport }> {
  const stills = readStills(wish.folder, wish.split);
  const selection = selectRows(stills, wish.ties);
  if (selection.rows.length === 0) {
    throw new Problem(
      'unsupported-file',
      `${stills.imagePath} leaves no face with one of our emotions: ${JSON.stringify(selection.dropped)} of ${String(stills.count)}.`,
    );
  }
  const points = wish.align === 'detect' ? await facePointsOf(stills, say) : null;
  const set = alignStills(stills, selection, points, wish.cropPx, wish.sidePx);
  const undetected = points && selection.rows.filter((row) => (points[row] ?? null) === null).length;
  return { set, report: { rows: stills.count, dropped: selection.dropped, undetected } };
}
