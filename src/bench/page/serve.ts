// A contender's worker: load, run, dispose. It counts what the contender cannot know: wasm memory and dispatches.
import { random } from '../../base/random.ts';
import { tokenCount } from '../../model/embed.ts';
import type { Answer, LoadRequest, Reply, Request, Task } from './protocol.ts';

/** Inputs of a task: what it names; the rest is empty. */
export interface Inputs {
  /** [B, T, H, W, 3] */
  readonly frames: Float32Array;
  /** [B, F, M] */
  readonly mel: Float32Array;
  /** [B, Nv, D], of `block`. */
  readonly tokens: Float32Array;
}

/** What one runtime does with a task. */
export interface Contender {
  /** Loads backend and weights; says what runs. */
  load(request: LoadRequest, inputs: Inputs): Promise<string>;
  /** One forward pass: the classifier's logits (each clip's may be off by a constant) or the block's tokens. */
  run(): Promise<Float32Array>;
  dispose(): Promise<void> | void;
}

const seed = 20_240_401;

/** The same numbers in every worker: normal, deviation 1, as normalized frames and spectrograms about are. */
function inputsOf({ what, config, batch }: Task): Inputs {
  const source = random(seed);
  const draw = (length: number): Float32Array =>
    Float32Array.from({ length: batch * length }, () => source.normal());
  const { video, audio } = config;
  return {
    frames: draw(what === 'model' ? video.frameCount * video.cropPx ** 2 * 3 : 0),
    mel: draw(what === 'model' ? audio.frameCount * audio.melBins : 0),
    tokens: draw(what === 'block' ? tokenCount(config, 'video') * config.width : 0),
  };
}

const memories = new Set<WebAssembly.Memory>();
let dispatches = 0;

/** Sees every WebAssembly memory that is made or exported from here on. */
function watchMemories(): void {
  const keep = (instance: WebAssembly.Instance): void => {
    for (const value of Object.values(instance.exports)) {
      if (value instanceof WebAssembly.Memory) memories.add(value);
    }
  };
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(target, parameters: [WebAssembly.MemoryDescriptor]) {
      const memory = new target(...parameters);
      memories.add(memory);
      return memory;
    },
  });
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
    construct(target, parameters: ConstructorParameters<typeof WebAssembly.Instance>) {
      const instance = new target(...parameters);
      keep(instance);
      return instance;
    },
  });
  for (const name of ['instantiate', 'instantiateStreaming'] as const) {
    const original = WebAssembly[name] as (...parameters: unknown[]) => Promise<unknown>;
    const watched = async (...parameters: unknown[]): Promise<unknown> => {
      const made = await original.apply(WebAssembly, parameters);
      keep(
        made instanceof WebAssembly.Instance ? made : (made as { instance: WebAssembly.Instance }).instance,
      );
      return made;
    };
    Object.defineProperty(WebAssembly, name, { value: watched });
  }
}

function watchDispatches(): void {
  if (typeof GPUComputePassEncoder === 'undefined') return;
  for (const name of ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect'] as const) {
    const original: unknown = Reflect.get(GPUComputePassEncoder.prototype, name);
    const counted = new Proxy(original as (...parameters: number[]) => undefined, {
      apply(target, pass, parameters: number[]) {
        dispatches++;
        Reflect.apply(target, pass, parameters);
      },
    });
    Object.defineProperty(GPUComputePassEncoder.prototype, name, { value: counted });
  }
}

/** Each row less its mean, so that logits compare with logarithms of probabilities. */
function centered(values: Float32Array, rows: number): Float32Array {
  const width = values.length / rows;
  return values.map((value, i) => {
    const first = Math.floor(i / width) * width;
    return value - values.subarray(first, first + width).reduce((a, b) => a + b, 0) / width;
  });
}

/** Answers the page's requests, in turn. */
export function serveContender(contender: Contender): void {
  watchMemories();
  watchDispatches();
  let task: Task | null = null;
  const answer = async (request: Request): Promise<Answer> => {
    switch (request.type) {
      case 'load':
        task = request.task;
        return { type: 'loaded', detail: await contender.load(request, inputsOf(request.task)) };
      case 'run': {
        if (task === null) throw new Error('internal: run before load');
        dispatches = 0;
        const begun = performance.now();
        const output = await contender.run();
        const ms = performance.now() - begun;
        const wasmBytes = [...memories].reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
        return {
          type: 'ran',
          ms,
          output: task.what === 'model' ? centered(output, task.batch) : output,
          wasmBytes,
          dispatches,
        };
      }
      case 'dispose':
        await contender.dispose();
        return { type: 'disposed' };
    }
  };
  self.onmessage = ({ data }: MessageEvent<Request>) => {
    void (async () => {
      let reply: Reply;
      try {
        reply = await answer(data);
      } catch (error) {
        reply = { type: 'failed', message: error instanceof Error ? error.message : String(error) };
      }
      self.postMessage(reply);
    })();
  };
}

/** The task's weights by name. @throws Error when they are not there */
export async function fetchWeights({ weightsUrl, slots }: Task): Promise<Map<string, Float32Array>> {
  const bytes = await fetchBytes(weightsUrl);
  return new Map(
    slots.map(({ name, offset, length }) => [name, new Float32Array(bytes, offset * 4, length)]),
  );
}

export async function fetchBytes(url: string): Promise<ArrayBuffer> {
  const answer = await fetch(new URL(url, self.location.origin));
  if (!answer.ok) throw new Error(`${url}: ${String(answer.status)}`);
  return answer.arrayBuffer();
}
