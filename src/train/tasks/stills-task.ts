// Training on still faces and voices held in memory: encode faces and voices once, then three losses on what was encoded.
// Faces alone, voices alone and pairs are all trained every step: this is the modality dropout.
import { tensor2d, tensor3d } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
import { classify } from '../../model/classifier.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { patchLength, tokenCount } from '../../model/embed.ts';
import { encode, selectEncoded } from '../../model/encoder.ts';
import { smoothTargets, softTargetCrossEntropy, weightedSum } from '../../model/losses.ts';
import { faceChanges, facePatcher } from '../data/stills/face-augment.ts';
import type { FaceSet } from '../data/stills/faces.ts';
import { predictor } from '../data/stills/predictor.ts';
import { beta } from '../views/augment/draw.ts';
import { officialMixing } from '../views/augment/mixup.ts';
import type { Part, RunTask } from './run-task.ts';
import { keepSome, sampler, streamOf } from './sampler.ts';
import type { SamplerOptions } from './sampler.ts';
import { voiceAugmentation, voiceChanges, voicePatcher } from '../data/stills/voice-augment.ts';
import type { VoiceSet } from '../data/stills/voices.ts';

export interface StepOptions extends SamplerOptions {
  /** Share of a face's patches (one per place in the crop) and of a voice's patches that a step keeps, 0..1. */
  readonly keepFaces: number;
  readonly keepVoices: number;
  /** Share of the voices read alone that are blended with another (mixup), 0..1. */
  readonly blendVoices: number;
  /** Share of the usual changes that faces and voices go through, 0..1. */
  readonly faceChanges: number;
  readonly voiceChanges: number;
  /** How often a voice's window reaches into a pause before or after it, 0..1. */
  readonly pauses: number;
  /** By how much a voice is slowed at most, in ln of its speed. */
  readonly slowVoices: number;
  readonly dropPath: number;
  /** Without the losses of faces alone and of voices alone, which are the modality dropout. */
  readonly pairsOnly: boolean;
  /** Label smoothing of voices and pairs; faces have the crowd's soft labels. */
  readonly smoothing: number;
}

/** The data of a run on faces and voices in memory; the arrays are shared. */
export interface StillsTaskData {
  readonly kind: 'stills';
  readonly config: HicmaeConfig;
  readonly bandLimitHz: number | null;
  readonly faces: FaceSet | null;
  readonly voices: VoiceSet | null;
  readonly validFaces: FaceSet | null;
  readonly validVoices: VoiceSet | null;
  readonly options: StepOptions;
}

/** How often a still's tokens all come from one temporal slot. */
const wholeSlotShare = 0.8;

/** Beta(a, a) of a blended voice's own share, as the official mixup's. */
const { mixupAlpha } = officialMixing;

/** Weight of the pairs' loss: they are few, and at full weight their noise rules the encoders' gradients. */
const pairWeight = 0.25;

interface Batch {
  readonly patches: Float32Array;
  readonly positions: Int32Array;
  readonly tokens: number;
}

/** One part for each thread: the sampler shares a step out among them. */
export function stillsTask(data: StillsTaskData, threadCount: number): RunTask {
  const { config, bandLimitHz, faces, voices, validFaces, validVoices, options } = data;
  const draw = sampler(faces, voices, options);
  const facesOf = facePatcher(config);
  const voicesOf = voicePatcher(config, bandLimitHz);
  const changedFaces = faceChanges(options.faceChanges);
  const changedVoices = voiceChanges(options.voiceChanges, {
    ...voiceAugmentation,
    pause: options.pauses,
    slower: options.slowVoices,
  });
  const places = (config.video.cropPx / config.video.patchPx) ** 2;
  const slotCount = tokenCount(config, 'video') / places;
  const voiceTokens = tokenCount(config, 'audio');
  const classes = config.classCount;

  const predict = predictor(config, bandLimitHz, validFaces, validVoices);

  const prepare = (step: number, part: number): Part => {
    const drawn = draw.draw(step, part, threadCount);
    const stream = streamOf(options.seed, step, part * 2 + 1);
    const cut = (
      count: number,
      tokens: number,
      length: number,
      choose: () => Int32Array,
      fill: (i: number, positions: Int32Array, into: Float32Array, offset: number) => void,
    ): Batch => {
      const size = tokens * length;
      const patches = new Float32Array(count * size);
      const positions = new Int32Array(count * tokens);
      for (let i = 0; i < count; i++) {
        const chosen = choose();
        positions.set(chosen, i * tokens);
        fill(i, chosen, patches, i * size);
      }
      return { patches, positions, tokens };
    };
    const faceLength = patchLength(config, 'video');
    const voiceLength = patchLength(config, 'audio');
    // The voices of pairs keep their label.
    const blends = Array.from(drawn.voices, (_, i) =>
      options.blendVoices > 0 && i >= drawn.pairs && stream.uniform() < options.blendVoices
        ? { other: stream.integer(voices!.count), own: beta(stream, mixupAlpha, mixupAlpha) }
        : null,
    );
    const facesKept = Math.max(1, Math.round(places * options.keepFaces));
    const voicesKept = Math.max(1, Math.round(voiceTokens * options.keepVoices));
    const faceBatch =
      faces && drawn.faces.length > 0
        ? cut(
            drawn.faces.length,
            facesKept,
            faceLength,
            // One token per place, since a still looks the same in every temporal slot: mostly all from one slot
            // (scrambled slots hide which places are neighbors), else from any.
            () => {
              const slot = stream.uniform() < wholeSlotShare ? stream.integer(slotCount) : null;
              return keepSome(places, facesKept, stream).map(
                (place) => (slot ?? stream.integer(slotCount)) * places + place,
              );
            },
            (i, chosen, into, offset) => {
              facesOf.fill(faces, drawn.faces[i]!, chosen, into, offset, stream, changedFaces);
            },
          )
        : null;
    const otherPatches = new Float32Array(voicesKept * voiceLength);
    const voiceBatch =
      voices && drawn.voices.length > 0
        ? cut(
            drawn.voices.length,
            voicesKept,
            voiceLength,
            () => keepSome(voiceTokens, voicesKept, stream),
            (i, chosen, into, offset) => {
              voicesOf.fill(voices, drawn.voices[i]!, chosen, into, offset, stream, changedVoices);
              const blend = blends[i];
              if (!blend) return;
              voicesOf.fill(voices, blend.other, chosen, otherPatches, 0, stream, changedVoices);
              for (let k = 0; k < otherPatches.length; k++)
                into[offset + k] = blend.own * into[offset + k]! + (1 - blend.own) * otherPatches[k]!;
            },
          )
        : null;
    const totalWeight = drawn.faceWeights.reduce((a, b) => a + b, 0);
    const faceTargets = Float32Array.from({ length: drawn.faces.length * classes }, (_, at) => {
      const i = Math.floor(at / classes);
      const weight = (drawn.faceWeights[i]! * drawn.faces.length) / totalWeight;
      return weight * faces!.targets[drawn.faces[i]! * classes + (at % classes)]!;
    });
    const smoothed = (of: (voice: number, i: number) => number): Float32Array =>
      smoothTargets(
        Array.from(drawn.voices, (voice, i) => voices!.labels[of(voice, i)]!),
        classes,
        options.smoothing,
      );
    const voiceTargets = smoothed((voice) => voice);
    const otherTargets = smoothed((voice, i) => blends[i]?.other ?? voice);
    voiceTargets.forEach((own, at) => {
      const share = blends[Math.floor(at / classes)]?.own ?? 1;
      voiceTargets[at] = share * own + (1 - share) * otherTargets[at]!;
    });
    const pairTargets = smoothTargets([...drawn.pairLabels], classes, options.smoothing);
    // Data outlives the backward pass, so it is made outside of it.
    const facePatches =
      faceBatch && tensor3d(faceBatch.patches, [drawn.faces.length, faceBatch.tokens, faceLength]);
    const voicePatches =
      voiceBatch && tensor3d(voiceBatch.patches, [drawn.voices.length, voiceBatch.tokens, voiceLength]);
    return {
      samples: [
        ...Array.from(drawn.faces, (i) => `face ${String(i)}`),
        ...Array.from(drawn.voices, (i) => `voice ${String(i)}`),
      ],
      loss: (params, note) => {
        const training = { training: { dropPath: options.dropPath, random: stream } };
        const video =
          facePatches && encode(params, config, 'video', facePatches, faceBatch.positions, training);
        const audio =
          voicePatches && encode(params, config, 'audio', voicePatches, voiceBatch.positions, training);
        const parts: { readonly loss: Scalar; readonly weight: number }[] = [];
        const add = (
          name: 'face' | 'voice' | 'pair',
          logits: Tensor2D,
          targets: Float32Array,
          weight: number,
        ): void => {
          const loss = softTargetCrossEntropy(logits, tensor2d(targets, logits.shape));
          note(name, loss);
          parts.push({ loss, weight });
        };
        if (video && !options.pairsOnly)
          add('face', classify(params, config, video, null, training), faceTargets, 1);
        if (audio && !options.pairsOnly)
          add('voice', classify(params, config, null, audio, training), voiceTargets, 1);
        if (video && audio && drawn.pairs > 0) {
          const first = Array.from({ length: drawn.pairs }, (_, i) => i);
          const [face, voice] = [selectEncoded(video, first), selectEncoded(audio, first)];
          add('pair', classify(params, config, face, voice, training), pairTargets, pairWeight);
        }
        return weightedSum(parts);
      },
      close: () => {
        facePatches?.dispose();
        voicePatches?.dispose();
      },
    };
  };

  return {
    prepare: (step, part) => Promise.resolve(prepare(step, part)),
    validate: (params, { set, ids }) => {
      const items = Int32Array.from(ids);
      const faceItems = set === 'faces';
      return predict(params, {
        faces: faceItems ? items : null,
        voices: faceItems ? null : items,
        place: faceItems ? 0 : 0.5,
        mirrored: false,
        faceTokens: 'slot',
      });
    },
    close: () => Promise.resolve(),
  };
}
