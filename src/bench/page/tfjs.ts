// Stock tfjs: its own backends and kernels, under our model code's composite ops.
import { env, ready, setBackend } from '@tensorflow/tfjs-core';
import { withTimeout } from '../../base/timeout.ts';
import { modelContender } from './model-run.ts';
import { serveContender } from './serve.ts';
import { registerStockProduct } from './stock.ts';

/** Its threads can fail without a word. */
const startLimitMs = 20_000;

serveContender(
  modelContender(async ({ backend, threads }) => {
    let detail = `stock tfjs ${backend}`;
    if (backend === 'wasm') {
      const { getThreadsCount, setThreadsCount, setWasmPaths } =
        await import('@tensorflow/tfjs-backend-wasm');
      env().set('WASM_HAS_MULTITHREAD_SUPPORT', threads > 1);
      setThreadsCount(threads);
      // It takes half of the cores at most: shown twice as many, it starts the threads asked for.
      Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 * threads });
      setWasmPaths(new URL('peers/tfjs/', self.location.origin).href);
      const started = withTimeout(setBackend('wasm'), startLimitMs, 'its wasm backend did not start');
      if (!(await started)) throw new Error('stock tfjs wasm did not start');
      await ready();
      registerStockProduct();
      const got = threads > 1 ? getThreadsCount() : 1;
      if (got !== threads) throw new Error(`stock tfjs wasm started ${String(got)} threads`);
      detail += `, ${String(got)} threads`;
    } else {
      await import('@tensorflow/tfjs-backend-webgpu');
      // Small tensors stay on the GPU: this is a measurement of the GPU path.
      env().set('WEBGPU_CPU_FORWARD', false);
      if (!(await setBackend('webgpu'))) throw new Error('stock tfjs webgpu did not start');
      await ready();
    }
    return detail;
  }),
);
