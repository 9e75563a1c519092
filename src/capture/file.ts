// A media file as a source: played in real time, or stepped through picture by picture for analysis.
import { Problem } from '../base/errors.ts';
import { withTimeout } from '../base/timeout.ts';
import type { Sound, Source } from './source.ts';
import { soundRateHz, wholeSound } from './sound-ring.ts';
import { watchFrames } from './video-frames.ts';

const loadLimitMs = 30_000;
const stepLimitMs = 15_000;

/** After a seek the new picture is shown within a frame or two; where it does not change, nothing is announced. */
const paintLimitMs = 120;

/** Decoding is many times faster than playing; a decoder that hangs must not hang the start. */
const decodeLimitMs = 120_000;

/** Sound is decoded whole, from the whole file in memory: more bytes than this would end the page. */
const largestSoundBytes = 1_000_000_000;

/** An hour of 16 kHz stereo takes 460 MB while it is decoded, and half of that afterwards. */
const longestSoundMs = 2 * 3_600_000;

export interface FileOptions {
  /** `stepped`: see Source.step. */
  readonly pace: 'realtime' | 'stepped';
}

/**
 * Opens any video or sound that the browser can play. Its sound is decoded whole. The clock is media time.
 * Without pictures (`pictureProblem`) there are no frames; without sound there is a `soundProblem`.
 * @throws Problem `unsupported-file` where there is neither; `timeout`
 */
export async function openFile(file: Blob, { pace }: FileOptions): Promise<Source> {
  const url = URL.createObjectURL(file);
  const view = document.createElement('video');
  const release = (): void => {
    view.pause();
    view.removeAttribute('src');
    view.load();
    URL.revokeObjectURL(url);
  };
  try {
    view.playsInline = true;
    view.preload = 'auto';
    const late = `${nameOf(file)} did not load in time: try a shorter or smaller file`;
    await withTimeout(load(view, url, file), loadLimitMs, late);
    const durationMs = await withTimeout(lengthMs(view), loadLimitMs, late);
    const decoded = await decodeSound(file, durationMs);
    const hasPictures = view.videoWidth > 0;
    if (!hasPictures && !decoded.samples) throw unsupported(file);
    const opened = { file, view, durationMs, release, ...tracks(file, decoded, hasPictures) };
    return pace === 'stepped' ? steppedSource(opened) : await playedSource(opened);
  } catch (error) {
    release();
    throw error;
  }
}

interface OpenedFile extends Pick<Source, 'sound' | 'soundProblem' | 'pictureProblem'> {
  readonly file: Blob;
  readonly view: HTMLVideoElement;
  readonly durationMs: number;
  readonly release: () => void;
}

async function playedSource(opened: OpenedFile): Promise<Source> {
  const { file, view, durationMs, release, ...rest } = opened;
  const frames = watchFrames(view, (metadata) => (metadata?.mediaTime ?? view.currentTime) * 1000);
  const ended = new Promise<Problem | null>((resolve) => {
    view.addEventListener('ended', () => resolve(null), { once: true });
    view.addEventListener('error', () => resolve(damaged(file, view)), { once: true });
  });
  try {
    await withTimeout(
      play(view),
      loadLimitMs,
      `${nameOf(file)} did not start to play: click the page and start again`,
    );
  } catch (error) {
    frames.close();
    throw error;
  }
  return {
    kind: 'file',
    view,
    ...rest,
    nowMs: () => view.currentTime * 1000,
    grabFrame: () => frames.grab(),
    ended,
    durationMs,
    step: null,
    close() {
      frames.close();
      release();
    },
  };
}

function steppedSource(opened: OpenedFile): Source {
  const { file, view, durationMs, release, ...rest } = opened;
  view.muted = true;
  let closed = false;
  let nowMs = 0;
  let fresh = true;
  let end: (problem: Problem | null) => void = () => undefined;
  const ended = new Promise<Problem | null>((resolve) => {
    end = resolve;
  });
  return {
    kind: 'file',
    view,
    ...rest,
    nowMs: () => nowMs,
    async grabFrame() {
      if (closed || !fresh || rest.pictureProblem) return null;
      fresh = false;
      return { bitmap: await createImageBitmap(view), timeMs: nowMs };
    },
    ended,
    durationMs,
    async step(timeMs) {
      if (closed) throw new Problem('internal', 'internal: a closed file is stepped');
      nowMs = Math.min(Math.max(0, timeMs), durationMs);
      if (!rest.pictureProblem) {
        const late = `${nameOf(file)} could not be read at ${(nowMs / 1000).toFixed(1)} s: it may be damaged`;
        await withTimeout(seek(view, nowMs / 1000, file), stepLimitMs, late);
      }
      fresh = true;
      if (timeMs >= durationMs) end(null);
    },
    close() {
      closed = true;
      release();
    },
  };
}

function load(view: HTMLVideoElement, url: string, file: Blob): Promise<void> {
  return new Promise((resolve, reject) => {
    view.addEventListener('loadeddata', () => resolve(), { once: true });
    view.addEventListener('error', () => reject(unsupported(file)), { once: true });
    view.src = url;
  });
}

/** Plays aloud where the browser lets it (the person chose the file by a click), else silently. */
async function play(view: HTMLVideoElement): Promise<void> {
  try {
    await view.play();
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'NotAllowedError')) throw error;
    view.muted = true;
    await view.play();
  }
}

/** Goes to a time; done when its picture is there. */
async function seek(view: HTMLVideoElement, seconds: number, file: Blob): Promise<void> {
  const listening = new AbortController();
  const { signal } = listening;
  try {
    const painted = 'requestVideoFrameCallback' in view ? nextPaint(view, signal) : Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      view.addEventListener('seeked', () => resolve(), { signal });
      view.addEventListener('error', () => reject(damaged(file, view)), { signal });
      view.currentTime = seconds;
    });
    await Promise.race([painted, new Promise((resolve) => setTimeout(resolve, paintLimitMs))]);
  } finally {
    listening.abort();
  }
}

function nextPaint(view: HTMLVideoElement, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const callback = view.requestVideoFrameCallback(() => resolve());
    signal.addEventListener('abort', () => view.cancelVideoFrameCallback(callback));
  });
}

/** Recordings of a browser's MediaRecorder do not say how long they are: their end is looked for. */
async function lengthMs(view: HTMLVideoElement): Promise<number> {
  if (!Number.isFinite(view.duration)) {
    const listening = new AbortController();
    const { signal } = listening;
    const known = new Promise<void>((resolve) => {
      const check = (): void => {
        if (Number.isFinite(view.duration)) resolve();
      };
      view.addEventListener('durationchange', check, { signal });
      view.addEventListener('timeupdate', check, { signal });
    });
    view.currentTime = Number.MAX_SAFE_INTEGER;
    await known;
    listening.abort();
    await new Promise<void>((resolve) => {
      view.addEventListener('seeked', () => resolve(), { once: true });
      view.currentTime = 0;
    });
  }
  // Whole microseconds, as the browser counts: 2.007 s is 2007 ms and not 2007.0000000000002.
  return Math.round(view.duration * 1e6) / 1000;
}

interface DecodedSound {
  /** Mono at 16 kHz; null where there is none, or none that can be decoded here. */
  readonly samples: Float32Array | null;
  /** Why not, where it is more than "none": completes "has no sound that this browser can decode". */
  readonly reason: string;
}

async function decodeSound(file: Blob, durationMs: number): Promise<DecodedSound> {
  if (file.size > largestSoundBytes) return { samples: null, reason: ' (it is too large for that)' };
  if (durationMs > longestSoundMs) return { samples: null, reason: ' (it is too long for that)' };
  const decoding = async (): Promise<AudioBuffer> =>
    new OfflineAudioContext(1, 1, soundRateHz).decodeAudioData(await file.arrayBuffer());
  try {
    const buffer = await withTimeout(decoding(), decodeLimitMs, '');
    const mono = new Float32Array(buffer.length);
    for (let c = 0; c < buffer.numberOfChannels; c++) {
      const channel = buffer.getChannelData(c);
      for (let i = 0; i < mono.length; i++) mono[i] = mono[i]! + channel[i]! / buffer.numberOfChannels;
    }
    return { samples: mono.length > 0 ? mono : null, reason: '' };
  } catch (error) {
    const late = error instanceof Problem && error.kind === 'timeout';
    return { samples: null, reason: late ? ' in time' : '' };
  }
}

function tracks(
  file: Blob,
  { samples, reason }: DecodedSound,
  hasPictures: boolean,
): Pick<Source, 'sound' | 'soundProblem' | 'pictureProblem'> {
  const sound: Sound | null = samples && wholeSound(samples);
  return {
    sound,
    soundProblem: sound
      ? null
      : new Problem(
          'unsupported-file',
          `${nameOf(file)} has no sound that this browser can decode${reason}; only the face is read.`,
        ),
    pictureProblem: hasPictures
      ? null
      : new Problem(
          'unsupported-file',
          `${nameOf(file)} has no pictures that this browser can show; only the voice is read.`,
        ),
  };
}

function nameOf(file: Blob): string {
  return file instanceof File && file.name ? `The file "${file.name}"` : 'The file';
}

function unsupported(file: Blob): Problem {
  const what = file.size === 0 ? 'empty' : `of type ${file.type || 'unknown'}`;
  return new Problem(
    'unsupported-file',
    `${nameOf(file)} (${what}) cannot be played by this browser. Choose a video or sound: MP4 (H.264, AAC) or WebM usually works; others may need converting.`,
  );
}

function damaged(file: Blob, view: HTMLVideoElement): Problem {
  const detail = view.error?.message ? ` (${view.error.message})` : '';
  return new Problem(
    'unsupported-file',
    `${nameOf(file)} cannot be read to its end${detail}: it seems damaged.`,
  );
}
