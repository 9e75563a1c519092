// The page's one door to the recognizer's worker: numbered calls with time limits; a dead worker rejects every waiting call.
import { Problem } from '../base/errors.ts';
import type { Clip } from '../clip/spec.ts';
import type {
  BackendChoice,
  BackendName,
  ModelSummary,
  Prediction,
  ProgressReply,
  Reply,
  Request,
} from './protocol.ts';

/** Loading says something at least this often; compiling shaders and warming up on a phone are the longest silences. */
const loadSilenceLimitMs = 120_000;
/** The largest model on the slowest backend takes less; a hung driver never ends. */
const predictLimitMs = 120_000;

export type LoadProgress = Pick<ProgressReply, 'stage' | 'loadedBytes' | 'totalBytes'>;

export interface RecognizerRequest {
  /** The model's folder, ending in a slash; relative to the page, or absolute. */
  readonly modelUrl: string;
  /** `auto` tries webgpu, then wasm, then cpu; a name tries only that one. */
  readonly backend: BackendName | 'auto';
  /** Threads of the wasm kernels; left out, half of the processors where the page may share memory, else one. */
  readonly threadCount?: number;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Ends the worker at once, also in the middle of loading. */
  readonly signal?: AbortSignal;
  /** Longest silence while loading, milliseconds. */
  readonly loadSilenceMs?: number;
  /** Longest time to read one clip, milliseconds. */
  readonly predictMs?: number;
  /** Another way to start the worker, for hosts that must load it from elsewhere. */
  readonly createWorker?: () => Worker;
}

/** A loaded model in its worker. */
export interface Recognizer {
  readonly model: ModelSummary;
  readonly backend: BackendChoice;
  /**
   * Reads a clip; the clip is copied and stays the caller's. Several calls are answered in turn.
   * @throws Problem `worker-failed` once the worker is dead, stuck or closed; `model-invalid` when the clip lacks what
   *   the model needs
   */
  predict(clip: Clip): Promise<Prediction>;
  /** Ends the worker, and rejects what waits. May be called twice. */
  close(): void;
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (problem: Problem) => void;
  readonly onProgress: ((progress: ProgressReply) => void) | undefined;
}

const createDefaultWorker = (): Worker =>
  new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'recognizer' });

/**
 * Starts the worker, loads the model and warms it up.
 * @throws Problem `model-missing`, `model-invalid`, `worker-failed` or `timeout`; the worker is ended then
 */
export async function openRecognizer(request: RecognizerRequest): Promise<Recognizer> {
  const { backend: wanted, onProgress, createWorker = createDefaultWorker } = request;
  const { loadSilenceMs = loadSilenceLimitMs, predictMs = predictLimitMs } = request;
  const base = globalThis.location.href;
  const door = openDoor(startWorker(createWorker));
  request.signal?.addEventListener('abort', () => door.die('The recognizer was closed'), { once: true });
  try {
    request.signal?.throwIfAborted();
    const reply = await door.call(
      {
        type: 'load',
        modelUrl: new URL(request.modelUrl, base).href,
        backend: wanted,
        threadCount: request.threadCount ?? null,
      },
      loadSilenceMs,
      onProgress && (({ stage, loadedBytes, totalBytes }) => onProgress({ stage, loadedBytes, totalBytes })),
    );
    if (reply.type !== 'loaded') throw unexpected(reply);
    return {
      model: reply.model,
      backend: reply.backend,
      async predict(clip) {
        const answer = await door.call({ type: 'predict', clip }, predictMs);
        if (answer.type !== 'predicted') throw unexpected(answer);
        return answer.prediction;
      },
      close: () => {
        door.die('The recognizer was closed');
      },
    };
  } catch (error) {
    door.die('The recognizer was closed');
    throw error;
  }
}

function startWorker(createWorker: () => Worker): Worker {
  try {
    return createWorker();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Problem(
      'worker-failed',
      `The recognizer's worker could not be started (${reason}); wanted a page that may start workers from its own origin.`,
      { cause: error },
    );
  }
}

function unexpected(reply: Reply): Problem {
  return new Problem('internal', `internal: the recognizer's worker answered ${reply.type}`);
}

type Unnumbered<R> = R extends Request ? Omit<R, 'id'> : never;

interface Door {
  /** @param silenceMs how long the worker may say nothing while calls wait; a call that joins others keeps their limit */
  call(
    request: Unnumbered<Request>,
    silenceMs: number,
    onProgress?: (progress: ProgressReply) => void,
  ): Promise<Reply>;
  /** Ends the worker; what waits and what comes is rejected with this reason. Only the first reason counts. */
  die(reason: string): void;
}

function openDoor(worker: Worker): Door {
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let dead: Problem | null = null;
  let watchdog: { readonly feed: () => void; readonly stop: () => void } | null = null;

  const die = (reason: string): void => {
    if (dead !== null) return;
    dead = new Problem('worker-failed', reason);
    watchdog?.stop();
    worker.onmessage = worker.onerror = worker.onmessageerror = null;
    worker.terminate();
    for (const { reject } of waiting.values()) reject(dead);
    waiting.clear();
  };

  worker.onerror = (event) => {
    event.preventDefault();
    // A script that cannot be loaded fires a plain event without a message.
    const reason = (event as Partial<ErrorEvent>).message ?? '';
    die(
      `The recognizer stopped (${reason === '' ? 'its script could not be loaded' : reason}). Start again or reload the page.`,
    );
  };
  worker.onmessageerror = () => {
    die("internal: a message of the recognizer's worker could not be read");
  };
  worker.onmessage = ({ data: reply }: MessageEvent<Reply>) => {
    const call = waiting.get(reply.id);
    if (call === undefined) return;
    watchdog?.feed();
    if (reply.type === 'progress') {
      call.onProgress?.(reply);
      return;
    }
    waiting.delete(reply.id);
    if (waiting.size === 0) watchdog?.stop();
    if (reply.type !== 'failed') {
      call.resolve(reply);
      return;
    }
    call.reject(new Problem(reply.kind, reply.message));
    // The worker itself says that it cannot go on (a lost GPU).
    if (reply.kind === 'worker-failed') die(reply.message);
  };

  return {
    die,
    call(request, silenceMs, onProgress) {
      if (dead !== null) return Promise.reject(dead);
      const id = nextId++;
      const answer = new Promise<Reply>((resolve, reject) => {
        waiting.set(id, { resolve, reject, onProgress });
      });
      // Calls that join a queue must not keep a stuck worker alive.
      if (waiting.size === 1) {
        watchdog = startWatchdog(silenceMs, () => {
          die(
            `The recognizer did not answer for ${String(silenceMs / 1000)} s. Close other busy pages and start again, or choose a smaller model.`,
          );
        });
      }
      worker.postMessage({ ...request, id });
      return answer;
    },
  };
}

function startWatchdog(silenceMs: number, onSilence: () => void): { feed: () => void; stop: () => void } {
  let timer = setTimeout(onSilence, silenceMs);
  return {
    feed: () => {
      clearTimeout(timer);
      timer = setTimeout(onSilence, silenceMs);
    },
    stop: () => {
      clearTimeout(timer);
    },
  };
}
