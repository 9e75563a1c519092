// The same random weights for every contender: a flat file for ours and stock tfjs, an ONNX file for onnxruntime-web.
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { random } from '../base/random.ts';
import { sizes } from '../model/config.ts';
import type { HicmaeConfig, SizeName } from '../model/config.ts';
import { tokenCount } from '../model/embed.ts';
import { parameterShapes } from '../model/params.ts';
import { initialFlat, slotsOf } from '../train/trainer/flat-params.ts';
import type { AttentionForm } from '../train/weights/onnx-layers.ts';
import { onnxBlock, onnxModel } from '../train/weights/onnx.ts';
import type { Task } from './page/protocol.ts';

const seed = 7;
let made = 0;

/** A task with its files on the server; `remove` deletes them. */
export interface MadeTask {
  readonly task: Task;
  remove(): Promise<void>;
}

/** A size with the classes that nano has. */
export function configOf(size: SizeName): HicmaeConfig {
  return { ...sizes[size], classCount: 7 };
}

/** Xavier weights; biases, which start at zero, get values that a wrong bias would show with. */
function randomWeights(config: HicmaeConfig): Float32Array<SharedArrayBuffer> {
  const flat = initialFlat(config, seed);
  const source = random(seed + 1);
  for (const { shape, offset, length } of slotsOf(parameterShapes(config)).slots) {
    if (shape.length > 1) continue;
    for (let i = offset; i < offset + length; i++) flat[i] = (flat[i] ?? 0) + 0.1 * source.normal();
  }
  return flat;
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stream = createWriteStream(path);
    stream.on('error', reject).on('finish', resolve);
    stream.end(bytes);
  });
}

/**
 * Writes weights and exported model.
 * @param folder where, served as `data/`
 * @param what see Task
 * @param attention the exported model's: the form that suits onnxruntime-web's backend best (train/weights/onnx-layers.ts)
 */
export async function makeTask(
  folder: string,
  what: Task['what'],
  config: HicmaeConfig,
  { batch = 1, attention = 'standard' }: { batch?: number; attention?: AttentionForm } = {},
): Promise<MadeTask> {
  const flat = randomWeights(config);
  const { slots } = slotsOf(parameterShapes(config));
  const tensors = Object.fromEntries(
    slots.map(({ name, shape, offset, length }) => [
      name,
      {
        shape,
        data: new Float32Array(flat.buffer, offset * 4, length) as unknown as Float32Array<ArrayBuffer>,
      },
    ]),
  );
  const size = { width: config.width, heads: config.heads, tokens: tokenCount(config, 'video') };
  const onnx =
    what === 'model'
      ? onnxModel(config, tensors, { batch, attention })
      : onnxBlock(tensors, 'encoder.blocks.0', size, { batch, attention });
  // A new name each time, so that no cache answers.
  const name = `${what}-${config.width}-${++made}`;
  await write(join(folder, `${name}.bin`), new Uint8Array(flat.buffer));
  await write(join(folder, `${name}.onnx`), onnx);
  return {
    task: { what, config, batch, slots, weightsUrl: `data/${name}.bin`, onnxUrl: `data/${name}.onnx` },
    remove: async () => {
      await rm(join(folder, `${name}.bin`), { force: true });
      await rm(join(folder, `${name}.onnx`), { force: true });
    },
  };
}
