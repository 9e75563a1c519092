// Our model code on whatever tfjs backend runs: what `ours` and `tfjs` share, so that only the backend differs.
import { dispose, tensor, tensor3d, tidy } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { defined } from '../../base/assert.ts';
import { audioPatches, tokenCount, videoPatches } from '../../model/embed.ts';
import { block } from '../../model/layers.ts';
import { predict } from '../../model/predict.ts';
import { fetchWeights } from './serve.ts';
import type { Contender, Inputs } from './serve.ts';
import type { LoadRequest, Task } from './protocol.ts';

/** The video encoder's first block, as the model names it. */
const blockName = 'encoder.blocks.0';

/** A contender that runs the model on the backend that `start` makes current. */
export function modelContender(start: (request: LoadRequest) => Promise<string>): Contender {
  let task: Task;
  let inputs: Inputs;
  let params: Record<string, Tensor> = {};
  return {
    async load(request, given) {
      ({ task } = request);
      inputs = given;
      const detail = await start(request);
      const values = await fetchWeights(task);
      for (const { name, shape } of task.slots) {
        if (task.what === 'block' && !name.startsWith(`${blockName}.`)) continue;
        params[name] = tensor(defined(values.get(name), name), [...shape], 'float32');
      }
      return detail;
    },
    run: () => (task.what === 'model' ? classify() : oneBlock()),
    dispose() {
      dispose(params);
      params = {};
    },
  };

  async function classify(): Promise<Float32Array> {
    const { config, batch } = task;
    const part = (values: Float32Array, clip: number): Float32Array =>
      values.subarray((clip * values.length) / batch, ((clip + 1) * values.length) / batch);
    const clips = Array.from({ length: batch }, (_, clip) => ({
      video: videoPatches(part(inputs.frames, clip), config),
      audio: audioPatches(part(inputs.mel, clip), config),
    }));
    const probabilities = await predict(params, config, clips);
    return Float32Array.from(
      probabilities.flatMap((row) => Array.from(row)),
      Math.log,
    );
  }

  async function oneBlock(): Promise<Float32Array> {
    const { config, batch } = task;
    const tokens = tidy(() => {
      const x = tensor3d(inputs.tokens, [batch, tokenCount(config, 'video'), config.width]);
      return block(params, blockName, x, config.heads, 0, {});
    });
    try {
      return await tokens.data<'float32'>();
    } finally {
      tokens.dispose();
    }
  }
}
