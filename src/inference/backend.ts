// Which backend computes, and why not a faster one: capability is a value with a reason.
import { getBackend, backend as currentBackend, ready, setBackend } from '@tensorflow/tfjs-core';
import { Problem } from '../base/errors.ts';
import { withTimeout } from '../base/timeout.ts';
import { adapterName, isSoftware } from '../ops/webgpu/adapter.ts';
import type { BackendChoice, BackendName } from './protocol.ts';
import { browserHelpers } from './wasm-helpers.ts';

/** A driver that hangs must not hang the page. */
const startLimitMs = 30_000;

/** A backend started, or why it did not. `detail` names the adapter or the kernels. */
type Attempt =
  { readonly started: true; readonly detail: string } | { readonly started: false; readonly reason: string };

const refused = (reason: string): Attempt => ({ started: false, reason });

/**
 * Starts a backend in this worker: webgpu, else wasm, else cpu; or the named one alone.
 * @param threadCount threads of the wasm kernels
 * @returns the choice; its reason says what refused and what runs, for example
 *   `webgpu: no adapter; wasm: SIMD with fused multiply-add, 2 threads (wasm in use)`
 * @throws Problem `worker-failed` when the named backend cannot run here
 */
export async function chooseBackend(
  wanted: BackendName | 'auto',
  threadCount: number,
): Promise<BackendChoice> {
  const names: readonly BackendName[] = wanted === 'auto' ? ['webgpu', 'wasm', 'cpu'] : [wanted];
  const reasons: string[] = [];
  for (const name of names) {
    const attempt = await start(name, wanted, threadCount);
    reasons.push(attempt.started ? attempt.detail : attempt.reason);
    if (attempt.started) return { name, reason: `${reasons.join('; ')} (${name} in use)` };
  }
  throw new Problem(
    'worker-failed',
    `The model cannot run here (${reasons.join('; ')}): choose the backend "auto", or use another browser`,
  );
}

async function start(name: BackendName, wanted: BackendName | 'auto', threadCount: number): Promise<Attempt> {
  let late = false;
  try {
    const attempt =
      name === 'webgpu'
        ? startWebgpu(wanted === 'webgpu', () => late)
        : name === 'wasm'
          ? startWasm(threadCount)
          : startCpu();
    return await withTimeout(attempt, startLimitMs, 'it did not start');
  } catch (error) {
    late = true;
    return refused(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @param isLate whether another backend was taken meanwhile, which this one must not replace */
async function startWebgpu(byName: boolean, isLate: () => boolean): Promise<Attempt> {
  // Typed as always there, but not every browser has it.
  const gpu = navigator.gpu as GPU | undefined;
  if (gpu === undefined) return refused('webgpu: not offered by this browser');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) return refused('webgpu: no adapter');
  const software = isSoftware(adapter.info);
  // wasm is faster than a GPU played by the CPU.
  if (software && !byName) return refused(`webgpu: only a software adapter (${adapterName(adapter.info)})`);
  const { startWebgpuBackend } = await import('../ops/webgpu/backend.ts');
  if (isLate()) return refused('webgpu: too late');
  const detail = await startWebgpuBackend(adapter);
  return { started: true, detail: `${detail}${software ? ', a software adapter: slow' : ''}` };
}

async function startWasm(threadCount: number): Promise<Attempt> {
  if (typeof WebAssembly !== 'object') return refused('wasm: not offered by this browser');
  const { startWasmBackend } = await import('../ops/wasm/backend.ts');
  return { started: true, detail: await startWasmBackend({ helpers: browserHelpers(threadCount - 1) }) };
}

async function startCpu(): Promise<Attempt> {
  await import('@tensorflow/tfjs-backend-cpu');
  if (!(await setBackend('cpu'))) return refused('cpu: the backend did not start');
  await ready();
  return { started: true, detail: 'cpu: plain JavaScript, slow' };
}

/** Settles, with why, when the GPU goes away (driver reset, out of memory); never on other backends. */
export async function gpuLost(): Promise<Problem> {
  if (getBackend() !== 'webgpu') return new Promise<never>(() => undefined);
  const { device } = currentBackend() as unknown as { device: GPUDevice };
  const { reason, message } = await device.lost;
  return new Problem(
    'worker-failed',
    `The graphics processor stopped answering (${message === '' ? reason : message}). Start again; if it happens often, choose the backend "wasm".`,
  );
}
