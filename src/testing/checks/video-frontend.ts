// Holds resize, frame sampling and audio ranges to the official code's numbers (fixture video_frontend).
import { normalizeFrames, resizeBilinear } from '../../clip/frames.ts';
import { logMel } from '../../clip/log-mel.ts';
import {
  audioSampleRange,
  testFrameList,
  testViews,
  trainingEndRange,
  trainingSpan,
} from '../../clip/sampling.ts';
import { Problem } from '../../base/errors.ts';
import { defined } from '../../base/assert.ts';
import {
  asNumbers,
  asRecord,
  asTensorRecord,
  asText,
  compareNumber,
  compareRecord,
  formulaPicture,
  nameValues,
  worst,
} from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';

/** The views' sound has a float32 reference only: this is its noise near the log floor, as audio_fbank states it. */
const soundTolerance = 2e-3;

function sound(salt: string, sampleCount: number): Float32Array {
  const v = nameValues(salt, 'wave.video');
  return Float32Array.from({ length: sampleCount }, (_, n) => {
    const x = 8000 * v(n);
    return roundHalfEven(x) / 32768;
  });
}

function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (Math.abs(low) % 2) : Math.round(x);
}

/** Largest difference of two index lists; infinite when their lengths differ. */
function compareList(
  tensor: string,
  actual: readonly number[] | null,
  wanted: readonly number[],
): Comparison {
  const sameLength = actual?.length === wanted.length;
  const error = sameLength
    ? wanted.length === 0
      ? 0
      : worst(wanted.map((x, i) => Math.abs(x - (actual[i] ?? NaN))))
    : Infinity;
  return { tensor, error, tolerance: 0 };
}

function asList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Problem('unsupported-file', `${what} is no list`);
  return value;
}

function checkResize(salt: string, root: Readonly<Record<string, unknown>>): Comparison[] {
  return Object.entries(asRecord(root, 'resize')).flatMap(([name, value]) => {
    const entry = asRecord(value, name);
    const input = asTensorRecord(entry['input'], `${name}.input`);
    const [height = 0, width = 0] = input.shape;
    const source = formulaPicture(salt, 'frame.resize', 0, width, height);
    const key = defined(
      Object.keys(entry).find((k) => k.startsWith('output_')),
      `${name}.output`,
    );
    const output = asTensorRecord(entry[key], `${name}.${key}`);
    const [outputHeight = 0, outputWidth = 0] = output.shape;
    const resized = resizeBilinear(source, width, height, outputWidth, outputHeight);
    return [
      compareRecord(`picture ${name}`, { shape: input.shape, values: source }, input, 0.001),
      compareRecord(`resize ${name}`, { shape: output.shape, values: resized }, output, 0.001),
    ];
  });
}

interface Recording {
  readonly frameCount: number;
  readonly sampleCount: number;
}

/** The view's frames (56 x 56 pictures, resized to 160 x 160) and sound, as the network gets them. */
function viewTensors(
  salt: string,
  recording: Recording,
  view: Readonly<Record<string, unknown>>,
  at: string,
  frames: readonly number[],
  range: readonly [number, number],
): Comparison[] {
  const results: Comparison[] = [];
  if (view['video'] !== undefined) {
    const record = asTensorRecord(view['video'], `${at}.video`);
    const [, , height = 0, width = 0] = record.shape;
    const pixels = width * height;
    // [T, H, W, 3] -> [3, T, H, W], the official layout
    const values = new Float32Array(3 * frames.length * pixels);
    frames.forEach((frame, t) => {
      const resized = resizeBilinear(
        formulaPicture(salt, 'frame.video', frame, 56, 56),
        56,
        56,
        width,
        height,
      );
      normalizeFrames(resized).forEach((x, i) => {
        values[((i % 3) * frames.length + t) * pixels + Math.floor(i / 3)] = x;
      });
    });
    results.push(
      compareRecord(`${at} video`, { shape: [3, frames.length, height, width], values }, record, 2e-6),
    );
  }
  if (view['audio'] !== undefined) {
    const samples = sound(salt, recording.sampleCount).subarray(...range);
    const values = logMel(samples, { bandLimitHz: null });
    const record = asTensorRecord(view['audio'], `${at}.audio`);
    results.push(compareRecord(`${at} audio`, { shape: [1, 256, 128], values }, record, soundTolerance));
  }
  return results;
}

function checkTestViews(salt: string, rate: number, root: Readonly<Record<string, unknown>>): Comparison[] {
  return Object.entries(root).flatMap(([key, value]) => {
    const entry = asRecord(value, key);
    const frameCount = Number(key);
    const sampleCount = Number(entry['wav_samples']);
    const at = `rate ${String(rate)}, ${key} frames`;
    const list = asNumbers(entry['frame_index_list'], `${at}.frame_index_list`);
    const results = [compareList(`${at}, list`, testFrameList(frameCount, rate), list)];
    const views = testViews(frameCount, rate);
    const seen = new Set<string>();
    for (const item of asList(entry['views'], `${at}.views`)) {
      const record = asRecord(item, `${at}.views`);
      const segment = Number(record['segment']);
      const name = `${at}, view ${String(segment)}.${String(record['crop'])}`;
      const view = defined(views[segment], `internal: view ${String(segment)}`);
      const range = audioSampleRange(view.audioFrames, frameCount, sampleCount);
      results.push(
        compareNumber(`${name} start`, view.start, Number(record['temporal_start']), 0),
        compareList(`${name} frames`, view.frames, asNumbers(record['clip_frames'], name)),
        compareList(`${name} audio frames`, view.audioFrames, asNumbers(record['audio_frame_range'], name)),
        compareList(`${name} samples`, range, asNumbers(record['audio_sample_range'], name)),
      );
      // Both crops of a segment are the same picture: one comparison of the tensors serves.
      const tensors = JSON.stringify([record['video'], record['audio']]);
      if (range === null || seen.has(tensors)) continue;
      seen.add(tensors);
      results.push(...viewTensors(salt, { frameCount, sampleCount }, record, name, view.frames, range));
    }
    return results;
  });
}

function checkTraining(rate: number, root: Readonly<Record<string, unknown>>): Comparison[] {
  return Object.entries(root).flatMap(([key, draws]) => {
    const frameCount = Number(key);
    const sampleCount = Math.max(1100, roundHalfEven((frameCount / 30) * 16000));
    return asList(draws, key).flatMap((item, i) => {
      const entry = asRecord(item, key);
      const name = `training, rate ${String(rate)}, ${key} frames, draw ${String(i)}`;
      const draw = entry['end_draw_lo_hi_value'];
      const wanted = draw === null ? null : asNumbers(draw, name);
      const span = trainingSpan(frameCount, rate, wanted?.[2] ?? 0);
      const range = audioSampleRange(span.audioFrames, frameCount, sampleCount);
      return [
        compareList(`${name} limits`, trainingEndRange(frameCount, rate) ?? [], wanted?.slice(0, 2) ?? []),
        compareList(`${name} frames`, span.frames, asNumbers(entry['frames'], name)),
        compareList(`${name} audio frames`, span.audioFrames, asNumbers(entry['audio_frame_range'], name)),
        compareNumber(
          `${name} samples`,
          range === null ? NaN : range[1] - range[0],
          Number(entry['audio_samples_used']),
          0,
        ),
      ];
    });
  });
}

export const videoFrontendCheck: GoldenCheck = {
  name: 'video-frontend',
  covers: (fileName) => fileName === 'video_frontend.json',
  run: (fixture) => {
    const root = asRecord(fixture, 'video_frontend');
    const salt = asText(root['salt'], 'video_frontend.salt');
    const results = checkResize(salt, asRecord(root['resize_pil_bilinear_antialias'], 'resize'));
    for (const [key, value] of Object.entries(root)) {
      const rate = /^test_views_sampling_rate_(\d+)$/.exec(key)?.[1];
      if (rate !== undefined) results.push(...checkTestViews(salt, Number(rate), asRecord(value, key)));
    }
    const training = asRecord(root['train_and_validation_frame_sampling'], 'training sampling');
    for (const [key, value] of Object.entries(training)) {
      results.push(...checkTraining(Number(key.replace('rate', '')), asRecord(value, key)));
    }
    return Promise.resolve(results);
  },
};
