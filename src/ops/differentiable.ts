// One door to tf.customGrad, so that every op frees what its forward and backward make on the way.
import { customGrad, dispose, engine, tidy } from '@tensorflow/tfjs-core';
import type { GradSaveFunc, NamedAttrMap, NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import type { KernelName } from './kernels.ts';

/**
 * `forward()` with a hand-written gradient.
 * @param inputs what gradients flow to; whatever else `forward` reads is a constant
 * @param saved what `backward` needs; kept until the gradients are done, and dropped at once when none are taken
 * @param backward gradients in the order of `inputs`, from the output's gradient and `saved`; none may be one of these
 *   itself (a reshape is fine)
 */
export function differentiable<T extends Tensor>(
  inputs: readonly Tensor[],
  forward: () => T,
  saved: readonly Tensor[],
  backward: (dy: T, saved: readonly Tensor[]) => Tensor[],
): T {
  return customGrad<T>((...args: (Tensor | GradSaveFunc)[]) => {
    const value = forward();
    (args.at(-1) as GradSaveFunc)([...saved]);
    const gradFunc = (dy: T, kept: Tensor[]): Tensor[] => {
      const gradients = tidy(() => backward(dy, kept));
      // Nothing reads them again, but tfjs would hold them until all gradients are done: half of a step's memory.
      dispose([dy, kept]);
      return gradients;
    };
    return { value, gradFunc };
  })(...inputs);
}

/** Runs the current backend's own kernel; see kernels.ts for its inputs, attributes and outputs. */
export function runKernel(name: KernelName, inputs: NamedTensorMap, attributes: NamedAttrMap = {}): Tensor[] {
  const outputs = engine().runKernel<Tensor | Tensor[]>(name, inputs, attributes);
  return Array.isArray(outputs) ? outputs : [outputs];
}
