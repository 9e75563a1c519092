// What the pipeline is put together from. Named here so that a test of the sequence of states can bring its own.
import { Problem } from '../base/errors.ts';
import { openDemo } from '../capture/demo.ts';
import { openFaceTracker } from '../capture/face-client.ts';
import type { FaceTracker } from '../capture/face-client.ts';
import type { FaceObservation } from '../capture/face-protocol.ts';
import type { Sound, Source } from '../capture/source.ts';
import type { Clip, ClipSpec } from '../clip/spec.ts';
import type {
  BackendChoice,
  BackendName,
  ModelSummary,
  Prediction,
  ProgressReply,
} from '../inference/protocol.ts';

export type SourceRequest =
  { readonly kind: 'camera' } | { readonly kind: 'demo' } | { readonly kind: 'file'; readonly file: Blob };

/** A loaded model in its worker. */
export interface Recognizer {
  readonly model: ModelSummary;
  readonly backend: BackendChoice;
  predict(clip: Clip): Promise<Prediction>;
  close(): void;
}

export interface RecognizerRequest {
  readonly modelUrl: string;
  readonly wasmUrl: string;
  readonly backend: BackendName | 'auto';
  readonly onProgress?: (progress: Pick<ProgressReply, 'stage' | 'loadedBytes' | 'totalBytes'>) => void;
}

/** The part of a face tracker that the pipeline uses. */
export type Follower = Pick<FaceTracker, 'track' | 'close'>;

/** Remembers faces, and cuts clips that end at a given time. */
export interface Assembler {
  addFace(timeMs: number, face: FaceObservation | null): void;
  /** null while neither a face nor a voice is there, or too little of them. */
  cut(endMs: number): Clip | null;
}

export interface Parts {
  /** @param pace `stepped` only for files: see Source.step */
  openSource(request: SourceRequest, pace?: 'live' | 'stepped'): Promise<Source>;
  openRecognizer(request: RecognizerRequest): Promise<Recognizer>;
  openFaceTracker(request: { readonly assetsUrl: string; readonly cropPx: number }): Promise<Follower>;
  createAssembler(spec: ClipSpec, sound: Sound | null): Assembler;
  /** Milliseconds on a clock that never runs backward. */
  nowMs(): number;
  sleep(durationMs: number): Promise<void>;
}

/** The real ones. */
export const browserParts: Parts = {
  openSource(request) {
    if (request.kind === 'demo') return openDemo();
    return Promise.reject(new Problem('no-camera', 'not yet'));
  },
  openRecognizer() {
    return Promise.reject(new Problem('model-missing', 'not yet'));
  },
  openFaceTracker,
  createAssembler() {
    throw new Error('not yet');
  },
  nowMs: () => performance.now(),
  sleep: (durationMs) =>
    new Promise((resolve) => {
      setTimeout(resolve, durationMs);
    }),
};
