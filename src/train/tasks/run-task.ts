// What a training thread does in a run: prepare a part of a step's batch, compute its loss, answer validation.
import type { Scalar } from '@tensorflow/tfjs-core';
import type { Params } from '../../model/params.ts';

/** A part of a step's batch, ready to be computed; what one thread holds in memory at a time. */
export interface Part {
  /** Names of its samples, to name a bad batch. */
  readonly samples: readonly string[];
  /**
   * The loss, a mean over the part.
   * @param note keeps a part of the loss for the log
   */
  loss(params: Params, note: (name: string, value: Scalar) => void): Scalar;
  /** Frees its tensors. */
  close(): void;
}

/** Some items of one of a task's validation sets, by number. */
export interface ValidationItems {
  readonly set: string;
  readonly ids: readonly number[];
}

/** A picture for people. */
export interface TaskPicture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** RGB, 0..255; shape [height, width, 3]. */
  readonly pixels: Uint8ClampedArray;
}

export interface RunTask {
  /**
   * Everything random follows from the run's seed, `step` and `part`.
   * @param step optimizer step, from 0
   * @param part number of the part within the step, over all threads
   */
  prepare(step: number, part: number): Promise<Part>;
  /** A row of numbers for each item: logits, or losses. */
  validate(params: Params, items: ValidationItems): Promise<number[][]>;
  /** Pictures of what the network makes of a sample. */
  pictures?(params: Params, id: number): Promise<TaskPicture[]>;
  close(): Promise<void>;
}
