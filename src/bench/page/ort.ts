// onnxruntime-web running the same weights, from its own minified files as they are installed.
import type * as Ort from 'onnxruntime-web';
import { defined } from '../../base/assert.ts';
import { tokenCount } from '../../model/embed.ts';
import { fetchBytes, serveContender } from './serve.ts';

const folder = new URL('peers/ort/', self.location.origin).href;

let session: Ort.InferenceSession | null = null;
let feeds: Record<string, Ort.Tensor> = {};
let outputName = 'logits';

serveContender({
  async load({ backend, threads, task }, inputs) {
    const file = `${folder}${backend === 'wasm' ? 'ort.wasm.min.mjs' : 'ort.webgpu.min.mjs'}`;
    const ort = (await import(/* @vite-ignore */ file)) as typeof Ort;
    ort.env.wasm.wasmPaths = folder;
    ort.env.wasm.numThreads = threads;
    const model = new Uint8Array(await fetchBytes(task.onnxUrl));
    session = await ort.InferenceSession.create(model, {
      executionProviders: [backend],
      graphOptimizationLevel: 'all',
    });
    const { config, batch } = task;
    const { video, audio } = config;
    if (task.what === 'model') {
      const sides = [video.frameCount, video.cropPx, video.cropPx, 3];
      feeds = {
        frames: new ort.Tensor('float32', inputs.frames, [batch, ...sides]),
        mel: new ort.Tensor('float32', inputs.mel, [batch, audio.frameCount, audio.melBins]),
      };
      outputName = 'logits';
    } else {
      const dims = [batch, tokenCount(config, 'video'), config.width];
      feeds = { x: new ort.Tensor('float32', inputs.tokens, dims) };
      outputName = 'y';
    }
    const got = ort.env.wasm.numThreads;
    if (got !== threads) throw new Error(`onnxruntime-web started ${String(got)} threads`);
    return `onnxruntime-web ${ort.env.versions.web ?? ''} ${backend}, ${String(got)} threads`;
  },
  async run() {
    const outputs = await defined(session, 'session').run(feeds, [outputName]);
    const output = defined(outputs[outputName], outputName);
    const data = (await output.getData()) as Float32Array;
    const values = data.slice();
    output.dispose();
    return values;
  },
  async dispose() {
    await session?.release();
    session = null;
  },
});
