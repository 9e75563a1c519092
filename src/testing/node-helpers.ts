// Threads of Node that help with the wasm kernels, as the page's workers do.
import { Worker } from 'node:worker_threads';
import type { Helper } from '../ops/wasm/module.ts';

/** What `help` in ops/wasm/module.ts does, as a script of its own: a worker of Node takes no TypeScript. */
const script = `
  const { parentPort, workerData: { module, memory, job, threadCount, thread } } = require('node:worker_threads');
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  exports.usePool(job, threadCount, thread);
  parentPort.postMessage('ready');
  exports.help();
`;

/** @param count how many; each is to be closed, and none keeps Node alive */
export function nodeHelpers(count: number): Helper[] {
  return Array.from({ length: count }, () => {
    let worker: Worker | undefined;
    return {
      start: (data) =>
        new Promise<void>((resolve, reject) => {
          worker = new Worker(script, { eval: true, workerData: data });
          worker.unref();
          worker.once('message', () => {
            resolve();
          });
          worker.once('error', reject);
        }),
      close() {
        void worker?.terminate();
      },
    };
  });
}
