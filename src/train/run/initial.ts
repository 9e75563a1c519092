// The parameters that a run begins with: fresh, or another's where they have the same name.
import { Problem } from '../../base/errors.ts';
import { random } from '../../base/random.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { initialValues, parameterShapes } from '../../model/params.ts';
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
