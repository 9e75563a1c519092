// Which face points a frame is cropped by when its own were not found: those of the frame nearest in time that has some.
import { Problem } from '../../../base/errors.ts';
import type { FacePoints } from '../../../clip/face.ts';

export interface Placed<T> {
  readonly frame: T;
  readonly points: FacePoints;
}

export interface Placer<T> {
  /** The next frame; returns those whose place is now known, in the order of time. */
  add(frame: T, points: FacePoints | null): Placed<T>[];
  /** No frame is left. Nothing when no points were ever found. */
  end(): Placed<T>[];
  readonly foundCount: number;
}

/**
 * @param mostWaiting frames that may wait for points that are not found yet; further ones take the last found place
 */
export function createPlacer<T>(mostWaiting: number): Placer<T> {
  const waiting: { readonly frame: T; readonly index: number }[] = [];
  let last: { readonly points: FacePoints; readonly index: number } | null = null;
  let index = 0;
  let foundCount = 0;
  const release = (count: number, points: FacePoints): Placed<T>[] =>
    waiting.splice(0, count).map(({ frame }) => ({ frame, points }));
  return {
    add(frame, points) {
      waiting.push({ frame, index });
      const now = index++;
      if (points !== null) {
        foundCount += 1;
        const before = last;
        // Of two equally near ones the earlier.
        const nearBefore = before
          ? waiting.filter((each) => each.index - before.index <= now - each.index).length
          : 0;
        last = { points, index: now };
        return [...(before ? release(nearBefore, before.points) : []), ...release(waiting.length, points)];
      }
      if (last === null) {
        if (waiting.length <= mostWaiting) return [];
        throw new Problem(
          'unsupported-file',
          `no face in its first ${String(waiting.length)} frames: too many to keep waiting for one`,
        );
      }
      // Nothing that is found later can be nearer than these's last place.
      const from = last.index;
      const decided = waiting.filter((each) => each.index - from <= index - each.index).length;
      return release(Math.max(decided, waiting.length - mostWaiting), last.points);
    },
    end() {
      return last ? release(waiting.length, last.points) : [];
    },
    get foundCount() {
      return foundCount;
    },
  };
}
