// From a prepared sample to the numbers that the network is fed, in training, pre-training and testing, as the official
// code makes them: which frames, which sound, augmentation, normalization.
import type { Random } from '../../base/random.ts';
import { normalizeFrames, resizeBilinear } from '../../clip/frames.ts';
import { logMel } from '../../clip/log-mel.ts';
import { inSilence, spokenPart } from '../../clip/spoken.ts';
import {
  audioSampleRange,
  pretrainingSampleRange,
  pretrainingSpan,
  pretrainingStartCount,
  soundWindow,
  testViews as officialTestViews,
  trainingEndRange,
  trainingSpan,
} from '../../clip/sampling.ts';
import type { ClipSpan } from '../../clip/sampling.ts';
import type { FrameColor, ShortSound } from '../../clip/spec.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { beta } from './augment/draw.ts';
import { drawBox, erase, officialErasing } from './augment/erasing.ts';
import type { Erasing } from './augment/erasing.ts';
import { cropPicture, drawMultiScaleWindow } from './augment/multi-scale-crop.ts';
import { pictures } from './augment/pictures.ts';
import { applyOperation, drawOperations, officialRandAugment } from './augment/rand-augment.ts';
import type { RandAugment } from './augment/rand-augment.ts';
import { cropAndResize, drawWindow, officialResizedCrop } from './augment/resized-crop.ts';
import type { ResizedCrop } from './augment/resized-crop.ts';
import { augmentSound, maskMel, mildSound } from './augment/sound.ts';
import type { SampleSet } from '../data/sample.ts';

/** What one view of a sample is fed as; null: the sample lacks it. */
export interface View {
  /** Normalized; shape [T, H, W, 3]. */
  readonly frames: Float32Array | null;
  /** Normalized log-mel; shape [F, M]. */
  readonly mel: Float32Array | null;
}

/** How a training view's frames are changed. */
export interface PictureAugmentation {
  readonly operations: RandAugment;
  readonly crop: ResizedCrop;
  /** Probability of a mirror image. */
  readonly mirror: number;
  readonly erasing: Erasing;
}

const officialPicture: PictureAugmentation = {
  operations: officialRandAugment,
  crop: officialResizedCrop,
  mirror: 0.5,
  erasing: officialErasing,
};

/** Milder, for our own small models of faces of few pixels: no inverted colors, and most of the face stays in view. */
const mildPicture: PictureAugmentation = {
  operations: {
    count: 2,
    probability: 0.5,
    level: 4,
    levelDeviation: 1.5,
    operators: [
      'AutoContrast',
      'Equalize',
      'Rotate',
      'ContrastIncreasing',
      'BrightnessIncreasing',
      'SharpnessIncreasing',
      'ShearX',
      'ShearY',
    ],
  },
  crop: { area: [0.7, 1], aspect: [0.85, 1 / 0.85] },
  mirror: 0.5,
  erasing: { probability: 0.25, area: [0.02, 0.15], aspect: [0.3, 1 / 0.3] },
};

export interface ViewOptions {
  /** T, the crop's side, F and M are read from it. */
  readonly config: Pick<HicmaeConfig, 'video' | 'audio'>;
  readonly color: FrameColor;
  /** Mel bins centered above this hold the log floor; null: the official filterbank. */
  readonly bandLimitHz: number | null;
  /** Frames of the recording from one frame of the clip to the next, at least 1; officially 4, Werewolf-XL 3. */
  readonly frameStep: number;
  /**
   * `official`: RandAugment, resized crop, mirroring and erasing in training, the multi-scale crop in pre-training;
   * `mild`: our own, smaller changes of frames, and of sound, which the official code leaves as it is;
   * `none`: the same random frames unchanged (the official validation).
   */
  readonly augment: 'official' | 'mild' | 'none';
  /** Added to ln of the energies of every sample's sound; shape [samples, M]; null: sound is as it is. */
  readonly equalizers: Float32Array | null;
  /** See ClipSpec. */
  readonly shortSound: ShortSound;
  /** The sound times a draw of Beta(10, 10) + 0.5: the official "roll", which never rolls. */
  readonly roll: boolean;
  /** The parts to make; both unless told. */
  readonly parts?: 'both' | 'picture' | 'sound';
}

/** A span of samples, first and one past the last. */
type SampleRange = readonly [begin: number, end: number];

const wants = ({ parts = 'both' }: ViewOptions, part: 'picture' | 'sound'): boolean =>
  parts === 'both' || parts === part;

/** What 2.56 s are to the official 256 frames. */
const windowSamples = ({ config }: ViewOptions): number => config.audio.frameCount * 160;

/** A window by itself also serves frames without a span to speak of: stills, and sound that ends before them. */
function orWindow(range: SampleRange | null, window: SampleRange): SampleRange {
  return range !== null && range[1] - range[0] > 1024 ? range : window;
}

/** The sound that windows are cut from: without the pauses around it, where the model wants that. */
function speechOf(sound: Float32Array, { shortSound, bandLimitHz }: ViewOptions): Float32Array {
  return shortSound === 'speech' ? spokenPart(sound, bandLimitHz) : sound;
}

/** @param stream null: as it is, but for the gain */
function soundView(
  i: number,
  sound: Float32Array,
  range: SampleRange,
  options: ViewOptions,
  gain: number,
  stream: Random | null,
): Float32Array {
  const { frameCount, melBins } = options.config.audio;
  const change = stream !== null && options.augment === 'mild' ? mildSound : null;
  let samples = change && stream ? augmentSound(sound, range, change, stream) : sound.subarray(...range);
  if (gain !== 1) samples = samples.map((x) => x * gain);
  if (options.shortSound !== 'official')
    samples = inSilence(speechOf(samples, options), windowSamples(options));
  const equalizer = options.equalizers?.subarray(i * melBins, (i + 1) * melBins) ?? null;
  const mel = logMel(samples, { bandLimitHz: options.bandLimitHz, frameCount, melBins, equalizer });
  if (change && stream) maskMel(mel, melBins, change, stream);
  return mel;
}

const drawGain = (stream: Random, roll: boolean): number => (roll ? beta(stream, 10, 10) + 0.5 : 1);

/** Frames of sample i at the configured side, one after the other; each is decoded and resized once. */
async function loadFrames(
  set: SampleSet,
  i: number,
  which: readonly number[],
  options: ViewOptions,
): Promise<Map<number, Uint8ClampedArray>> {
  const numbers = [...new Set(which)];
  const { cropPx: storedPx } = set.samples[i]!;
  const { cropPx } = options.config.video;
  const stored = await set.frames(i, numbers);
  return new Map(
    numbers.map((number, k) => [number, resizeBilinear(stored[k]!, storedPx, storedPx, cropPx, cropPx)]),
  );
}

/** [T, H, W, 3] of the frames asked for. */
function stack(frames: ReadonlyMap<number, Uint8ClampedArray>, which: readonly number[]): Uint8ClampedArray {
  const size = frames.get(which[0]!)!.length;
  const data = new Uint8ClampedArray(size * which.length);
  which.forEach((number, t) => data.set(frames.get(number)!, t * size));
  return data;
}

/** RandAugment, normalization, resized crop, mirroring, erasing: in this order. */
function augmentFrames(data: Uint8ClampedArray, options: ViewOptions, stream: Random): Float32Array {
  const { cropPx } = options.config.video;
  const { operations, crop, mirror, erasing } = options.augment === 'mild' ? mildPicture : officialPicture;
  const all = pictures(data, cropPx, cropPx);
  for (const operation of drawOperations(stream, operations)) applyOperation(all, operation);
  const window = drawWindow(stream, cropPx, crop);
  const mirrored = stream.uniform() < mirror;
  const frames = cropAndResize(normalizeFrames(data, options.color), cropPx, window, mirrored);
  const box = drawBox(stream, cropPx, erasing);
  if (box !== null) erase(frames, cropPx, box, stream);
  return frames;
}

/**
 * A random view of sample i for fine-tuning, or for validation without augmentation.
 * @param stream everything random comes from it; views made at the same time need a stream each
 */
export async function trainingView(
  set: SampleSet,
  i: number,
  options: ViewOptions,
  stream: Random,
): Promise<View> {
  const { frameCount, sampleCount } = set.samples[i]!;
  const { frameCount: clipFrames } = options.config.video;
  let span: ClipSpan | null = null;
  if (frameCount > 0) {
    const ends = trainingEndRange(frameCount, options.frameStep, clipFrames);
    const end = ends === null ? 0 : ends[0] + stream.integer(ends[1] - ends[0]);
    span = trainingSpan(frameCount, options.frameStep, end, clipFrames);
  }
  let mel: Float32Array | null = null;
  if (sampleCount > 0 && wants(options, 'sound')) {
    const place = stream.uniform();
    const gain = drawGain(stream, options.roll);
    const range = span && audioSampleRange(span.audioFrames, frameCount, sampleCount);
    const recording = await set.sound(i);
    if (recording !== null) {
      const sound = span ? recording : speechOf(recording, options);
      const window = soundWindow(sound.length, windowSamples(options), place);
      mel = soundView(i, sound, orWindow(range, window), options, gain, stream);
    }
  }
  let frames: Float32Array | null = null;
  if (span !== null && wants(options, 'picture')) {
    const data = stack(await loadFrames(set, i, span.frames, options), span.frames);
    frames =
      options.augment !== 'none'
        ? augmentFrames(data, options, stream)
        : normalizeFrames(data, options.color);
  }
  return { frames, mel };
}

/**
 * A random view of sample i for masked pre-training.
 * @param stream everything random comes from it; views made at the same time need a stream each
 */
export async function pretrainingView(
  set: SampleSet,
  i: number,
  options: ViewOptions,
  stream: Random,
): Promise<View> {
  const { frameCount, frameRateHz, sampleCount } = set.samples[i]!;
  const { frameCount: clipFrames, cropPx } = options.config.video;
  let span: ClipSpan | null = null;
  if (frameCount > 0) {
    const start = stream.integer(pretrainingStartCount(frameCount, options.frameStep, clipFrames));
    span = pretrainingSpan(frameCount, options.frameStep, start, clipFrames);
  }
  let mel: Float32Array | null = null;
  if (sampleCount > 0 && wants(options, 'sound')) {
    const window = soundWindow(sampleCount, windowSamples(options), stream.uniform());
    const gain = drawGain(stream, options.roll);
    const range =
      span && frameCount > 1 && frameRateHz > 0
        ? pretrainingSampleRange(span.audioFrames, frameRateHz, sampleCount)
        : null;
    const sound = await set.sound(i);
    if (sound !== null) mel = soundView(i, sound, orWindow(range, window), options, gain, stream);
  }
  let frames: Float32Array | null = null;
  if (span !== null && wants(options, 'picture')) {
    let loaded = await loadFrames(set, i, span.frames, options);
    if (options.augment !== 'none') {
      const window = drawMultiScaleWindow(stream, cropPx);
      loaded = new Map([...loaded].map(([number, frame]) => [number, cropPicture(frame, cropPx, window)]));
    }
    frames = normalizeFrames(stack(loaded, span.frames), options.color);
  }
  return { frames, mel };
}

/**
 * The official test views of sample i, whose outputs are averaged: the first clip and the last one. The official code
 * takes two crops of each, which are identical, so that each counts twice; one of each has the same average. A recording
 * whose first clip is its last has one view.
 * @param stream draws the sound's gain where `roll` is on (the official code does so in testing too); null: gain 1
 */
export async function testViews(
  set: SampleSet,
  i: number,
  options: ViewOptions,
  stream: Random | null = null,
): Promise<View[]> {
  const { frameCount, sampleCount } = set.samples[i]!;
  const { frameCount: clipFrames } = options.config.video;
  const spans = frameCount > 0 ? officialTestViews(frameCount, options.frameStep, clipFrames) : [];
  const recording = sampleCount > 0 && wants(options, 'sound') ? await set.sound(i) : null;
  // What is seen in the pauses keeps its sound's place.
  const sound = recording && spans.length === 0 ? speechOf(recording, options) : recording;
  const ranges = [0, 1].map((segment) => {
    const range = spans[segment] && audioSampleRange(spans[segment].audioFrames, frameCount, sampleCount);
    return orWindow(range ?? null, soundWindow(sound?.length ?? 0, windowSamples(options), segment));
  });
  const sameFrames = spans[0]?.frames.join() === spans[1]?.frames.join();
  const sameSound = sound === null || ranges[0]!.join() === ranges[1]!.join();
  const segments = sameFrames && sameSound ? [0] : [0, 1];
  const which = segments.flatMap((segment) => spans[segment]?.frames ?? []);
  const withPicture = which.length > 0 && wants(options, 'picture');
  const loaded = withPicture ? await loadFrames(set, i, which, options) : null;
  return segments.map((segment) => {
    const gain = stream === null ? 1 : drawGain(stream, options.roll);
    const frames = spans[segment]?.frames;
    return {
      frames: frames && loaded ? normalizeFrames(stack(loaded, frames), options.color) : null,
      mel: sound && soundView(i, sound, ranges[segment]!, options, gain, null),
    };
  });
}
