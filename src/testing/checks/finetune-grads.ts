// Losses and every parameter's gradient of the micro fine-tuning model against the official code's.
import { dispose, tensor2d } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
import { Problem } from '../../base/errors.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { disposeGradients, lossAndGradients } from '../../model/gradients.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import { meanSquaredError, mixTargets, smoothTargets, softTargetCrossEntropy } from '../../model/losses.ts';
import { parameterShapes } from '../../model/params.ts';
import {
  asNumbers,
  asRecord,
  asTensorRecord,
  asText,
  compareNumber,
  compareRecord,
  formulaAudio,
  formulaVideo,
} from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';
import { formulaBatch, formulaParams } from './finetune.ts';

const classCount = 6;

interface Case {
  readonly config: HicmaeConfig;
  readonly targets: Float32Array;
  readonly loss: (outputs: Tensor2D, targets: Tensor2D) => Scalar;
}

async function run(fixture: unknown): Promise<Comparison[]> {
  const file = asRecord(fixture, 'the fixture');
  const salt = asText(file['salt'], 'salt');
  const batch = Number(file['batch']);
  const cases = asRecord(file['losses'], 'losses');
  const softTargets = mixedTargets(file);
  const comparisons: Comparison[] = [compareList('soft_targets', softTargets, file['soft_targets'])];
  for (const [name, value] of Object.entries(cases)) {
    const wanted = asRecord(value, name);
    comparisons.push(...(await runCase(name, lossCase(name, file, softTargets), wanted, salt, batch)));
  }
  return comparisons;
}

function mixedTargets(file: Readonly<Record<string, unknown>>): Float32Array {
  const labels = asNumbers(file['labels'], 'labels');
  const reversed = labels.map((_, i) => labels.length - 1 - i);
  const smoothed = smoothTargets(labels, classCount, Number(file['smoothing']));
  return mixTargets(smoothed, classCount, reversed, Number(file['mixup_lam']));
}

function lossCase(name: string, file: Readonly<Record<string, unknown>>, softTargets: Float32Array): Case {
  const labels = asNumbers(file['labels'], 'labels');
  const classification = { config: { ...sizes.micro, classCount }, loss: softTargetCrossEntropy } as const;
  switch (name) {
    case 'plain_ce':
      return { ...classification, targets: smoothTargets(labels, classCount, 0) };
    case 'label_smoothing':
      return { ...classification, targets: smoothTargets(labels, classCount, Number(file['smoothing'])) };
    case 'soft_target':
      return { ...classification, targets: softTargets };
    case 'tanh_mse':
      return {
        config: { ...sizes.micro, classCount: 3, headActivation: 'tanh' },
        targets: Float32Array.from(rows(file['mse_targets'], 'mse_targets').flat()),
        loss: meanSquaredError,
      };
    default:
      throw new Problem('unsupported-file', `loss ${name} is not known; update this check`);
  }
}

async function runCase(
  name: string,
  { config, targets, loss }: Case,
  wanted: Readonly<Record<string, unknown>>,
  salt: string,
  batch: number,
): Promise<Comparison[]> {
  const { video, audio } = config;
  const params = formulaParams(salt, parameterShapes(config));
  const inputs = formulaBatch(config, batch, {
    video: formulaVideo(salt, [batch, 3, video.frameCount, video.cropPx, video.cropPx]),
    audio: formulaAudio(salt, [batch, 1, audio.frameCount, audio.melBins]),
  });
  const target = tensor2d(targets, [batch, config.classCount]);
  const result = lossAndGradients(params, () =>
    loss(forwardClassify(params, config, inputs.video, inputs.audio), target),
  );
  try {
    const lossWanted = Number(wanted['loss_f64']);
    const lossTolerance = 10 * Math.abs(lossWanted - Number(wanted['loss_f32'])) + 1e-6;
    const [lossValue = NaN] = await result.loss.data();
    const comparisons = [compareNumber(`${name}: loss`, lossValue, lossWanted, lossTolerance)];
    let squares = 0;
    const records = asRecord(wanted['grads'], `${name}.grads`);
    for (const { name: parameterName, shape } of parameterShapes(config)) {
      const values = await (result.gradients[parameterName]?.data() ?? Promise.resolve(new Float32Array(0)));
      for (const value of values) squares += value * value;
      const record = asTensorRecord(records[parameterName], `${name}.grads.${parameterName}`);
      comparisons.push(compareRecord(`${name}: ${parameterName}`, { shape, values }, record));
    }
    const norm = Number(wanted['grad_total_norm_f64']);
    comparisons.push(
      compareNumber(`${name}: total gradient norm`, Math.sqrt(squares), norm, 1e-6 * norm + 1e-6),
    );
    return comparisons;
  } finally {
    disposeGradients(result);
    dispose([params, inputs.video.patches, inputs.audio.patches, target]);
  }
}

function rows(value: unknown, what: string): number[][] {
  if (!Array.isArray(value))
    throw new Problem('unsupported-file', `${what} is missing; wanted rows of numbers`);
  return value.map((row, i) => [...asNumbers(row, `${what}[${String(i)}]`)]);
}

function compareList(name: string, actual: ArrayLike<number>, wanted: unknown): Comparison {
  const list = rows(wanted, name).flat();
  const errors = list.map((value, i) => Math.abs((actual[i] ?? NaN) - value));
  const error = list.length === actual.length ? Math.max(...errors) : Infinity;
  return { tensor: name, error, tolerance: 1e-6 };
}

export const finetuneGradsCheck: GoldenCheck = {
  name: 'fine-tuning model, losses and gradients',
  covers: (fileName) => /^finetune_.*grads.*\.json$/.test(fileName),
  run,
};
