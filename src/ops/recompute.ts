// Memory for time: a part of the model keeps only its inputs for the backward pass, and runs again there.
import { engine } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { defined } from '../base/assert.ts';
import { differentiable } from './differentiable.ts';

/**
 * `forward(inputs)`, of which the tape keeps nothing but the inputs.
 * @param inputs what gradients flow to; each must matter to the output
 * @param forward built from differentiable ops; must give the same each time, and read tensors through its argument only
 *   (others may be gone when it runs again)
 */
export function recomputed<T extends Tensor>(
  inputs: readonly Tensor[],
  forward: (inputs: readonly Tensor[]) => T,
): T {
  return differentiable<T>(
    inputs,
    () => forward(inputs),
    inputs,
    (dy, saved) => gradientsOf(forward, saved, dy),
  );
}

function gradientsOf<T extends Tensor>(
  forward: (inputs: readonly Tensor[]) => T,
  inputs: readonly Tensor[],
  dy: T,
): Tensor[] {
  const { state } = engine();
  // tfjs has one tape, and this runs while the outer one is read.
  const outer = state.activeTape;
  try {
    const { grads } = engine().gradients(() => forward(inputs), [...inputs], dy);
    return (grads as readonly (Tensor | undefined)[]).map((gradient, i) =>
      defined(gradient, `gradient of input ${String(i)}`),
    );
  } finally {
    state.activeTape = outer;
  }
}
