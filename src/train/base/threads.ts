// Worker threads that answer one request at a time; the death of one rejects every call waiting on it.
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker, parentPort } from 'node:worker_threads';
import { Problem, toProblem } from '../../base/errors.ts';

/** What a worker sends back. */
type Reply<R> =
  | { readonly ok: true; readonly value: R }
  | { readonly ok: false; readonly message: string; readonly kind: string };

/** A worker thread speaking requests Q and answers R. */
export interface Thread<Q, R> {
  /** Sends a request; only one may be under way. */
  call(request: Q): Promise<R>;
  close(): Promise<void>;
}

/** Whether this runs from source; else bundled, with a .js for each worker beside this file (bundle.ts). */
const fromSource = import.meta.url.endsWith('.ts');

/** A worker of Node 20 does not take tsx over from `--import tsx`: it registers the loader itself, then loads the module. */
function bootstrap(module: URL): string {
  const tsx = new URL(
    'dist/esm/api/index.mjs',
    pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json')),
  ).href;
  return `import(${JSON.stringify(tsx)}).then((tsx) => { tsx.register(); return import(${JSON.stringify(module.href)}); })`;
}

function startWorker(module: URL, workerData: unknown): Worker {
  if (fromSource) return new Worker(bootstrap(module), { eval: true, workerData, execArgv: [] });
  const name = basename(module.pathname, '.ts');
  return new Worker(new URL(`./${name}.js`, import.meta.url), { workerData });
}

/**
 * Starts a worker from a TypeScript module that calls `serve`.
 * @param workerData cloned into the worker, but for SharedArrayBuffers, which are shared
 */
export function startThread<Q, R>(module: URL, workerData: unknown): Thread<Q, R> {
  const worker = startWorker(module, workerData);
  let waiting: { resolve: (value: R) => void; reject: (error: Error) => void } | undefined;
  let death: Error | undefined;
  const fail = (error: Error): void => {
    death ??= error;
    waiting?.reject(death);
    waiting = undefined;
  };
  worker.on('message', (reply: Reply<R>) => {
    const call = waiting;
    waiting = undefined;
    if (reply.ok) call?.resolve(reply.value);
    else if (reply.kind === 'internal') call?.reject(new Error(reply.message));
    else call?.reject(new Problem(reply.kind as Problem['kind'], reply.message));
  });
  worker.on('error', (error: unknown) => {
    fail(error instanceof Error ? error : new Error(String(error)));
  });
  worker.on('exit', (code) => {
    fail(new Error(`A worker thread ended (exit code ${String(code)}). Out of memory? Try a smaller batch.`));
  });
  return {
    call: (request) =>
      new Promise<R>((resolve, reject) => {
        if (death) {
          reject(death);
          return;
        }
        if (waiting) {
          reject(new Error('internal: a thread is asked while it still works'));
          return;
        }
        waiting = { resolve, reject };
        worker.postMessage(request);
      }),
    close: async () => {
      await worker.terminate();
    },
  };
}

/** The worker's side: answers each request with what `answer` returns or throws. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names both sides, as startThread's does
export function serve<Q, R>(answer: (request: Q) => Promise<R> | R): void {
  const port = parentPort;
  if (port === null) throw new Error('internal: this module runs in a worker thread');
  port.on('message', (request: Q) => {
    void (async () => {
      let reply: Reply<R>;
      try {
        reply = { ok: true, value: await answer(request) };
      } catch (error) {
        const { kind, message } = toProblem(error);
        // The main thread cannot see where our own bug happened, so that travels along.
        const where = kind === 'internal' && error instanceof Error ? `\n${error.stack ?? ''}` : '';
        reply = { ok: false, message: message + where, kind };
      }
      port.postMessage(reply);
    })();
  });
}

/** Runs over items with every thread taking the next free one; results in the items' order. */
export async function spread<Q, R>(
  threads: readonly Thread<Q, R>[],
  requests: readonly Q[],
  onDone?: (done: number) => void,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let done = 0;
  await Promise.all(
    threads.map(async (thread) => {
      for (;;) {
        const i = next++;
        const request = requests[i];
        if (i >= requests.length || request === undefined) return;
        results[i] = await thread.call(request);
        onDone?.(++done);
      }
    }),
  );
  return results;
}
