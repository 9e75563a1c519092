// Schedules and three AdamW steps of the micro models against the official code's.
import { dispose, tensor2d } from '@tensorflow/tfjs-core';
import type { Scalar } from '@tensorflow/tfjs-core';
import { sizes } from '../../model/config.ts';
import { disposeGradients, lossAndGradients } from '../../model/gradients.ts';
import { forwardClassify } from '../../model/hicmae.ts';
import { mixTargets, smoothTargets, softTargetCrossEntropy } from '../../model/losses.ts';
import { parameterGroups, parameterShapes } from '../../model/params.ts';
import type { ParameterGroup, ParameterShape, Params } from '../../model/params.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import { pretrainParameterGroups, pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { pretrainLosses } from '../../model/pretrain.ts';
import { createAdamW } from '../../train/trainer/adamw.ts';
import { rangesOf, slotsOf, tensorsOf } from '../../train/trainer/flat-params.ts';
import { cosineAt } from '../../train/trainer/schedule.ts';
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
  vectorLength,
  worst,
} from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';
import { formulaBatch } from './finetune.ts';
import { disposeBatch, formulaClips, formulaPretrainBatch } from './pretrain.ts';

const classCount = 6;
/** The batch of finetune_micro_grads.json's soft_target. */
const soft = { batch: 2, labels: [1, 4], smoothing: 0.1, lambda: 0.7 };
/** Places that pretrain_micro.json leaves visible. */
const pretrainVisible = { video: 1, audio: 2 };
/** Of an update's length, relative; as the gradients' norms above. */
const updateTolerance = 1e-4;

type Entries = Readonly<Record<string, unknown>>;

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

/** A model whose steps a fixture has: its parameters, how they are optimized, and its loss on one batch. */
interface Trained {
  readonly shapes: readonly ParameterShape[];
  readonly groups: ReadonlyMap<string, ParameterGroup>;
  readonly lossOf: (params: Params) => Scalar;
  /** Frees the batch. */
  readonly close: () => void;
}

function finetuned(salt: string, adamw: Entries): Trained {
  const config = { ...sizes.micro, classCount };
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
  return {
    shapes: parameterShapes(config),
    groups: parameterGroups(config, Number(adamw['layer_decay'])),
    lossOf: (params) =>
      softTargetCrossEntropy(forwardClassify(params, config, inputs.video, inputs.audio), target),
    close: () => {
      dispose([inputs.video.patches, inputs.audio.patches, target]);
    },
  };
}

function pretrained(salt: string, batchSize: number): Trained {
  const config = pretrainSizes.micro;
  const batch = formulaPretrainBatch(config, formulaClips(salt, config, batchSize, pretrainVisible));
  return {
    shapes: pretrainParameterShapes(config),
    groups: pretrainParameterGroups(config),
    lossOf: (params) => {
      const { loss, parts } = pretrainLosses(params, config, batch);
      dispose(Object.values(parts).filter((part) => part !== null));
      return loss;
    },
    close: () => {
      disposeBatch(batch);
    },
  };
}

async function threeSteps(
  salt: string,
  name: string,
  wanted: Entries,
  adamw: Entries,
  { shapes, groups, lossOf, close }: Trained,
): Promise<Comparison[]> {
  const { slots, total } = slotsOf(shapes);
  const optimizer = await createAdamW();
  const flat = optimizer.floats(total);
  for (const slot of slots) flat.set(formulaParameter(salt, slot.name, slot.shape), slot.offset);
  const before = flat.slice();
  const gradients = optimizer.floats(total);
  const arrays = {
    params: flat,
    gradients,
    moment1: optimizer.floats(total),
    moment2: optimizer.floats(total),
  };
  const ranges = rangesOf(slots, groups, Number(adamw['weight_decay']));
  const [beta1 = NaN, beta2 = NaN] = asNumbers(adamw['betas'], 'betas');
  const losses = asNumbers(wanted['losses_f64'], 'losses_f64');
  const losses32 = asNumbers(wanted['losses_f32'], 'losses_f32');
  const norms = asNumbers(wanted['grad_norms_f64'], 'grad_norms_f64');
  const comparisons: Comparison[] = [];
  // Where the fixture lists no rates, its name says the one of all steps.
  const rates =
    wanted['lr_values'] === undefined
      ? losses.map(() => Number(/constant_lr_(.*)$/.exec(name)?.[1]))
      : asNumbers(wanted['lr_values'], 'lr_values');
  for (const [step, rate] of rates.entries()) {
    const params = tensorsOf(flat, slots);
    const result = lossAndGradients(params, () => lossOf(params));
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
    const now = ranges.map((range) => ({ ...range, learningRate: range.learningRate * rate }));
    optimizer.step(arrays, now, step + 1, { beta1, beta2, epsilon: Number(adamw['eps']) });
  }
  close();
  const after = asRecord(wanted['params_after_3_steps'], `${name}.params_after_3_steps`);
  const lengths =
    wanted['update_l2_f64'] === undefined ? null : asRecord(wanted['update_l2_f64'], `${name}.update_l2_f64`);
  for (const slot of slots) {
    const record = asTensorRecord(after[slot.name], slot.name);
    const values = flat.subarray(slot.offset, slot.offset + slot.length);
    // The fixtures' README: elements with a gradient near 1e-8 are ill-conditioned, so 1e-4.
    comparisons.push(compareRecord(`${name}: ${slot.name}`, { shape: slot.shape, values }, record, 1e-4));
    if (lengths === null) continue;
    const start = before.subarray(slot.offset, slot.offset + slot.length);
    const update = vectorLength(values.map((value, i) => value - (start[i] ?? NaN)));
    const length = Number(lengths[slot.name]);
    // Every step rounds the parameters themselves to float32.
    const rounding = rates.length * 2 ** -24 * vectorLength(start);
    const tolerance = updateTolerance * length + rounding;
    comparisons.push(compareNumber(`${name}: update of ${slot.name}`, update, length, tolerance));
  }
  return comparisons;
}

/** Which parameters decay. */
function compareDecayed(name: string, groups: Trained['groups'], value: unknown): Comparison {
  const wanted = asRecord(value, `${name}.weight_decayed`);
  let differences = Math.abs(groups.size - Object.keys(wanted).length);
  for (const [parameter, { decayed }] of groups) if (wanted[parameter] !== Number(decayed)) differences++;
  return compareNumber(`${name}: weight decay groups`, differences, 0, 0);
}

export const optimizerCheck: GoldenCheck = {
  name: 'optimizer and schedules',
  covers: (fileName) => fileName === 'optimizer.json',
  run: async (fixture) => {
    const file = asRecord(fixture, 'the fixture');
    const salt = asText(file['salt'], 'salt');
    const adamw = asRecord(file['adamw'], 'adamw');
    const comparisons = schedules(file['cosine_schedules']);
    for (const name of ['constant_lr_1e-3', 'short_schedule_first_3_steps']) {
      const wanted = asRecord(file[name], name);
      comparisons.push(...(await threeSteps(salt, name, wanted, adamw, finetuned(salt, adamw))));
    }
    const name = 'pretrain_micro_constant_lr_1e-3';
    const wanted = asRecord(file[name], name);
    const own = asRecord(wanted['adamw'], `${name}.adamw`);
    const model = pretrained(salt, Number(wanted['batch']));
    comparisons.push(compareDecayed(name, model.groups, wanted['weight_decayed']));
    comparisons.push(...(await threeSteps(salt, name, wanted, own, model)));
    return comparisons;
  },
};
