// WebGPU in Node, through Dawn (the package `webgpu`), for training on a real GPU; and whether there is one.
import { existsSync, readdirSync } from 'node:fs';
import { Option } from 'commander';
import { adapterName, isSoftware } from '../../ops/webgpu/adapter.ts';
import { startWebgpuBackend } from '../../ops/webgpu/backend.ts';
import { Problem } from '../../base/errors.ts';
import { withTimeout } from '../../base/timeout.ts';

/** What `--backend` says. */
const backendOptions = ['auto', 'webgpu', 'wasm'] as const;
export type BackendOption = (typeof backendOptions)[number];

/** The option of every command that computes with the model. */
export function backendOption(): Option {
  const meaning = 'auto: a GPU through WebGPU where there is a real one, else wasm on the CPU';
  return new Option('--backend <name>', meaning).choices(backendOptions).default('auto');
}

export interface TrainBackend {
  readonly name: 'webgpu' | 'wasm';
  /** Why, in words: "webgpu: nvidia lovelace", "webgpu: only a software adapter (google swiftshader); wasm in use" */
  readonly reason: string;
}

/** A driver that hangs must not hang the trainer. */
const adapterLimitMs = 30_000;

/** The GPU's adapter, or why there is none. Dawn needs the system's Vulkan loader and a driver. */
async function findAdapter(): Promise<{ gpu: GPU; adapter: GPUAdapter } | string> {
  try {
    const { create, globals } = await import('webgpu');
    // tfjs and our kernels read GPUBufferUsage and the like from here.
    Object.assign(globalThis, globals);
    const gpu = create([]);
    const adapter = await withTimeout(
      gpu.requestAdapter({ powerPreference: 'high-performance' }),
      adapterLimitMs,
      'the driver did not answer',
    );
    return adapter === null ? 'no adapter' : { gpu, adapter };
  } catch (error) {
    return `not offered here (${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)})`;
  }
}

/** Where Linux shows GPUs; elsewhere Dawn is asked, which prints its driver's complaints when there is none. */
function hasGpuDevice(): boolean {
  if (process.platform !== 'linux') return true;
  const cards = existsSync('/dev/dri') ? readdirSync('/dev/dri') : [];
  return (
    cards.some((name) => name.startsWith('render')) ||
    ['/dev/nvidia0', '/dev/dxg'].some((path) => existsSync(path))
  );
}

/**
 * Which backend trains: webgpu where a real GPU is, else wasm. A GPU played by the CPU is slower than our wasm kernels
 * and taken only when webgpu is asked for by name.
 * @throws Problem `worker-failed` when webgpu is asked for and there is no adapter at all
 */
export async function chooseTrainBackend(wanted: BackendOption): Promise<TrainBackend> {
  if (wanted === 'wasm') return { name: 'wasm', reason: 'wasm, as asked' };
  if (wanted === 'auto' && !hasGpuDevice()) return { name: 'wasm', reason: 'no GPU here; wasm in use' };
  const found = await findAdapter();
  if (typeof found === 'string') {
    if (wanted === 'auto') return { name: 'wasm', reason: `webgpu: ${found}; wasm in use` };
    throw new Problem(
      'worker-failed',
      `webgpu: ${found}. Wanted a GPU with a Vulkan driver and the Vulkan loader (libvulkan.so.1); install them, or take --backend wasm.`,
    );
  }
  const { info } = found.adapter;
  const name = adapterName(info);
  if (!isSoftware(info)) return { name: 'webgpu', reason: `webgpu: ${name}` };
  if (wanted === 'webgpu') {
    return { name: 'webgpu', reason: `webgpu: ${name}, a software adapter: slower than wasm` };
  }
  return { name: 'wasm', reason: `webgpu: only a software adapter (${name}); wasm in use` };
}

/**
 * Makes webgpu tfjs' current backend in this thread, on whatever adapter there is; training stays in 32 bits.
 * Dawn keeps a thread alive from then on: end it by `process.exit`, or by terminating the worker.
 * @returns what runs, in words ("webgpu: nvidia lovelace, own kernels, subgroups")
 * @throws Problem `worker-failed` when there is no adapter
 */
export async function startWebgpu(): Promise<string> {
  const found = await findAdapter();
  if (typeof found === 'string') throw new Problem('worker-failed', `webgpu: ${found}.`);
  // tfjs looks for it when it is loaded. Node 20 has no navigator.
  if (typeof navigator === 'undefined') {
    Object.defineProperty(globalThis, 'navigator', { value: { gpu: found.gpu }, configurable: true });
  } else {
    Object.defineProperty(navigator, 'gpu', { value: found.gpu, configurable: true });
  }
  return startWebgpuBackend(found.adapter);
}
