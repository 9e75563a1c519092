// What the tasks on prepared samples have in common: which samples, and how clips are cut from them.
import type { FrameColor } from '../../clip/spec.ts';
import type { SharedInts } from '../base/shared-array.ts';
import type { ViewOptions } from '../views/clip-views.ts';

/** Prepared samples of a run and how clips are cut from them; of every task's data. */
export interface PreparedData {
  readonly folders: readonly string[];
  readonly color: FrameColor;
  readonly bandLimitHz: number | null;
  readonly frameStep: number;
  readonly shortSound: ViewOptions['shortSound'];
  /** Samples that are trained on, and looked at, by their number in the folders. */
  readonly trained: SharedInts;
  readonly validated: SharedInts;
}
