// What the live pipeline tells the page: frozen snapshots of what happened. The only owner of this state is `live/`.
import type { FaceBox } from '../clip/face.ts';
import type { BackendChoice, ModelSummary } from '../inference/protocol.ts';
import type { ProblemKind } from '../base/errors.ts';
import type { SourceKind } from '../capture/source.ts';

export interface Reading {
  /** End of the clip, milliseconds since the source started (media time for a file). */
  readonly timeMs: number;
  /** Label -> probability; they sum to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  readonly modalities: { readonly face: boolean; readonly voice: boolean };
  /** Where the face was at timeMs; null when none was seen. */
  readonly faceBox: FaceBox | null;
  readonly inferenceMs: number;
}

/** Things a running pipeline lacks; each is said in plain words and clears itself. */
export type Notice = 'no-face' | 'no-sound' | 'no-microphone' | 'filling';

interface Common {
  readonly source: SourceKind;
}

export type LiveState =
  | (Common & { readonly phase: 'idle' })
  | (Common & {
      readonly phase: 'starting';
      readonly step: 'devices' | 'face-detector' | 'backend' | 'download' | 'warm-up';
      /** 0..1 where known. */
      readonly fraction: number | null;
    })
  | (Common & {
      readonly phase: 'running';
      readonly model: ModelSummary;
      readonly backend: BackendChoice;
      readonly notices: readonly Notice[];
      readonly faceBox: FaceBox | null;
      /** Sound level over the last tenth of a second, dB re full scale; null without sound. */
      readonly levelDb: number | null;
      /** Smoothed; null until the first clip is read. */
      readonly reading: Reading | null;
      /** Smoothed readings of the last minute, oldest first. */
      readonly history: readonly Reading[];
      /** Time between readings, adapted to the measured speed. */
      readonly hopMs: number;
      /** The file's end was reached. */
      readonly ended: boolean;
    })
  | (Common & {
      readonly phase: 'failed';
      readonly problem: { readonly kind: ProblemKind; readonly message: string };
    });
