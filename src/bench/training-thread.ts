// One thread's share of a measured training step: what tasks under train/tasks do, on random clips.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { workerData } from 'node:worker_threads';
import { dispose, setBackend, tensor2d, tensor3d } from '@tensorflow/tfjs-core';
import { random } from '../base/random.ts';
import type { HicmaeConfig } from '../model/config.ts';
import { patchLength, tokenCount } from '../model/embed.ts';
import { disposeGradients, lossAndGradients } from '../model/gradients.ts';
import { forwardClassify } from '../model/hicmae.ts';
import { smoothTargets, softTargetCrossEntropy } from '../model/losses.ts';
import { parameterShapes } from '../model/params.ts';
import type { Modality } from '../model/params.ts';
import { readGradients, slotsOf, tensorsOf } from '../train/trainer/flat-params.ts';
import { keepSome } from '../train/tasks/sampler.ts';
import type { SharedFloats } from '../train/base/shared-array.ts';
import { serve } from '../train/base/threads.ts';
import type { Shape } from './flops.ts';

/** `tfjs` is stock tfjs with each transpose made explicit, since its products are slow otherwise; `plain` is it as it is. */
export type TrainingKind = 'ours' | 'tfjs' | 'plain';

export interface ThreadData {
  readonly kind: TrainingKind;
  readonly config: HicmaeConfig;
  /** This thread's clips and their tokens. */
  readonly shape: Shape;
  readonly seed: number;
  readonly params: SharedFloats;
  readonly gradients: SharedFloats;
}

export type ThreadRequest = 'start' | 'step';
/** What runs, in words, or the loss. */
export type ThreadReply = string | number;

const { kind, config, shape, seed, params: flat, gradients } = workerData as ThreadData;
const { slots } = slotsOf(parameterShapes(config));
const source = random(seed);

/** Stochastic depth as in the official fine-tuning. */
const dropPath = 0.1;

async function start(): Promise<string> {
  if (kind === 'ours') return (await import('../train/base/backend.ts')).startBackend();
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  const { registerStockProduct } = await import('./page/stock.ts');
  setWasmPaths(join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')), '/'));
  if (!(await setBackend('wasm'))) throw new Error('stock tfjs wasm did not start in Node');
  if (kind === 'tfjs') registerStockProduct();
  return 'stock tfjs wasm';
}

/** Random patches of the clips, and which tokens they are. */
function draw(modality: Modality): { readonly values: Float32Array; readonly positions: Int32Array | null } {
  const all = tokenCount(config, modality);
  const kept = modality === 'video' ? shape.videoTokens : shape.audioTokens;
  const values = Float32Array.from({ length: shape.batch * kept * patchLength(config, modality) }, () =>
    source.normal(),
  );
  if (kept === all) return { values, positions: null };
  const chosen = Array.from({ length: shape.batch }, () => [...keepSome(all, kept, source)]);
  return { values, positions: Int32Array.from(chosen.flat()) };
}

const clips = { video: draw('video'), audio: draw('audio') };
const targets = smoothTargets(
  Array.from({ length: shape.batch }, () => source.integer(config.classCount)),
  config.classCount,
  0.1,
);

async function step(): Promise<number> {
  const { batch, videoTokens, audioTokens } = shape;
  const params = tensorsOf(flat, slots);
  const video = tensor3d(clips.video.values, [batch, videoTokens, patchLength(config, 'video')]);
  const audio = tensor3d(clips.audio.values, [batch, audioTokens, patchLength(config, 'audio')]);
  const result = lossAndGradients(params, () => {
    const logits = forwardClassify(
      params,
      config,
      { patches: video, positions: clips.video.positions },
      { patches: audio, positions: clips.audio.positions },
      { training: { dropPath, random: source } },
    );
    return softTargetCrossEntropy(logits, tensor2d(targets, logits.shape));
  });
  await readGradients(result.gradients, slots, gradients);
  const loss = result.loss.dataSync()[0] ?? NaN;
  disposeGradients(result);
  dispose([params, video, audio]);
  return loss;
}

serve<ThreadRequest, ThreadReply>((request) => (request === 'start' ? start() : step()));
