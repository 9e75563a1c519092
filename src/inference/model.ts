// A loaded model that reads clips: front ends, patches, forward pass.
import { tensor } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { assert } from '../base/assert.ts';
import { Problem } from '../base/errors.ts';
import { mirrorFrames, normalizeFrames } from '../clip/frames.ts';
import { logMel } from '../clip/log-mel.ts';
import type { Clip, ClipSpec } from '../clip/spec.ts';
import { audioPatches, videoPatches } from '../model/embed.ts';
import { predict } from '../model/predict.ts';
import { kindOf, temperatureFor } from '../weights/calibration.ts';
import type { LoadedWeights } from '../weights/load.ts';
import type { Manifest } from '../weights/manifest.ts';
import type { ModelSummary, Prediction } from './protocol.ts';

export interface LoadedModel {
  readonly manifest: Manifest;
  readonly params: Readonly<Record<string, Tensor>>;
}

/** Moves the weights to the current backend. @throws Problem `model-invalid` when the model is no classifier */
export function createModel({ manifest, tensors }: LoadedWeights): LoadedModel {
  if (manifest.config.headActivation !== 'none') {
    throw new Problem(
      'model-invalid',
      `The model ${manifest.name} has a ${manifest.config.headActivation} head, so it does not name emotions; wanted one trained to classify (head activation none)`,
    );
  }
  if (manifest.outputs === 'dimensions') {
    throw new Problem(
      'model-invalid',
      `The model ${manifest.name} reads ${manifest.labels.join(', ')}; wanted one trained to name emotions (classes)`,
    );
  }
  const params = Object.entries(tensors).map(
    ([name, { shape, data }]) => [name, tensor(data, [...shape], 'float32')] as const,
  );
  return { manifest, params: Object.fromEntries(params) };
}

/** Frees the weights. */
export function disposeModel({ params }: LoadedModel): void {
  for (const param of Object.values(params)) param.dispose();
}

export function summarize({ name, labels, clip, missingModalities, calibration }: Manifest): ModelSummary {
  return { name, labels, clip, missingModalities, uncertainBelow: calibration?.uncertainBelow ?? 0 };
}

/**
 * Reads one clip; the probabilities are calibrated if the manifest tells how, and the mean of two views if it wants the
 * mirror view.
 * @throws Problem `model-invalid` when the clip lacks a modality that this model cannot do without
 */
export async function readClip({ manifest, params }: LoadedModel, clip: Clip): Promise<Prediction> {
  const startedMs = performance.now();
  const { config, clip: spec } = manifest;
  const { frames, samples } = clip;
  assert(frames !== null || samples !== null, 'the clip has neither a face nor a voice');
  if (!manifest.missingModalities && (frames === null || samples === null)) {
    throw new Problem(
      'model-invalid',
      `The model ${manifest.name} reads face and voice together only, and the ${frames === null ? 'face' : 'voice'} is missing: show your face and speak, or choose a model trained for one of them`,
    );
  }
  const size = spec.frameCount * spec.cropPx * spec.cropPx * 3;
  assert(
    frames === null || frames.length === size,
    `the clip's frames have ${String(frames?.length)} bytes, wanted ${String(size)}`,
  );
  const faces = frames ? faceViews(normalizeFrames(frames, spec.color), spec) : [null];
  const audio =
    samples &&
    audioPatches(
      logMel(newest(samples, spec.soundMs, spec.sampleRateHz), {
        bandLimitHz: spec.bandLimitHz,
        frameCount: config.audio.frameCount,
        melBins: config.audio.melBins,
        equalizer: clip.equalizer,
      }),
      config,
    );
  const modalities = { face: frames !== null, voice: samples !== null };
  const temperature = temperatureFor(manifest.calibration, kindOf(modalities));
  const views = faces.map((face) => ({ video: face && videoPatches(face, config), audio }));
  const probabilities = meanOf(await predict(params, config, views, temperature));
  assert(probabilities.every(Number.isFinite), 'the model computed values that are no numbers');
  return {
    probabilities,
    modalities,
    inferenceMs: performance.now() - startedMs,
  };
}

/** A face's normalized frames as they are read: once, or mirrored too. */
function faceViews(frames: Float32Array, { mirrorView, cropPx }: ClipSpec): Float32Array[] {
  return mirrorView ? [frames, mirrorFrames(frames, cropPx)] : [frames];
}

/** @param rows equally long, at least one */
function meanOf(rows: readonly Float32Array[]): Float32Array {
  assert(rows[0] !== undefined, 'the model answered nothing');
  return rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);
}

/** The newest part of a sound that is longer than the model's clip. */
function newest(samples: Float32Array, soundMs: number, sampleRateHz: number): Float32Array {
  const wanted = Math.round((soundMs * sampleRateHz) / 1000);
  return samples.length > wanted ? samples.subarray(samples.length - wanted) : samples;
}

/** Blank clips of each kind that the model reads, for compiling shaders and filling caches before the first real one. */
export function blankClips({ clip: spec, missingModalities }: Manifest): Clip[] {
  const frames = new Uint8ClampedArray(spec.frameCount * spec.cropPx * spec.cropPx * 3);
  const samples = new Float32Array(Math.round((spec.soundMs * spec.sampleRateHz) / 1000));
  const both = { endMs: 0, frames, samples, equalizer: null };
  return missingModalities ? [both, { ...both, samples: null }, { ...both, frames: null }] : [both];
}
