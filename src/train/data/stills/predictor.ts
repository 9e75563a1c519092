// Class logits of stored faces and voices, alone or as pairs: for validation and for `evaluate`.
import { tensor3d, tidy } from '@tensorflow/tfjs-core';
import { random } from '../../../base/random.ts';
import type { HicmaeConfig } from '../../../model/config.ts';
import { patchLength, tokenCount } from '../../../model/embed.ts';
import { forwardClassify } from '../../../model/hicmae.ts';
import type { PatchBatch } from '../../../model/hicmae.ts';
import type { Params } from '../../../model/params.ts';
import { facePatcher, mirrorImage } from './face-augment.ts';
import type { FaceSet } from './faces.ts';
import { voicePatcher } from './voice-augment.ts';
import type { VoiceSet } from './voices.ts';

/** What to predict: faces and voices of equal number are pairs. */
export interface PredictItems {
  readonly faces: Int32Array | null;
  readonly voices: Int32Array | null;
  /** Where each voice's window begins, 0 the clip's start, 1 its end. */
  readonly place: number;
  /** Whether the faces are seen mirrored. */
  readonly mirrored: boolean;
  /** Tokens of a face: the whole clip of identical frames, as the page feeds it, or its first slot (quick). */
  readonly faceTokens: 'clip' | 'slot';
}

export type Predict = (params: Params, items: PredictItems) => Promise<number[][]>;

export function predictor(
  config: HicmaeConfig,
  bandLimitHz: number | null,
  faces: FaceSet | null,
  voices: VoiceSet | null,
): Predict {
  const facesOf = facePatcher(config);
  const voicesOf = voicePatcher(config, bandLimitHz);
  const unused = random(0);
  const perFace = (config.video.cropPx / config.video.patchPx) ** 2;
  return async (params, { faces: faceIds, voices: voiceIds, place, mirrored, faceTokens }) => {
    const count = (faceIds ?? voiceIds)?.length ?? 0;
    if (count === 0) return [];
    const batch = (
      tokens: number,
      length: number,
      all: number,
      fill: (i: number, positions: Int32Array, into: Float32Array) => void,
    ): PatchBatch => {
      const positions = Int32Array.from({ length: tokens }, (_, k) => k);
      const values = new Float32Array(count * tokens * length);
      for (let i = 0; i < count; i++) fill(i, positions, values);
      const everywhere =
        tokens === all ? null : Int32Array.from({ length: count * tokens }, (_, k) => k % tokens);
      return { patches: tensor3d(values, [count, tokens, length]), positions: everywhere };
    };
    const logits = tidy(() => {
      const faceLength = patchLength(config, 'video');
      const voiceLength = patchLength(config, 'audio');
      const faceAll = tokenCount(config, 'video');
      const faceCount = faceTokens === 'clip' ? faceAll : perFace;
      const voiceCount = tokenCount(config, 'audio');
      const video =
        faceIds && faces
          ? batch(faceCount, faceLength, faceAll, (i, positions, into) => {
              const offset = i * faceCount * faceLength;
              facesOf.fill(
                faces,
                faceIds[i]!,
                positions,
                into,
                offset,
                unused,
                mirrored ? mirrorImage : null,
              );
            })
          : null;
      const audio =
        voiceIds && voices
          ? batch(voiceCount, voiceLength, voiceCount, (i, positions, into) => {
              voicesOf.fill(
                voices,
                voiceIds[i]!,
                positions,
                into,
                i * voiceCount * voiceLength,
                unused,
                null,
                place,
              );
            })
          : null;
      return forwardClassify(params, config, video, audio);
    });
    const values = await logits.data<'float32'>();
    logits.dispose();
    const classes = config.classCount;
    return Array.from({ length: count }, (_, i) =>
      Array.from(values.subarray(i * classes, (i + 1) * classes)),
    );
  };
}
