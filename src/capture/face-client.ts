// The page's end of the face worker: numbered calls with a time limit; a dead worker rejects every waiting call.
import { Problem } from '../base/errors.ts';
import { withTimeout } from '../base/timeout.ts';
import type {
  DetectedFace,
  FaceObservation,
  FaceReply,
  FaceRequest,
  FinderOptions,
} from './face-protocol.ts';

/** Loading about 10 MB of wasm and a model on a slow connection. */
const openLimitMs = 60_000;
/** A picture takes 10-40 ms; a phone that is busy may take a second. */
const trackLimitMs = 10_000;

export interface FaceTracker {
  /**
   * The followed face in the next picture of a series; null when it is not to be seen. When several people are there,
   * the largest face at first is followed until it has been away for a second.
   * @param bitmap is transferred, and closed by the worker
   * @param cropSizesPx sides of the crops, at least one: `crop` and then `otherCrops`; absent: the side of the opening
   * @throws Problem `face-detector-failed` or `timeout`
   */
  track(
    bitmap: ImageBitmap,
    timeMs: number,
    cropSizesPx?: readonly number[],
  ): Promise<FaceObservation | null>;
  /** All faces of one picture, surest first, without following; otherwise like track. */
  detect(bitmap: ImageBitmap): Promise<readonly DetectedFace[]>;
  /** Ends the worker; waiting calls reject. May be called twice. */
  close(): void;
}

interface Waiting {
  readonly resolve: (reply: FaceReply) => void;
  readonly reject: (problem: Problem) => void;
}

/**
 * @param assetsUrl folder with MediaPipe's wasm and the face model, ending in a slash; relative to the page
 * @param cropPx side S of the crops
 * @param finder for other pictures than a camera's or a film's
 * @throws Problem `face-detector-failed` or `timeout`
 */
export async function openFaceTracker(options: {
  assetsUrl: string;
  cropPx: number;
  finder?: FinderOptions;
}): Promise<FaceTracker> {
  const worker = new Worker(new URL('./face-worker.ts', import.meta.url), { type: 'module', name: 'face' });
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let dead: Problem | null = null;

  const die = (problem: Problem): void => {
    if (dead) return;
    dead = problem;
    worker.terminate();
    for (const { reject } of waiting.values()) reject(problem);
    waiting.clear();
  };
  worker.onerror = (event) => {
    const reason = event.message || 'its script could not be loaded';
    die(
      new Problem(
        'face-detector-failed',
        `The face detector stopped (${reason}). Start again or reload the page.`,
      ),
    );
  };
  worker.onmessageerror = () => {
    die(new Problem('face-detector-failed', 'internal: a message of the face worker could not be read'));
  };
  worker.onmessage = ({ data: reply }: MessageEvent<FaceReply>) => {
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.type === 'failed') call?.reject(new Problem(reply.kind, reply.message));
    else call?.resolve(reply);
  };

  type Unnumbered<R> = R extends FaceRequest ? Omit<R, 'id'> : never;
  const call = async (
    request: Unnumbered<FaceRequest>,
    limitMs: number,
    what: string,
    transfer: Transferable[] = [],
  ) => {
    if (dead) {
      for (const thing of transfer) if (thing instanceof ImageBitmap) thing.close();
      throw dead;
    }
    const id = nextId++;
    const reply = new Promise<FaceReply>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.postMessage({ ...request, id }, transfer);
    });
    try {
      return await withTimeout(reply, limitMs, what);
    } finally {
      waiting.delete(id);
    }
  };
  const unexpected = (reply: FaceReply): Problem =>
    new Problem('internal', `internal: the face worker answered ${reply.type}`);

  const { assetsUrl, cropPx, finder } = options;
  try {
    const absolute = new URL(assetsUrl, document.baseURI).href;
    const what = 'The face detector did not load in time: check the connection and reload the page';
    await call({ type: 'open', assetsUrl: absolute, cropPx, finder }, openLimitMs, what);
  } catch (error) {
    worker.terminate();
    throw error;
  }

  const late = 'The face detector did not answer in time: close other busy pages and start again';
  return {
    async track(bitmap, timeMs, cropSizesPx) {
      const reply = await call({ type: 'track', bitmap, timeMs, cropSizesPx }, trackLimitMs, late, [bitmap]);
      if (reply.type !== 'tracked') throw unexpected(reply);
      return reply.observation;
    },
    async detect(bitmap) {
      const reply = await call({ type: 'detect', bitmap }, trackLimitMs, late, [bitmap]);
      if (reply.type !== 'detected') throw unexpected(reply);
      return reply.faces;
    },
    close() {
      die(new Problem('face-detector-failed', 'The face detector was closed.'));
    },
  };
}
