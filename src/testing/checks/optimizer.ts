// Schedules and three AdamW steps of the micro fine-tuning model against the official code's.
import { dispose, tensor2d } from '@tensorflow/tfjs-core';
import { sizes } from '../../model/config.ts';
import { disposeGradients, lossAndGradients } from '../../model/gradients.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import { mixTargets, smoothTargets, softTargetCrossEntropy } from '../../model/losses.ts';
import { parameterGroups, parameterShapes } from '../../model/params.ts';
import { createAdamW } from '../../train/adamw.ts';
import { rangesOf, slotsOf, tensorsOf } from '../../train/flat-params.ts';
import { cosineAt } from '../../train/schedule.ts';
import {
  asNumbers,
  asRecord,
  asTensorRecord,
  asText,
  compareNumber,
  compareRecord,
  formulaAudio,
  formulaParameter,
  formulaVideo,
  worst,
} from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';
import { formulaBatch } from './finetune.ts';

const classCount = 6;
/** The batch of finetune_micro_grads.json's soft_target. */
const soft = { batch: 2, labels: [1, 4], smoothing: 0.1, lambda: 0.7 };

function schedules(value: unknown): Comparison[] {
  return Object.entries(asRecord(value, 'cosine_schedules')).flatMap(([name, entry]) => {
    const wanted = asRecord(entry, name);
    // Weight decay is constant in our trainer: there is no schedule of it to compare.
    if (wanted['base'] === undefined) return [];
    const perEpoch = Number(wanted['steps_per_epoch']);
    const schedule = {
      base: Number(wanted['base']),
      floor: Number(wanted['final']),
      warmupSteps: Number(wanted['warmup_epochs']) * perEpoch,
      totalSteps: Number(wanted['epochs']) * perEpoch,
    };
    const values = Object.entries(asRecord(wanted['values'], `${name}.values`));
    const errors = values.map(
      ([step, lr]) => Math.abs(cosineAt(schedule, Number(step)) - Number(lr)) / schedule.base,
    );
    return [{ tensor: `${name}: learning rate (relative to base)`, error: worst(errors), tolerance: 1e-12 }];
  });
}

async function threeSteps(
  salt: string,
  name: string,
  value: unknown,
  adamw: Readonly<Record<string, unknown>>,
): Promise<Comparison[]> {
  const wanted = asRecord(value, name);
  const config = { ...sizes.micro, classCount };
  const { slots, total } = slotsOf(parameterShapes(config));
  const optimizer = await createAdamW();
  const flat = optimizer.floats(total);
  for (const slot of slots) flat.set(formulaParameter(salt, slot.name, slot.shape), slot.offset);
  const gradients = optimizer.floats(total);
  const arrays = {
    params: flat,
    gradients,
    moment1: optimizer.floats(total),
    moment2: optimizer.floats(total),
  };
  const groups = rangesOf(
    slots,
    parameterGroups(config, Number(adamw['layer_decay'])),
    Number(adamw['weight_decay']),
  );
  const [beta1 = NaN, beta2 = NaN] = asNumbers(adamw['betas'], 'betas');
  const { video, audio } = config;
  const inputs = formulaBatch(config, soft.batch, {
    video: formulaVideo(salt, [soft.batch, 3, video.frameCount, video.cropPx, video.cropPx]),
    audio: formulaAudio(salt, [soft.batch, 1, audio.frameCount, audio.melBins]),
  });
  const reversed = soft.labels.map((_, i) => soft.labels.length - 1 - i);
  const targets = mixTargets(
    smoothTargets(soft.labels, classCount, soft.smoothing),
    classCount,
    reversed,
    soft.lambda,
  );
  const target = tensor2d(targets, [soft.batch, classCount]);
  const losses = asNumbers(wanted['losses_f64'], 'losses_f64');
  const losses32 = asNumbers(wanted['losses_f32'], 'losses_f32');
  const norms = asNumbers(wanted['grad_norms_f64'], 'grad_norms_f64');
  const comparisons: Comparison[] = [];
  const rates = asNumbers(wanted['lr_values'], 'lr_values');
  for (const [step, rate] of rates.entries()) {
    const params = tensorsOf(flat, slots);
    const result = lossAndGradients(params, () =>
      softTargetCrossEntropy(forwardClassify(params, config, inputs.video, inputs.audio), target),
    );
    const [loss = NaN] = await result.loss.data();
    let squares = 0;
    for (const slot of slots) {
      const slope = await result.gradients[slot.name]?.data<'float32'>();
      gradients.set(slope ?? new Float32Array(slot.length), slot.offset);
    }
    for (const slope of gradients) squares += slope * slope;
    disposeGradients(result);
    dispose(params);
    const lossWanted = losses[step] ?? NaN;
    const lossTolerance = 10 * Math.abs(lossWanted - (losses32[step] ?? NaN)) + 1e-5;
    comparisons.push(compareNumber(`${name}: loss ${String(step)}`, loss, lossWanted, lossTolerance));
    const norm = norms[step] ?? NaN;
    // Adam divides by |g|: after the first step tiny gradients have made differences of their own.
    comparisons.push(
      compareNumber(`${name}: gradient norm ${String(step)}`, Math.sqrt(squares), norm, 1e-4 * norm),
    );
    const ranges = groups.map((group) => ({ ...group, learningRate: group.learningRate * rate }));
    optimizer.step(arrays, ranges, step + 1, {
      beta1,
      beta2,
      epsilon: Number(adamw['eps']),
    });
  }
  dispose([inputs.video.patches, inputs.audio.patches, target]);
  const after = asRecord(wanted['params_after_3_steps'], `${name}.params_after_3_steps`);
  for (const slot of slots) {
    const record = asTensorRecord(after[slot.name], slot.name);
    const values = flat.subarray(slot.offset, slot.offset + slot.length);
    // The fixtures' README: elements with a gradient near 1e-8 are ill-conditioned, so 1e-4.
    comparisons.push(compareRecord(`${name}: ${slot.name}`, { shape: slot.shape, values }, record, 1e-4));
  }
  return comparisons;
}

export const optimizerCheck: GoldenCheck = {
  name: 'optimizer and schedules',
  covers: (fileName) => fileName === 'optimizer.json',
  run: async (fixture) => {
    const file = asRecord(fixture, 'the fixture');
    const salt = asText(file['salt'], 'salt');
    const adamw = asRecord(file['adamw'], 'adamw');
    const comparisons = schedules(file['cosine_schedules']);
    // The file's pre-training steps are not covered: there is no pre-training here yet.
    for (const name of ['constant_lr_1e-3', 'short_schedule_first_3_steps']) {
      comparisons.push(...(await threeSteps(salt, name, file[name], adamw)));
    }
    return comparisons;
  },
};
