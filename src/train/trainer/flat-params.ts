// All parameters as one flat array, so that threads share them and the optimizer is one loop.
import { backend, tensor } from '@tensorflow/tfjs-core';
import { defined } from '../../base/assert.ts';
import { random } from '../../base/random.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { initialValues, parameterShapes } from '../../model/params.ts';
import type { ParameterGroup, ParameterShape, Params } from '../../model/params.ts';
import { WasmBackend } from '../../ops/wasm/heap-backend.ts';
import type { FlatRange } from './adamw.ts';
import { sharedFloats } from '../base/shared-array.ts';
import type { SharedFloats } from '../base/shared-array.ts';

/** A parameter's place in the flat array. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** Where every parameter lies, in the order given. */
export function slotsOf(shapes: readonly ParameterShape[]): {
  readonly slots: readonly Slot[];
  readonly total: number;
} {
  let total = 0;
  const slots = shapes.map(({ name, shape }) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const slot = { name, shape, offset: total, length };
    total += length;
    return slot;
  });
  return { slots, total };
}

/**
 * One flat array of what each parameter begins with.
 * @param valuesOf is called for each in order
 */
export function flatOf(
  slots: readonly Slot[],
  valuesOf: (name: string, shape: readonly number[]) => Float32Array,
): SharedFloats {
  const last = slots.at(-1);
  const flat = sharedFloats(last ? last.offset + last.length : 0);
  for (const { name, shape, offset } of slots) flat.set(valuesOf(name, shape), offset);
  return flat;
}

/** Fresh parameters to fine-tune from scratch. */
export function initialFlat(config: HicmaeConfig, seed: number): SharedFloats {
  const draw = random(seed);
  return flatOf(slotsOf(parameterShapes(config)).slots, (name, shape) =>
    initialValues(name, shape, config, draw, 'xavier'),
  );
}

/** Each parameter's place, learning rate factor and weight decay. */
export function rangesOf(
  slots: readonly Slot[],
  groups: ReadonlyMap<string, ParameterGroup>,
  weightDecay: number,
): FlatRange[] {
  return slots.map(({ name, offset, length }) => {
    const { lrScale, decayed } = defined(groups.get(name), `group of ${name}`);
    return { offset, length, learningRate: lrScale, weightDecay: decayed ? weightDecay : 0 };
  });
}

/** Tensors of the flat array's present values. The caller disposes of them. */
export function tensorsOf(flat: Float32Array, slots: readonly Slot[]): Params {
  return Object.fromEntries(
    slots.map(({ name, shape, offset, length }) => [
      name,
      // No copy: both backends that train make their own at once, or before the step ends.
      tensor(flat.subarray(offset, offset + length), [...shape], 'float32'),
    ]),
  );
}

/**
 * Gradients into one flat array; parameters without one get zeros.
 * @param add adds to what is there
 */
export async function readGradients(
  gradients: Params,
  slots: readonly Slot[],
  into: Float32Array,
  add = false,
): Promise<void> {
  const current: unknown = backend();
  const put = (values: Float32Array, offset: number): void => {
    if (!add) into.set(values, offset);
    else for (let i = 0; i < values.length; i++) into[offset + i]! += values[i]!;
  };
  // A GPU answers later, so it is asked for all at once.
  const reads: Promise<void>[] = [];
  for (const { name, offset, length } of slots) {
    const gradient = gradients[name];
    if (gradient === undefined) {
      if (!add) into.fill(0, offset, offset + length);
    } else if (current instanceof WasmBackend) put(current.view(gradient), offset);
    else {
      reads.push(
        gradient.data<'float32'>().then((values) => {
          put(values, offset);
        }),
      );
    }
  }
  await Promise.all(reads);
}
