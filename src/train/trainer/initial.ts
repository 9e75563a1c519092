// The parameters that a run begins with: fresh, or another's where they have the same name.
import { defined } from '../../base/assert.ts';
import { Problem } from '../../base/errors.ts';
import { random } from '../../base/random.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { encoderPrefix, encoderShapes, initialValues, parameterShapes } from '../../model/params.ts';
import type { ParameterShape } from '../../model/params.ts';
import type { PretrainConfig } from '../../model/pretrain-config.ts';
import { initialPretrainValues, pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { planLoading } from '../../model/pretrained.ts';
import { flatOf, slotsOf } from './flat-params.ts';
import { readWeights } from '../weights/read-weights.ts';
import { widened } from './widen.ts';

async function begin(
  shapes: readonly ParameterShape[],
  valuesOf: (name: string, shape: readonly number[]) => Float32Array,
  from: string | undefined,
  say: (line: string) => void,
): Promise<Float32Array> {
  const { slots } = slotsOf(shapes);
  const flat = flatOf(slots, valuesOf);
  if (from === undefined) return flat;
  const { tensors } = await readWeights(from);
  const checkpoint = Object.entries(tensors).map(([name, { shape }]) => ({ name, shape }));
  const plan = planLoading(shapes, checkpoint);
  const loaded = new Set(plan.loaded);
  for (const { name, offset } of slots) {
    const tensor = tensors[name];
    if (tensor && loaded.has(name)) flat.set(tensor.data, offset);
  }
  const some = plan.initial.slice(0, 6).join(', ') + (plan.initial.length > 6 ? ', ...' : '');
  say(
    `from ${from}: ${String(plan.loaded.length)} parameters taken over, ${String(plan.initial.length)} begin fresh (${some || 'none'}), ${String(plan.ignored.length)} not used`,
  );
  return flat;
}

/**
 * The parameters of a narrower model, widened; see widen.ts.
 * @param narrow where its weights are
 * @throws Problem when it is not fine-tuned, or cannot be widened to this
 */
export async function initialWidened(
  config: HicmaeConfig,
  narrow: string,
  seed: number,
  say: (line: string) => void,
): Promise<Float32Array> {
  const weights = await readWeights(narrow);
  if (weights.kind !== 'finetune') {
    throw new Problem(
      'unsupported-file',
      `${narrow} holds pre-trained weights; --widen takes fine-tuned ones.`,
    );
  }
  const valuesOf = widened(weights.tensors, weights.config, config, random(seed));
  say(`from ${narrow}: width ${String(weights.config.width)} widened to ${String(config.width)}`);
  return flatOf(slotsOf(parameterShapes(config)).slots, valuesOf);
}

/**
 * Makes the voices' encoder a copy of the faces': after training on pictures a transformer reads spectrograms sooner than from
 * fresh weights (as AST, Gong et al. 2021, arXiv 2104.01778, begins with a picture model). The faces' filters are summed over
 * frames and colors and stretched to the voices' patches, so that an even patch gives what it gave.
 * @param flat all parameters, in place
 * @throws Problem when the side of a voice's patch is no multiple of a face's
 */
export function beginVoicesAsFaces(flat: Float32Array, config: HicmaeConfig): void {
  const slots = new Map(slotsOf(parameterShapes(config)).slots.map((slot) => [slot.name, slot]));
  const valuesOf = (name: string): Float32Array => {
    const { offset, length } = defined(slots.get(name), name);
    return flat.subarray(offset, offset + length);
  };
  const { tubeletFrames, patchPx } = config.video;
  const side = config.audio.patchSize;
  const factor = side / patchPx;
  if (!Number.isInteger(factor)) {
    throw new Problem(
      'unsupported-file',
      `Voices cannot begin as faces: a voice's patch is ${String(side)} wide, no multiple of a face's ${String(patchPx)}.`,
    );
  }
  const [faces, voices] = [encoderPrefix('video'), encoderPrefix('audio')];
  for (const { name } of encoderShapes(config, 'audio')) {
    const from = valuesOf(`${faces}${name.slice(voices.length)}`);
    const to = valuesOf(name);
    if (!name.endsWith('patch_embed.proj.weight')) {
      to.set(from);
      continue;
    }
    const planes = 3 * tubeletFrames;
    const area = patchPx ** 2;
    for (let at = 0; at < to.length; at++) {
      const channel = Math.floor(at / side ** 2);
      const y = Math.floor(Math.floor((at % side ** 2) / side) / factor);
      const x = Math.floor((at % side) / factor);
      let sum = 0;
      for (let plane = 0; plane < planes; plane++)
        sum += from[(channel * planes + plane) * area + y * patchPx + x]!;
      to[at] = sum / factor ** 2;
    }
  }
  valuesOf('audio_layer_weights').set(valuesOf('video_layer_weights'));
}

/** @param from weights to start from; without any, linear layers begin as pre-training's (Xavier), which trains from scratch */
export function initialFinetune(
  config: HicmaeConfig,
  from: string | undefined,
  seed: number,
  say: (line: string) => void,
): Promise<Float32Array> {
  const encoders = from === undefined ? 'xavier' : 'normal';
  const draw = random(seed);
  return begin(
    parameterShapes(config),
    (name, shape) => initialValues(name, shape, config, draw, encoders),
    from,
    say,
  );
}

export function initialPretrain(
  config: PretrainConfig,
  from: string | undefined,
  seed: number,
  say: (line: string) => void,
): Promise<Float32Array> {
  const draw = random(seed);
  return begin(
    pretrainParameterShapes(config),
    (name, shape) => initialPretrainValues(name, shape, config, draw),
    from,
    say,
  );
}
