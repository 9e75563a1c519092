// What the live pipeline tells the page: frozen snapshots of what happened. The only owner of this state is `live/`.
import type { FaceBox } from '../clip/face.ts';
import type { BackendChoice, ModelSummary } from '../inference/protocol.ts';
import type { ProblemKind } from '../base/errors.ts';
import type { ModelStatus } from './model-choice.ts';
import type { Source, SourceKind } from '../capture/source.ts';

export interface Reading {
  /** End of the clip, milliseconds since the source started (media time for a file). */
  readonly timeMs: number;
  /** Label -> probability, calibrated if the model is; they sum to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** The most probable label, steadied in a live reading, or `uncertain`. */
  readonly label: string;
  readonly modalities: { readonly face: boolean; readonly voice: boolean };
  /** Where the face was at timeMs; null when none was seen. */
  readonly faceBox: FaceBox | null;
  readonly inferenceMs: number;
}

/** Things a running pipeline lacks; each is said in plain words and clears itself. */
export type Notice = 'no-face' | 'no-sound' | 'no-microphone' | 'no-picture' | 'filling';

/** What a start waits for. */
export type StartStep = 'devices' | 'face-detector' | 'backend' | 'download' | 'warm-up';

/** A failure as plain data. */
export interface ProblemReport {
  readonly kind: ProblemKind;
  readonly message: string;
}

interface Common {
  readonly source: SourceKind;
}

export interface IdleState extends Common {
  readonly phase: 'idle';
}

export interface StartingState extends Common {
  readonly phase: 'starting';
  readonly step: StartStep;
  /** 0..1 where known. */
  readonly fraction: number | null;
  /** The source's picture, as soon as it is open; owned by the source. */
  readonly view: Source['view'] | null;
}

export interface RunningState extends Common {
  readonly phase: 'running';
  readonly view: Source['view'];
  readonly model: ModelSummary;
  /** URL of the model's folder, ending in a slash. */
  readonly modelUrl: string;
  /** Why this model; null where there is no other. */
  readonly modelStatus: ModelStatus | null;
  readonly backend: BackendChoice;
  readonly notices: readonly Notice[];
  /** Why there is no sound at all; null when there is a microphone or a sound track. */
  readonly soundProblem: ProblemReport | null;
  /** Where the face is now; null when none is seen. */
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
}

export interface FailedState extends Common {
  readonly phase: 'failed';
  readonly problem: ProblemReport;
}

export type LiveState = IdleState | StartingState | RunningState | FailedState;
