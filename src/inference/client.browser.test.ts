// The whole way through a real worker: a small random model is packed, served by the test server, loaded and asked.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { commands } from 'vitest/browser';
import { Problem } from '../base/errors.ts';
import { random } from '../base/random.ts';
import { officialClipSpec } from '../clip/spec.ts';
import type { Clip } from '../clip/spec.ts';
import { sizes } from '../model/config.ts';
import { parameterShapes } from '../model/params.ts';
import { packWeights } from '../weights/pack.ts';
import type { PackedFile } from '../weights/pack.ts';
import { openRecognizer } from './client.ts';
import type { LoadProgress, Recognizer, RecognizerRequest } from './client.ts';

const folder = '/test-results/client-test-models/';
const clipSpec = { ...officialClipSpec, frameCount: 4, cropPx: 32 };

async function serve(name: string, files: readonly PackedFile[]): Promise<void> {
  for (const { path, bytes } of files) {
    let text = '';
    for (let at = 0; at < bytes.length; at += 8192)
      text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    await commands.writeFile(`.${folder}${name}/${path}`, btoa(text), { encoding: 'base64' });
  }
}

function micro(missingModalities: boolean): Promise<{ files: readonly PackedFile[] }> {
  const config = { ...sizes.micro, classCount: 3 };
  const stream = random(5);
  const tensors = parameterShapes(config).map(({ name, shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, { shape, data: Float32Array.from({ length: size }, () => 0.1 * stream.normal()) }] as const;
  });
  return packWeights(Object.fromEntries(tensors), 'F16', {
    name: 'micro',
    config,
    labels: ['angry', 'happy', 'sad'],
    clip: clipSpec,
    missingModalities,
    provenance: {},
  });
}

const served = ['good', 'pairs', 'broken'] as const;

beforeAll(async () => {
  const { files } = await micro(true);
  await serve('good', files);
  await serve('pairs', (await micro(false)).files);
  await serve(
    'broken',
    files.map(({ path, bytes }) => {
      const wrong = bytes.slice();
      if (path.endsWith('.safetensors')) wrong[wrong.length - 1]! ^= 1;
      return { path, bytes: wrong };
    }),
  );
});

afterAll(async () => {
  for (const name of served) {
    for (const file of ['manifest.json', 'model.safetensors'])
      await commands.removeFile(`.${folder}${name}/${file}`);
  }
});

const opened: Recognizer[] = [];
afterEach(() => {
  for (const recognizer of opened.splice(0)) recognizer.close();
});

async function open(more: Partial<RecognizerRequest> = {}): Promise<Recognizer> {
  const recognizer = await openRecognizer({ modelUrl: `${folder}good/`, backend: 'wasm', ...more });
  opened.push(recognizer);
  return recognizer;
}

async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('it succeeded');
}

function clip(parts: 'both' | 'face' | 'voice'): Clip {
  const stream = random(11);
  const frames = Uint8ClampedArray.from({ length: 4 * 32 * 32 * 3 }, () => stream.integer(256));
  const samples = Float32Array.from({ length: 40960 }, () => 0.1 * stream.normal());
  return {
    endMs: 2560,
    frames: parts === 'voice' ? null : frames,
    samples: parts === 'face' ? null : samples,
    equalizer: null,
  };
}

/** A real worker with this script. */
function scripted(script: string): () => Worker {
  return () => new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
}

describe('the recognizer', () => {
  test('loads with progress in order, says what runs, and reads each kind of clip', async () => {
    const progress: LoadProgress[] = [];
    const recognizer = await open({ onProgress: (step) => progress.push(step) });
    expect(recognizer.model).toEqual({
      name: 'micro',
      labels: ['angry', 'happy', 'sad'],
      clip: clipSpec,
      missingModalities: true,
      uncertainBelow: 0,
    });
    expect(recognizer.backend.name).toBe('wasm');
    expect(recognizer.backend.reason).toMatch(/^wasm: SIMD.* \(wasm in use\)$/);
    const stages = progress.map(({ stage }) => stage);
    expect([...new Set(stages)]).toEqual(['backend', 'download', 'warm-up']);
    const downloads = progress.filter(({ stage, totalBytes }) => stage === 'download' && totalBytes > 0);
    expect(downloads.at(0)?.loadedBytes).toBe(0);
    expect(downloads.at(-1)?.loadedBytes).toBe(downloads.at(-1)?.totalBytes);

    const results = new Map<string, Float32Array>();
    for (const parts of ['both', 'face', 'voice'] as const) {
      const { probabilities, modalities, inferenceMs } = await recognizer.predict(clip(parts));
      expect(probabilities.length).toBe(3);
      expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
      expect(modalities).toEqual({ face: parts !== 'voice', voice: parts !== 'face' });
      expect(inferenceMs).toBeGreaterThan(0);
      results.set(parts, probabilities);
    }
    expect(results.get('face')).not.toEqual(results.get('voice'));
  });

  test('two threads read what one does, where memory may be shared', async () => {
    const alone = await open({ threadCount: 1 });
    expect(alone.backend.reason).not.toContain('threads');
    expect(crossOriginIsolated, 'the test page is not cross-origin isolated').toBe(true);
    const together = await open({ threadCount: 2 });
    expect(together.backend.reason).toContain(', 2 threads (wasm in use)');
    const { probabilities } = await alone.predict(clip('both'));
    for (let i = 0; i < 5; i++)
      expect((await together.predict(clip('both'))).probabilities).toEqual(probabilities);
  });

  test('every backend reads the same, and auto names what it refused', async () => {
    const readings: Float32Array[] = [];
    for (const backend of ['cpu', 'wasm', 'auto'] as const) {
      const recognizer = await open({ backend });
      readings.push((await recognizer.predict(clip('both'))).probabilities);
      if (backend === 'auto' && recognizer.backend.name !== 'webgpu') {
        expect(recognizer.backend.reason).toMatch(
          /^webgpu: (not offered|no adapter|only a software adapter)/,
        );
      }
    }
    for (const reading of readings.slice(1)) {
      reading.forEach((p, i) => {
        expect(Math.abs(p - readings[0]![i]!)).toBeLessThan(1e-4);
      });
    }
  });

  test("answers several calls in order, and the clip stays the caller's", async () => {
    const recognizer = await open();
    const mine = clip('both');
    const answers = await Promise.all([recognizer.predict(mine), recognizer.predict(clip('face'))]);
    expect(answers.map(({ modalities }) => modalities.voice)).toEqual([true, false]);
    expect(mine.frames?.length).toBe(4 * 32 * 32 * 3);
  });

  test('a clip that does not fit is refused and the worker lives on', async () => {
    const recognizer = await open();
    const wrong = { ...clip('face'), frames: new Uint8ClampedArray(7) };
    expect((await problemOf(recognizer.predict(wrong))).message).toContain('internal: the clip');
    expect((await recognizer.predict(clip('face'))).modalities.face).toBe(true);
  });

  test('a model of pairs says what is missing', async () => {
    const recognizer = await open({ modelUrl: `${folder}pairs/` });
    const { kind, message } = await problemOf(recognizer.predict(clip('face')));
    expect(kind).toBe('model-invalid');
    expect(message).toContain('the voice is missing');
    expect((await recognizer.predict(clip('both'))).probabilities.length).toBe(3);
  });
});

/** Whether this browser offers any WebGPU, if only in software; says so when the tests below are skipped. */
async function hasWebgpu(): Promise<boolean> {
  const gpu = navigator.gpu as GPU | undefined;
  const adapter = (await gpu?.requestAdapter()) ?? null;
  if (adapter === null) console.warn('skipped: this browser offers no WebGPU adapter');
  return adapter !== null;
}

describe('webgpu by name', () => {
  test('reads as wasm does, and names its adapter', async (context) => {
    if (!(await hasWebgpu())) context.skip();
    const [onGpu, onWasm] = [await open({ backend: 'webgpu' }), await open()];
    expect(onGpu.backend.reason).toMatch(/^webgpu: .+ \(webgpu in use\)$/);
    for (const parts of ['both', 'face', 'voice'] as const) {
      const gpu = (await onGpu.predict(clip(parts))).probabilities;
      const wasm = (await onWasm.predict(clip(parts))).probabilities;
      gpu.forEach((p, i) => {
        expect(Math.abs(p - wasm[i]!)).toBeLessThan(1e-4);
      });
    }
  });

  test('a lost GPU ends the recognizer in plain words', async (context) => {
    if (!(await hasWebgpu())) context.skip();
    // The worker as it is, but its GPU device can be destroyed from here, and word of that comes late: the computation
    // in progress fails before it.
    const prelude = `const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...all) {
        const device = await request.apply(this, all);
        const lost = device.lost.then((info) => new Promise((resolve) => setTimeout(resolve, 300, info)));
        Object.defineProperty(device, 'lost', { value: lost });
        new BroadcastChannel('lose-gpu').onmessage = () => device.destroy();
        return device;
      };`;
    const script = `import ${JSON.stringify(`data:text/javascript,${encodeURIComponent(prelude)}`)};
      import ${JSON.stringify(new URL('./worker.ts?worker_file&type=module', import.meta.url).href)};`;
    const recognizer = await open({
      backend: 'webgpu',
      createWorker: () =>
        new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' }),
    });
    const channel = new BroadcastChannel('lose-gpu');
    channel.postMessage(null);
    channel.close();
    let problem: Problem | undefined;
    // The destruction takes a moment to arrive; until then clips are still answered.
    while (problem === undefined) {
      problem = await recognizer.predict(clip('face')).then(
        () => undefined,
        (error: unknown) => error as Problem,
      );
    }
    expect(problem.kind).toBe('worker-failed');
    expect(problem.message).toContain('The graphics processor stopped answering');
  });
});

describe('opening', () => {
  test('a missing model', async () => {
    const { kind, message } = await problemOf(open({ modelUrl: `${folder}absent/` }));
    expect(kind).toBe('model-missing');
    expect(message).toContain('absent/manifest.json');
  });

  test('a broken model', async () => {
    const { kind, message } = await problemOf(open({ modelUrl: `${folder}broken/` }));
    expect(kind).toBe('model-invalid');
    expect(message).toContain('SHA-256');
  });
});

describe("the worker's death", () => {
  test('an error in it rejects loading', async () => {
    const { kind, message } = await problemOf(open({ createWorker: scripted('throw new Error("boom")') }));
    expect(kind).toBe('worker-failed');
    expect(message).toContain('boom');
  });

  test('a script that cannot be loaded', async () => {
    const createWorker = (): Worker => new Worker('/test-results/no-worker.js', { type: 'module' });
    const { kind } = await problemOf(open({ createWorker }));
    expect(kind).toBe('worker-failed');
  });

  test('silence while loading ends it', async () => {
    const createWorker = scripted('onmessage = () => {}');
    const { kind, message } = await problemOf(open({ createWorker, loadSilenceMs: 200 }));
    expect(kind).toBe('worker-failed');
    expect(message).toContain('did not answer');
  });

  test('a signal ends it in the middle of loading', async () => {
    const abort = new AbortController();
    const opening = problemOf(open({ createWorker: scripted('onmessage = () => {}'), signal: abort.signal }));
    abort.abort();
    expect((await opening).message).toBe('The recognizer was closed');
  });

  const loaded = `{ type: 'loaded', id: data.id, model: {}, backend: {} }`;

  test('an error while calls wait rejects them all, and every later one', async () => {
    const recognizer = await open({
      createWorker: scripted(`onmessage = ({ data }) => {
        if (data.type === 'load') postMessage(${loaded});
        else setTimeout(() => { throw new Error('boom'); });
      }`),
    });
    const problems = await Promise.all(
      [recognizer.predict(clip('both')), recognizer.predict(clip('face'))].map(problemOf),
    );
    problems.push(await problemOf(recognizer.predict(clip('voice'))));
    expect(problems.map(({ kind }) => kind)).toEqual(Array(3).fill('worker-failed'));
    expect(problems[2]!.message).toContain('boom');
  });

  test('terminated by something else, the watchdog notices', async () => {
    let worker: Worker | undefined;
    const recognizer = await open({
      createWorker: () => (worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })),
      predictMs: 300,
    });
    worker?.terminate();
    const { kind, message } = await problemOf(recognizer.predict(clip('both')));
    expect(kind).toBe('worker-failed');
    expect(message).toContain('did not answer for 0.3 s');
  });

  test('a worker that gives up (a lost GPU) is dead for every later call', async () => {
    const recognizer = await open({
      createWorker: scripted(`onmessage = ({ data }) => postMessage(data.type === 'load' ? ${loaded}
        : { type: 'failed', id: data.id, kind: 'worker-failed', message: 'The graphics processor stopped' })`),
    });
    expect((await problemOf(recognizer.predict(clip('both')))).message).toBe(
      'The graphics processor stopped',
    );
    expect((await problemOf(recognizer.predict(clip('both')))).kind).toBe('worker-failed');
  });

  test('closing rejects what waits; closing twice is fine', async () => {
    const recognizer = await open();
    const waiting = problemOf(recognizer.predict(clip('both')));
    recognizer.close();
    recognizer.close();
    expect((await waiting).kind).toBe('worker-failed');
    expect((await problemOf(recognizer.predict(clip('both')))).message).toBe('The recognizer was closed');
  });
});
