// A thread that reads a model's outputs for `evaluate`: of faces and voices in memory, or of prepared samples.
import { workerData } from 'node:worker_threads';
import { dispose } from '@tensorflow/tfjs-core';
import { mirrorFrames } from '../../clip/frames.ts';
import type { ClipSpec } from '../../clip/spec.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { tokenCount } from '../../model/embed.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import { parameterShapes } from '../../model/params.ts';
import type { Params } from '../../model/params.ts';
import { startBackend } from '../base/backend.ts';
import { testViews } from '../views/clip-views.ts';
import type { View } from '../views/clip-views.ts';
import { patchTensor } from '../tasks/clips-task.ts';
import type { FaceSet } from '../data/stills/faces.ts';
import { slotsOf, tensorsOf } from '../trainer/flat-params.ts';
import { predictor } from '../data/stills/predictor.ts';
import type { PredictItems } from '../data/stills/predictor.ts';
import type { SampleSet } from '../data/sample.ts';
import { streamOf } from '../tasks/sampler.ts';
import type { SharedFloats } from '../base/shared-array.ts';
import { openSamples } from '../data/shards/read.ts';
import { serve } from '../base/threads.ts';
import type { VoiceSet } from '../data/stills/voices.ts';

/** Everything a thread is started with; the arrays are shared, not copied. */
export interface EvaluateThreadData {
  readonly config: HicmaeConfig;
  readonly clip: ClipSpec;
  readonly params: SharedFloats;
  readonly backend: 'wasm' | 'webgpu';
  /** What is in memory. */
  readonly faces: FaceSet | null;
  readonly voices: VoiceSet | null;
  /** Prepared samples. */
  readonly folders: readonly string[];
  /** Recording frames from one frame of a clip to the next; null: by the sample's frame rate and the model's interval. */
  readonly frameStep: number | null;
  /** Seed of the sound's gains, as the official code draws them in testing too; null: gain 1. */
  readonly rollSeed: number | null;
  /** See ViewOptions. */
  readonly equalizers: SharedFloats | null;
}

export type EvaluateRequest =
  | { readonly kind: 'start' }
  | { readonly kind: 'items'; readonly items: PredictItems }
  | {
      readonly kind: 'samples';
      readonly ids: readonly number[];
      readonly parts: 'both' | 'picture' | 'sound';
    };

export type EvaluateReply =
  | { readonly kind: 'started' }
  /** The head's outputs of each item. */
  | { readonly kind: 'items'; readonly outputs: number[][] }
  /** The head's outputs of each view of each sample. */
  | { readonly kind: 'samples'; readonly outputs: number[][][] };

const data = workerData as EvaluateThreadData;
const { config, clip } = data;
const { slots } = slotsOf(parameterShapes(config));
const predict = predictor(config, clip.bandLimitHz, data.faces, data.voices);
/** About as many tokens as a forward pass holds at once, whatever the model's size. */
const mostTokens = 8192;
const batchViews = Math.max(
  1,
  Math.floor(mostTokens / (tokenCount(config, 'video') + tokenCount(config, 'audio'))),
);

let params: Params | null = null;
let samples: SampleSet | null = null;

/** Every `step`-th frame is as far apart as the model's clip wants. */
function frameStepOf(frameRateHz: number): number {
  return data.frameStep ?? Math.max(1, Math.round((clip.frameIntervalMs * frameRateHz) / 1000));
}

/** The head's outputs of views that all have the same modalities. */
async function outputsOf(weights: Params, views: readonly View[]): Promise<number[][]> {
  const frames = views.flatMap((view) => (view.frames ? [view.frames] : []));
  const mels = views.flatMap((view) => (view.mel ? [view.mel] : []));
  const video = frames.length > 0 ? patchTensor(config, 'video', frames) : null;
  const audio = mels.length > 0 ? patchTensor(config, 'audio', mels) : null;
  const outputs = forwardClassify(weights, config, video, audio);
  try {
    const values = await outputs.data<'float32'>();
    const count = config.classCount;
    return views.map((_, i) => Array.from(values.subarray(i * count, (i + 1) * count)));
  } finally {
    dispose([outputs, video?.patches, audio?.patches].filter((tensor) => tensor !== undefined));
  }
}

async function readSamples(
  weights: Params,
  ids: readonly number[],
  parts: 'both' | 'picture' | 'sound',
): Promise<number[][][]> {
  const set = (samples ??= await openSamples(data.folders));
  const views: { readonly sample: number; readonly view: View }[] = [];
  for (const [k, id] of ids.entries()) {
    const options = {
      config,
      color: clip.color,
      bandLimitHz: clip.bandLimitHz,
      frameStep: frameStepOf(set.samples[id]?.frameRateHz ?? 0),
      equalizers: data.equalizers,
      shortSound: clip.shortSound,
      augment: 'none',
      roll: data.rollSeed !== null,
      parts,
    } as const;
    const stream = data.rollSeed === null ? null : streamOf(data.rollSeed, id, 3);
    for (const { frames, mel } of await testViews(set, id, options, stream)) {
      views.push({ sample: k, view: { frames, mel } });
      if (frames && clip.mirrorView)
        views.push({ sample: k, view: { frames: mirrorFrames(frames, config.video.cropPx), mel } });
    }
  }
  const outputs: number[][][] = ids.map(() => []);
  for (const [face, voice] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    // prettier-ignore
    const alike = views.filter(({ view }) => (view.frames !== null) === face && (view.mel !== null) === voice);
    for (let i = 0; i < alike.length; i += batchViews) {
      const batch = alike.slice(i, i + batchViews);
      const rows = await outputsOf(
        weights,
        batch.map(({ view }) => view),
      );
      batch.forEach(({ sample }, k) => outputs[sample]!.push(rows[k]!));
    }
  }
  return outputs;
}

serve<EvaluateRequest, EvaluateReply>(async (request) => {
  if (request.kind === 'start') {
    await startBackend(data.backend);
    return { kind: 'started' };
  }
  params ??= tensorsOf(data.params, slots);
  return request.kind === 'items'
    ? { kind: 'items', outputs: await predict(params, request.items) }
    : { kind: 'samples', outputs: await readSamples(params, request.ids, request.parts) };
});
