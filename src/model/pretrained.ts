// Which of a checkpoint's weights a fine-tuning model begins with.
import { Problem } from '../base/errors.ts';
import type { ParameterShape } from './params.ts';

/** Names of parameters. */
export interface LoadingPlan {
  /** Copied by their own name. */
  readonly loaded: readonly string[];
  /** Of the model; the checkpoint does not have them (or has a head for other classes), so they stay as they began. */
  readonly initial: readonly string[];
  /** Of the checkpoint; the model does not have them: decoders and what belongs to them, of pre-training. */
  readonly ignored: readonly string[];
}

/**
 * What is loaded, as in the official code: everything of the same name, whether the checkpoint is of pre-training or of
 * fine-tuning; nothing is renamed. A head of other shape is left out.
 * @param model the model's parameters (parameterShapes)
 * @param checkpoint the checkpoint's
 * @throws Problem when a parameter other than the head's has another shape, or nothing would be loaded
 */
export function planLoading(
  model: readonly ParameterShape[],
  checkpoint: readonly ParameterShape[],
): LoadingPlan {
  const wanted = new Map(model.map(({ name, shape }) => [name, shape]));
  const loaded = new Set<string>();
  const ignored: string[] = [];
  for (const { name, shape } of checkpoint) {
    const own = wanted.get(name);
    if (own === undefined) ignored.push(name);
    else if (own.join() === shape.join()) loaded.add(name);
    else if (name === 'head.weight' || name === 'head.bias') ignored.push(name);
    else {
      throw new Problem(
        'unsupported-file',
        `the checkpoint's ${name} is [${shape.join()}], the model's [${own.join()}]; choose the size that the checkpoint was trained at`,
      );
    }
  }
  if (loaded.size === 0) {
    throw new Problem(
      'unsupported-file',
      `none of the checkpoint's ${String(checkpoint.length)} entries is one of the model's parameters (${model[0]?.name ?? 'none'}, ...); wanted a HiCMAE checkpoint`,
    );
  }
  return {
    loaded: [...loaded],
    initial: model.map(({ name }) => name).filter((name) => !loaded.has(name)),
    ignored,
  };
}
