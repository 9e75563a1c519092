// Pre-training on still faces and voices held in memory: each branch reconstructs what is hidden of its own samples. Faces and
// voices do not belong together, so there is neither fusion nor contrast.
import { dispose } from '@tensorflow/tfjs-core';
import type { Random } from '../../base/random.ts';
import { patchLength, tokenCount, videoPatches } from '../../model/embed.ts';
import { weightedSum } from '../../model/losses.ts';
import { drawMask } from '../../model/masking.ts';
import type { Modality } from '../../model/params.ts';
import type { PretrainConfig } from '../../model/pretrain-config.ts';
import { normalizedPatches, videoTargets } from '../../model/pretrain-targets.ts';
import { pretrainInput, pretrainLosses } from '../../model/pretrain.ts';
import type { PretrainBatch } from '../../model/pretrain.ts';
import { facePatcher, gentleFaceAugmentation } from '../data/stills/face-augment.ts';
import type { FaceSet } from '../data/stills/faces.ts';
import { gentleVoiceAugmentation, voicePatcher } from '../data/stills/voice-augment.ts';
import type { VoiceSet } from '../data/stills/voices.ts';
import type { Part, RunTask } from './run-task.ts';
import { batches, streamOf } from './sampler.ts';

export interface PretrainStepOptions {
  readonly seed: number;
  /** Samples of a step, over all threads. */
  readonly batchFaces: number;
  readonly batchVoices: number;
  /** Shares of places hidden, 0..1. */
  readonly maskFaces: number;
  readonly maskVoices: number;
  /** Whether decoders read the encoders' levels. */
  readonly skips: boolean;
}

/** The data of a pre-training run on faces and voices in memory; the arrays are shared. */
export interface PretrainStillsTaskData {
  readonly kind: 'pretrain-stills';
  /** With a single temporal slot: a still looks the same in every one. */
  readonly config: PretrainConfig;
  readonly bandLimitHz: number | null;
  readonly faces: FaceSet | null;
  readonly voices: VoiceSet | null;
  readonly validFaces: FaceSet | null;
  readonly validVoices: VoiceSet | null;
  readonly options: PretrainStepOptions;
}

/** A clip's patches and targets. */
interface Clip {
  readonly patches: Float32Array;
  readonly targets: Float32Array;
}

/** One part for each thread. */
export function pretrainStillsTask(data: PretrainStillsTaskData, threadCount: number): RunTask {
  const { config, bandLimitHz, faces, voices, options } = data;
  const facesOf = facePatcher(config);
  const voicesOf = voicePatcher(config, bandLimitHz);
  const everyPatch = Int32Array.from({ length: tokenCount(config, 'audio') }, (_, i) => i);
  const rgb = new Float32Array(config.video.frameCount * config.video.cropPx ** 2 * 3);

  const face = (set: FaceSet, index: number, stream: Random, augmented: boolean): Clip => {
    facesOf
      .tubelet(set, index, stream, augmented ? gentleFaceAugmentation : null)
      .forEach((value, i) => rgb.fill(value, 3 * i, 3 * i + 3));
    return { patches: videoPatches(rgb, config), targets: videoTargets(rgb, config, 'gray-standardized') };
  };
  const voice = (set: VoiceSet, index: number, stream: Random, augmented: boolean): Clip => {
    const length = patchLength(config, 'audio');
    const patches = new Float32Array(everyPatch.length * length);
    const augmentation = augmented ? gentleVoiceAugmentation : null;
    voicesOf.fill(set, index, everyPatch, patches, 0, stream, augmentation);
    return { patches, targets: normalizedPatches(patches, length) };
  };
  const input = (modality: Modality, clips: readonly Clip[], stream: Random): PretrainBatch['video'] => {
    if (clips.length === 0) return null;
    const ratio = modality === 'video' ? options.maskFaces : options.maskVoices;
    return pretrainInput(
      config,
      modality,
      clips,
      clips.map(() => drawMask(config, modality, stream, ratio)),
    );
  };
  /** Each branch by itself. */
  const alone = (
    video: PretrainBatch['video'],
    audio: PretrainBatch['audio'],
  ): readonly (readonly [Modality, PretrainBatch])[] => [
    ...(video ? [['video', { video, audio: null }] as const] : []),
    ...(audio ? [['audio', { video: null, audio }] as const] : []),
  ];
  const close = (input: PretrainBatch['video']): void => {
    dispose([input?.patches ?? [], input?.targets ?? []]);
  };

  const everyId = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);
  const faceIds = faces && batches(everyId(faces.count), options.batchFaces, options.seed);
  const voiceIds = voices && batches(everyId(voices.count), options.batchVoices, options.seed);
  const share = (ids: Int32Array, part: number): number[] => {
    const size = ids.length / threadCount;
    return [...ids.subarray(part * size, (part + 1) * size)];
  };

  const prepare = (step: number, part: number): Part => {
    const stream = streamOf(options.seed, step, part * 2 + 1);
    const drawnFaces = faceIds ? share(faceIds(step), part) : [];
    const drawnVoices = voiceIds ? share(voiceIds(step), part) : [];
    const video = input(
      'video',
      drawnFaces.map((i) => face(faces!, i, stream, true)),
      stream,
    );
    const audio = input(
      'audio',
      drawnVoices.map((i) => voice(voices!, i, stream, true)),
      stream,
    );
    return {
      samples: [
        ...drawnFaces.map((i) => `face ${String(i)}`),
        ...drawnVoices.map((i) => `voice ${String(i)}`),
      ],
      loss: (params, note) =>
        weightedSum(
          alone(video, audio).map(([modality, batch]) => {
            const { loss, parts } = pretrainLosses(params, config, batch, { skips: options.skips });
            dispose(Object.values(parts).filter((value) => value !== null));
            note(modality, loss);
            return { loss, weight: 1 };
          }),
        ),
      close: () => {
        close(video);
        close(audio);
      },
    };
  };

  return {
    prepare: (step, part) => Promise.resolve(prepare(step, part)),
    // The loss of the items together, in each one's row.
    validate: async (params, { set, ids }) => {
      const stream = streamOf(options.seed, -1, ids[0] ?? 0);
      const clips = ids.map((i) =>
        set === 'faces'
          ? face(data.validFaces!, i, stream, false)
          : voice(data.validVoices!, i, stream, false),
      );
      const modality = set === 'faces' ? 'video' : 'audio';
      const made = input(modality, clips, stream);
      const [[, batch]] = alone(modality === 'video' ? made : null, modality === 'audio' ? made : null) as [
        readonly [Modality, PretrainBatch],
      ];
      const { loss, parts } = pretrainLosses(params, config, batch, { skips: options.skips });
      const [value = NaN] = await loss.data();
      dispose([loss, ...Object.values(parts).filter((part) => part !== null)]);
      close(made);
      return ids.map(() => [value]);
    },
    close: () => Promise.resolve(),
  };
}
