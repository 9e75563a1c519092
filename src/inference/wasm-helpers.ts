// Workers that help with the wasm kernels, where this page may share memory with them.
import type { Helper } from '../ops/wasm/module.ts';

/** More gain little: the kernels of one clip are small. */
const mostThreads = 4;

/** Threads for the kernels: half of the processors, since the page, the face tracker and the camera need some too. */
export function defaultThreadCount(): number {
  if (!crossOriginIsolated) return 1;
  return Math.min(mostThreads, Math.max(1, Math.ceil(navigator.hardwareConcurrency / 2)));
}

export function browserHelpers(count: number): Helper[] {
  return Array.from({ length: count }, (_, i) => {
    let worker: Worker | undefined;
    return {
      start: (data) =>
        new Promise<void>((resolve, reject) => {
          worker = new Worker(new URL('./wasm-helper-worker.ts', import.meta.url), {
            type: 'module',
            name: `kernels ${i + 1}`,
          });
          worker.onmessage = () => {
            resolve();
          };
          worker.onerror = ({ message }) => {
            reject(new Error(message === '' ? 'a worker did not load' : message));
          };
          worker.postMessage(data);
        }),
      close() {
        worker?.terminate();
      },
    };
  });
}
