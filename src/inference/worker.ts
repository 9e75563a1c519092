// The recognizer's worker, and the only switch over its messages: a model is loaded once, then clips are read in turn.
import { Problem, toProblem } from '../base/errors.ts';
import { loadWeights } from '../weights/load.ts';
import { chooseBackend, gpuLost } from './backend.ts';
import { compileModel } from './compile.ts';
import { fetchSource } from './fetch-source.ts';
import { blankClips, createModel, readClip, summarize } from './model.ts';
import type { LoadedModel } from './model.ts';
import type { LoadRequest, ProgressReply, Reply, Request } from './protocol.ts';
import { defaultThreadCount } from './wasm-helpers.ts';

let model: LoadedModel | null = null;
/** Why nothing can be computed any more. */
let lost: Problem | null = null;
/** Gives up the computation in progress. Not a race against a promise: one that never settles would keep every result. */
let giveUp: ((problem: Problem) => void) | null = null;
/** Requests are answered one after another. */
let queue: Promise<void> = Promise.resolve();

self.onmessage = ({ data: request }: MessageEvent<Request>) => {
  queue = queue.then(async () => {
    post(await answer(request));
  });
};

function post(reply: Reply): void {
  self.postMessage(reply);
}

async function answer(request: Request): Promise<Reply> {
  const { id } = request;
  try {
    switch (request.type) {
      case 'load':
        return await load(request);
      case 'predict': {
        if (model === null) throw new Problem('internal', 'internal: a clip came before a model was loaded');
        return { type: 'predicted', id, prediction: await orLost(readClip(model, request.clip)) };
      }
    }
  } catch (error) {
    const { kind, message } = toProblem(error);
    return { type: 'failed', id, kind, message };
  }
}

/** How long a failed computation waits for word that the GPU was lost: the failure may come before its cause. */
const lossNoticeMs = 1000;

/** The promise's outcome, or a rejection as soon as the GPU is lost. */
async function orLost<T>(computing: Promise<T>): Promise<T> {
  try {
    return await new Promise<T>((resolve, reject) => {
      giveUp = reject;
      computing.then(resolve, (error: unknown) => {
        if (error instanceof Problem) reject(error);
        else setTimeout(reject, lossNoticeMs, error);
      });
      if (lost !== null) reject(lost);
    });
  } finally {
    giveUp = null;
  }
}

async function load({ id, modelUrl, backend: wanted, threadCount }: LoadRequest): Promise<Reply> {
  const progress = (stage: ProgressReply['stage'], loadedBytes = 0, totalBytes = 0): void => {
    post({ type: 'progress', id, stage, loadedBytes, totalBytes });
  };
  if (model !== null) throw new Problem('internal', 'internal: a model is loaded already');
  progress('backend');
  const backend = await chooseBackend(wanted, threadCount ?? defaultThreadCount());
  void gpuLost().then((problem) => {
    lost = problem;
    giveUp?.(problem);
  });
  progress('download');
  let compiling: Promise<void> = Promise.resolve();
  const weights = await loadWeights(
    fetchSource(modelUrl),
    (loadedBytes, totalBytes) => {
      progress('download', loadedBytes, totalBytes);
    },
    (manifest) => {
      compiling = compileModel(manifest);
    },
  );
  await orLost(compiling);
  const created = createModel(weights);
  for (const clip of blankClips(created.manifest)) {
    progress('warm-up');
    await orLost(readClip(created, clip));
  }
  model = created;
  return { type: 'loaded', id, model: summarize(created.manifest), backend };
}
