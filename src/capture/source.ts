// Where pictures and sound come from: camera, file or demo, behind one face and on one clock.
import type { Problem } from '../base/errors.ts';

export type SourceKind = 'camera' | 'file' | 'demo';

/** Mono sound at 16 kHz, addressed by time on the source's clock; holds at least the last 10 s. */
export interface Sound {
  /** Up to `durationMs` of samples ending at `endMs`, -1..1, newest last; shorter where sound began later or has not arrived. */
  read(endMs: number, durationMs: number): Float32Array;
}

export interface Frame {
  /** The caller owns and closes (or transfers) it. */
  readonly bitmap: ImageBitmap;
  /** When it was taken, milliseconds on the source's clock. */
  readonly timeMs: number;
}

export interface Source {
  readonly kind: SourceKind;
  /** What the page shows. A camera's view is to be mirrored by the page. */
  readonly view: HTMLVideoElement | HTMLCanvasElement;
  /** null: the source has no sound (no microphone, a silent file). */
  readonly sound: Sound | null;
  /** Why there is no sound, in plain words; null when there is. */
  readonly soundProblem: Problem | null;
  /** Why there are no pictures, in plain words: only a file of sound alone has this; absent or null where there are some. */
  readonly pictureProblem?: Problem | null;
  /** Milliseconds since the source started; media time for a file. */
  nowMs(): number;
  /** The current picture; null when there is no new one since the last call. */
  grabFrame(): Promise<Frame | null>;
  /** Settles when the source ends: a file's end (null), or a device that was lost (why). Never rejects. */
  readonly ended: Promise<Problem | null>;
  /** Media length in milliseconds; null for endless sources. */
  readonly durationMs: number | null;
  /**
   * Only a file opened with pace `stepped`: seek to timeMs and wait until that picture is there; sound is all there at once.
   * For analysis faster or slower than real time, with the same result every time.
   */
  readonly step: ((timeMs: number) => Promise<void>) | null;
  /** Stops every track, closes every context, revokes every URL. May be called twice. */
  close(): void;
}
