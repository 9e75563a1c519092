// AdamW over one flat array, in the order of PyTorch's update: decay, moments, bias-corrected step.

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** The fine-tuning recipe's constants. */
const officialAdamW: AdamWOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** One tensor's place in the flat arrays, with its own learning rate and decay. */
export interface FlatRange {
  readonly offset: number;
  readonly length: number;
  readonly learningRate: number;
  readonly weightDecay: number;
}

/**
 * One update in place of params and both moments.
 * @param step counts from 1
 */
export function adamwStep(
  params: Float32Array,
  gradients: Float32Array,
  moment1: Float32Array,
  moment2: Float32Array,
  ranges: readonly FlatRange[],
  step: number,
  options: AdamWOptions = officialAdamW,
): void {
  const { beta1, beta2, epsilon } = options;
  const correction1 = 1 - beta1 ** step;
  const correction2 = Math.sqrt(1 - beta2 ** step);
  for (const { offset, length, learningRate, weightDecay } of ranges) {
    const keep = 1 - learningRate * weightDecay;
    const stepSize = learningRate / correction1;
    for (let i = offset; i < offset + length; i++) {
      const g = gradients[i] as number;
      const m = beta1 * (moment1[i] as number) + (1 - beta1) * g;
      const v = beta2 * (moment2[i] as number) + (1 - beta2) * g * g;
      moment1[i] = m;
      moment2[i] = v;
      params[i] = (params[i] as number) * keep - (stepSize * m) / (Math.sqrt(v) / correction2 + epsilon);
    }
  }
}
