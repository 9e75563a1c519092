// A loss's gradients by parameter name.
import { dispose, engine } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import type { Params } from './params.ts';

export interface Gradients {
  readonly loss: Scalar;
  /**
   * Gradients by parameter name. A parameter that the loss does not touch has none (the absent modality's encoder, for
   * example): treat it as zero.
   */
  readonly gradients: Params;
}

/**
 * The loss and its gradients; the caller disposes of both.
 * @param params differentiated for each of these; give fewer to freeze the others
 * @param computeLoss reads the same tensors, directly or through a larger record
 */
export function lossAndGradients(params: Params, computeLoss: () => Scalar): Gradients {
  const names = Object.keys(params);
  // tfjs' own `grads` refuses parameters without a gradient; the engine leaves them out.
  const { value, grads } = engine().gradients(computeLoss, Object.values(params));
  const gradients: Record<string, Tensor> = {};
  (grads as readonly (Tensor | null | undefined)[]).forEach((gradient, i) => {
    const name = names[i];
    if (gradient && name !== undefined) gradients[name] = gradient;
  });
  return { loss: value, gradients };
}

/** Frees what {@link lossAndGradients} returned. */
export function disposeGradients({ loss, gradients }: Gradients): void {
  dispose([loss, gradients]);
}
