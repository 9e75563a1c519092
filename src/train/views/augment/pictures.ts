// A clip's frames as RandAugment's operators change them: bytes side by side, so that one operator goes over all at once.
import { assert } from '../../../base/assert.ts';

/** Frames of one clip, changed in place. */
export interface Pictures {
  /** RGB, 0..255; shape [count, height, width, 3]. */
  readonly data: Uint8ClampedArray;
  readonly count: number;
  readonly width: number;
  readonly height: number;
}

/** @param data RGB, 0..255; shape [count, height, width, 3]; not copied */
export function pictures(data: Uint8ClampedArray, width: number, height: number): Pictures {
  const count = data.length / (width * height * 3);
  assert(
    Number.isInteger(count),
    `${String(data.length)} bytes are no RGB pictures of ${String(width)} x ${String(height)}`,
  );
  return { data, count, width, height };
}
