// Which frames and which sound of a recording make a clip, as the official code picks them for training and for test.

/** A clip's frames (T indices into the recording, which may repeat) and its sound as a span of frames. */
export interface ClipSpan {
  readonly frames: readonly number[];
  /** First and last frame that the sound spans. */
  readonly audioFrames: readonly [first: number, last: number];
}

/** One of the official test views. The official code also takes two crops of each segment, which are identical. */
export interface TestView extends ClipSpan {
  readonly segment: number;
  /** Where the view begins in {@link testFrameList}. */
  readonly start: number;
}

const segments = 2;

/**
 * Every `rate`-th frame from 0, the last repeated up to a clip's length.
 * @param frameCount frames in the recording, at least 1
 * @param clipFrames T, frames of a clip
 */
export function testFrameList(frameCount: number, rate: number, clipFrames = 16): number[] {
  const list: number[] = [];
  for (let i = 0; i < frameCount; i += rate) list.push(i);
  while (list.length < clipFrames) list.push(list.at(-1) ?? 0);
  return list;
}

/** The two test views of a recording: the first clip and the last one. */
export function testViews(frameCount: number, rate: number, clipFrames = 16): TestView[] {
  const list = testFrameList(frameCount, rate, clipFrames);
  return Array.from({ length: segments }, (_, segment) => {
    const start = Math.trunc((segment * Math.max(list.length - clipFrames, 0)) / (segments - 1));
    const frames = list.slice(start, start + clipFrames);
    const last = Math.min((frames.at(-1) ?? 0) + rate, frameCount - 1);
    return { segment, start, frames, audioFrames: [frames[0] ?? 0, last] };
  });
}

/** Limits of the random end that {@link trainingSpan} needs, or null when the recording is too short to choose. */
export function trainingEndRange(
  frameCount: number,
  rate: number,
  clipFrames = 16,
): readonly [low: number, beyond: number] | null {
  const length = clipFrames * rate;
  return frameCount > length ? [length, frameCount] : null;
}

/**
 * The frames of a training (or validation) clip.
 * @param end drawn uniformly from {@link trainingEndRange}; ignored where that is null
 */
export function trainingSpan(frameCount: number, rate: number, end: number, clipFrames = 16): ClipSpan {
  const length = clipFrames * rate;
  let frames: number[];
  if (frameCount <= length) {
    frames = linspace(0, frameCount, Math.floor(frameCount / rate)).slice(0, clipFrames);
    while (frames.length < clipFrames) frames.push(frameCount);
    frames = frames.map((x) => Math.trunc(Math.min(Math.max(x, 0), frameCount - 1)));
  } else {
    const start = end - length;
    frames = linspace(start, end, clipFrames).map((x) => Math.trunc(Math.min(Math.max(x, start), end - 1)));
  }
  const first = frames[0] ?? 0;
  return { frames, audioFrames: [first, Math.min(first + length, frameCount - 1)] };
}

/** NumPy's linspace with its endpoint, in the same order of operations (the results are truncated). */
function linspace(start: number, stop: number, count: number): number[] {
  const step = (stop - start) / (count - 1);
  return Array.from({ length: count }, (_, i) =>
    i > 0 && i === count - 1 ? stop : i * (i > 0 ? step : 0) + start,
  );
}

/**
 * The span of samples that belongs to a span of frames. A span of at most 1,024 samples becomes the whole sound, as in
 * the official code where the sound is shorter than 2.56 s.
 * @returns first sample and the one past the last; null where the official code gives up: the sound has at most 1,024
 *   samples, or the span has and the sound is not short
 */
export function audioSampleRange(
  [first, last]: readonly [number, number],
  frameCount: number,
  sampleCount: number,
): readonly [begin: number, end: number] | null {
  const shortest = 1024;
  if (sampleCount <= shortest) return null;
  const sampleAt = (frame: number): number =>
    frameCount === 1 ? 0 : Math.trunc((frame / (frameCount - 1)) * sampleCount);
  const begin = sampleAt(first);
  const end = sampleAt(last);
  if (end - begin > shortest) return [begin, end];
  return sampleCount < 2.56 * 16000 ? [0, sampleCount] : null;
}
