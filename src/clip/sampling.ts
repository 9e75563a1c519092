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

/** Starts that {@link pretrainingSpan} may begin at: whole numbers from 0 to below this. */
export function pretrainingStartCount(frameCount: number, rate: number, clipFrames = 16): number {
  return Math.max(0, frameCount - clipFrames * rate) + 1;
}

/**
 * The frames of a pre-training clip: every `rate`-th from the start, the last repeated once a step would reach the
 * recording's last frame.
 * @param start drawn uniformly from {@link pretrainingStartCount}
 * @returns audioFrames from the first frame's begin to the last one's end: {@link pretrainingSampleRange}
 */
export function pretrainingSpan(frameCount: number, rate: number, start: number, clipFrames = 16): ClipSpan {
  const frames: number[] = [];
  for (let i = 0, frame = start; i < clipFrames; i++) {
    frames.push(frame);
    if (frame + rate <= frameCount - 2) frame += rate;
  }
  return { frames, audioFrames: [start, Math.min((frames.at(-1) ?? 0) + rate, frameCount - 1)] };
}

/**
 * The samples of a pre-training clip, by the frames' time stamps (which the official decoder keeps in float32), not by
 * the sound's length as in fine-tuning.
 * @param frameRateHz above 0
 * @returns first sample and the one past the last; empty where the sound ends before the frames begin
 */
export function pretrainingSampleRange(
  [first, last]: readonly [number, number],
  frameRateHz: number,
  sampleCount: number,
): readonly [begin: number, end: number] {
  const start = Math.fround(first / frameRateHz);
  const stop = Math.fround((last + 1) / frameRateHz);
  const begin = Math.min(Math.trunc(start * 16000), sampleCount);
  return [begin, Math.min(begin + Math.trunc((stop - start) * 16000), sampleCount)];
}

/**
 * A window of a sound by itself, where no frames tell which (ours; the official code has no sound without frames).
 * @param windowSamples wanted length; a shorter sound is taken whole
 * @param place 0: the sound's begin, 1: its end
 */
export function soundWindow(
  sampleCount: number,
  windowSamples: number,
  place: number,
): readonly [begin: number, end: number] {
  const begin = Math.floor(Math.max(0, sampleCount - windowSamples) * place);
  return [begin, Math.min(begin + windowSamples, sampleCount)];
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
