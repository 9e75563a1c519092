// Numbers that never change, uploaded once per backend rather than at each use.
import { backend, keep, tensor } from '@tensorflow/tfjs-core';
import type { KernelBackend, Tensor } from '@tensorflow/tfjs-core';

const made = new WeakMap<KernelBackend, Map<string, Tensor>>();

/**
 * A float32 tensor that lives as long as the current backend; it is nobody's to dispose of.
 * @param name tells it from all others
 * @param values its numbers, called when the backend has not seen it yet
 */
export function constant(name: string, shape: readonly number[], values: () => Float32Array): Tensor {
  const current = backend();
  let own = made.get(current);
  if (own === undefined) made.set(current, (own = new Map<string, Tensor>()));
  let value = own.get(name);
  if (value === undefined) own.set(name, (value = keep(tensor(values(), [...shape], 'float32'))));
  return value;
}

/** How many the current backend holds: tests subtract them from tfjs' count of tensors. */
export function constantCount(): number {
  return made.get(backend())?.size ?? 0;
}
