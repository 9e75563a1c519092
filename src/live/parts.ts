// What the pipeline is put together from. Named here so that a test of the sequence of states can bring its own.
import { openCamera } from '../capture/camera.ts';
import { Problem } from '../base/errors.ts';
import { openFaceTracker } from '../capture/face-client.ts';
import type { FaceTracker } from '../capture/face-client.ts';
import { openFile } from '../capture/file.ts';
import { createClipAssembler } from '../capture/clip-assembler.ts';
import type { ClipAssembler } from '../capture/clip-assembler.ts';
import type { Sound, Source } from '../capture/source.ts';
import type { ClipSpec } from '../clip/spec.ts';
import { openRecognizer } from '../inference/client.ts';
import type { Recognizer, RecognizerRequest } from '../inference/client.ts';
import { fetchModelList } from './model-list.ts';
import type { ListedModel } from './model-list.ts';

export type SourceRequest =
  { readonly kind: 'camera' } | { readonly kind: 'demo' } | { readonly kind: 'file'; readonly file: Blob };

/** The part of a face tracker that the pipeline uses. */
export type Follower = Pick<FaceTracker, 'track' | 'close'>;

export interface Parts {
  /** @param pace `stepped` only for files: see Source.step */
  openSource(request: SourceRequest, pace?: 'realtime' | 'stepped'): Promise<Source>;
  openRecognizer(request: RecognizerRequest): Promise<Recognizer>;
  listModels(listUrl: string): Promise<readonly ListedModel[]>;
  /** Whether the person asked the browser to save data. */
  savesData(): boolean;
  openFaceTracker(request: { readonly assetsUrl: string; readonly cropPx: number }): Promise<Follower>;
  createAssembler(spec: ClipSpec, sound: Sound | null): ClipAssembler;
  /** Milliseconds on a clock that never runs backward. */
  nowMs(): number;
  sleep(durationMs: number): Promise<void>;
}

/** The demo is a file of its own: pages that never show it do not load it. */
async function loadDemo(): Promise<typeof import('../demo/demo.ts')> {
  try {
    return await import('../demo/demo.ts');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Problem(
      'demo-missing',
      `The demo could not be loaded (${reason}). Check the connection and start again, or choose another source.`,
      { cause: error },
    );
  }
}

/** The real ones. */
export const browserParts: Parts = {
  openSource(request, pace = 'realtime') {
    switch (request.kind) {
      case 'camera':
        return openCamera();
      case 'demo':
        return loadDemo().then(({ openDemo }) => openDemo());
      case 'file':
        return openFile(request.file, { pace });
    }
  },
  openRecognizer,
  listModels: fetchModelList,
  // Not in every browser, and so not in the types.
  savesData: () =>
    (navigator as { readonly connection?: { readonly saveData?: boolean } }).connection?.saveData === true,
  openFaceTracker,
  createAssembler: createClipAssembler,
  nowMs: () => performance.now(),
  sleep: (durationMs) =>
    new Promise((resolve) => {
      setTimeout(resolve, durationMs);
    }),
};
