// The measuring page: starts each contender in a worker of its own and keeps their outputs for comparison.
import { maxDifference } from './difference.ts';
import type { Answer, BenchPage, ContenderKind, Reply, Request } from './protocol.ts';

interface Running {
  readonly worker: Worker;
  output: Float32Array | null;
}

const workers: Readonly<Record<ContenderKind, () => Worker>> = {
  ours: () => new Worker(new URL('./ours.ts', import.meta.url), { type: 'module' }),
  tfjs: () => new Worker(new URL('./tfjs.ts', import.meta.url), { type: 'module' }),
  ort: () => new Worker(new URL('./ort.ts', import.meta.url), { type: 'module' }),
};

const running = new Map<ContenderKind, Running>();

function runningOf(kind: ContenderKind): Running {
  const found = running.get(kind);
  if (found === undefined) throw new Error(`internal: ${kind} is not loaded`);
  return found;
}

async function ask<T extends Answer['type']>(
  { worker }: Running,
  request: Request,
  wanted: T,
): Promise<Extract<Answer, { type: T }>> {
  const reply = await new Promise<Reply>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      resolve(data);
    };
    worker.onerror = ({ message }) => {
      reject(new Error(message === '' ? 'the worker did not start' : message));
    };
    worker.postMessage(request);
  });
  if (reply.type === 'failed') throw new Error(reply.message);
  if (reply.type !== wanted) throw new Error(`internal: ${reply.type} instead of ${wanted}`);
  return reply as Extract<Answer, { type: T }>;
}

const bench: BenchPage = {
  async load(kind, request) {
    bench.end(kind);
    const one: Running = { worker: workers[kind](), output: null };
    running.set(kind, one);
    return (await ask(one, { type: 'load', ...request }, 'loaded')).detail;
  },
  async run(kind) {
    const one = runningOf(kind);
    const { output, ms, wasmBytes, dispatches } = await ask(one, { type: 'run' }, 'ran');
    one.output = output;
    return { ms, wasmBytes, dispatches };
  },
  compare: (a, b) => maxDifference(runningOf(a).output ?? [NaN], runningOf(b).output ?? [NaN]),
  end(kind) {
    running.get(kind)?.worker.terminate();
    running.delete(kind);
  },
  async adapter() {
    const gpu = navigator.gpu as GPU | undefined;
    const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) return null;
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
    const name = [vendor, architecture, device, description].filter((part) => part !== '').join(' ');
    return { name, software: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(name) };
  },
};

window.bench = bench;
