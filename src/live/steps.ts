// The steps that the live pipeline and the analysis of a file share: look at a frame; read a clip.
import type { FaceObservation } from '../capture/face-protocol.ts';
import type { Clip } from '../clip/spec.ts';
import type { FaceBox } from '../clip/face.ts';
import type { ModelSummary, Prediction } from '../inference/protocol.ts';
import type { Source } from '../capture/source.ts';
import type { Reading } from './state.ts';
import type { Follower } from './parts.ts';
import { judge } from './verdict.ts';

/** What a look at the source's current picture gave. */
export interface Look {
  readonly timeMs: number;
  /** null: the followed face is not to be seen. */
  readonly face: FaceObservation | null;
}

/**
 * Grabs the current frame and follows the face in it; null when the source has no new frame.
 * @param cropSizesPx sides of the crops; absent: the tracker's own
 */
export async function look(
  source: Source,
  tracker: Follower,
  cropSizesPx?: readonly number[],
): Promise<Look | null> {
  const frame = await source.grabFrame();
  if (frame === null) return null;
  return { timeMs: frame.timeMs, face: await tracker.track(frame.bitmap, frame.timeMs, cropSizesPx) };
}

/** Whether the model can read this clip: one trained on both modalities only needs both. */
export function isReadable(clip: Clip | null, model: ModelSummary): clip is Clip {
  return clip !== null && (model.missingModalities || (clip.frames !== null && clip.samples !== null));
}

/** Frames are looked at this often, or twice a frame of the clip if that is oftener. */
const lookMs = 80;

/** Milliseconds between looks for a clip whose frames are `frameIntervalMs` apart. */
export function lookIntervalMs(frameIntervalMs: number): number {
  return Math.min(lookMs, frameIntervalMs / 2);
}

/** A prediction under its labels' names, frozen; its own label is that of this reading alone. */
export function toReading(
  clip: Pick<Clip, 'endMs'>,
  { labels, uncertainBelow }: Pick<ModelSummary, 'labels' | 'uncertainBelow'>,
  prediction: Prediction,
  faceBox: FaceBox | null,
): Reading {
  const pairs = labels.map((label, index) => [label, prediction.probabilities[index] ?? 0] as const);
  const timeMs = clip.endMs;
  const probabilities = Object.freeze(Object.fromEntries(pairs));
  return Object.freeze({
    timeMs,
    probabilities,
    label: judge(null, { timeMs, probabilities }, uncertainBelow).label,
    modalities: Object.freeze({ ...prediction.modalities }),
    faceBox,
    inferenceMs: prediction.inferenceMs,
  });
}
