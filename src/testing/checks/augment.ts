// Holds RandAugment, crops, mixup and cutmix to the official code's numbers (fixture augment).
import { defined } from '../../base/assert.ts';
import { Problem } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { mixTargets, smoothTargets } from '../../model/losses.ts';
import { cutmixBox, mixFrames, mixingPartners } from '../../train/views/augment/mixup.ts';
import type { Mixing } from '../../train/views/augment/mixup.ts';
import { sizePairs, windowOffsets } from '../../train/views/augment/multi-scale-crop.ts';
import { pictures } from '../../train/views/augment/pictures.ts';
import { applyOperation, levelArgument, operators } from '../../train/views/augment/rand-augment.ts';
import type { Operator } from '../../train/views/augment/rand-augment.ts';
import { cropAndResize, drawWindow } from '../../train/views/augment/resized-crop.ts';
import {
  asNumbers,
  asRecord,
  asTensorRecord,
  asText,
  compareNumber,
  compareRecord,
  formulaPicture,
  formulaVideo,
  nameValues,
} from '../golden.ts';
import type { Comparison, GoldenCheck, TensorRecord } from '../golden.ts';

type Entries = Readonly<Record<string, unknown>>;

/** Two float32 interpolations of values up to about 2. */
const cropTolerance = 1e-6;
/** Nine digits of values up to about 2; targets are rounded to float32 in between. */
const mixTolerance = 2e-7;

function asOperator(name: string, what: string): Operator {
  const operator = operators.find((one) => one === name);
  if (operator === undefined) throw new Problem('unsupported-file', `${what}: no operator is named ${name}`);
  return operator;
}

function asArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Problem('unsupported-file', `${what} is no list`);
  return value;
}

/** The numbers in a name such as `top10_left25_h77_w101` or `140x120`. */
const numbersIn = (text: string): number[] => (text.match(/\d+(\.\d+)?/g) ?? []).map(Number);

function compareList(tensor: string, actual: readonly number[], wanted: readonly number[]): Comparison {
  const same = actual.length === wanted.length && wanted.every((x, i) => x === actual[i]);
  return { tensor, error: same ? 0 : Infinity, tolerance: 0 };
}

/** Bytes: sampled values and sum must be the same, and so must the squares' sum to its nine digits. */
function compareBytes(tensor: string, values: Uint8ClampedArray, record: TensorRecord): Comparison[] {
  let sum = 0;
  let squares = 0;
  for (const x of values) {
    sum += x;
    squares += x * x;
  }
  return [
    compareRecord(tensor, { shape: record.shape, values }, record, 1e-6),
    compareNumber(`${tensor} sum`, sum, record.sum, 0),
    compareNumber(`${tensor} l2`, Math.sqrt(squares), record.l2, 5.1e-9 * record.l2),
  ];
}

function checkOperators(salt: string, root: Entries): Comparison[] {
  return Object.entries(asRecord(root['ops'], 'ops')).flatMap(([call, value]) => {
    const [, name = '', argument = ''] = /^(\w+)\((.*)\)$/.exec(call) ?? [];
    const record = asTensorRecord(value, `ops.${call}`);
    const [height = 0, width = 0] = record.shape;
    const data = formulaPicture(salt, 'frame.aug', 0, width, height);
    // The fixture's note: these two would hardly change a picture that has every byte.
    if (name === 'AutoContrast' || name === 'Equalize') {
      data.forEach((x, i) => (data[i] = (x >> 1) + 30));
    }
    applyOperation(pictures(data, width, height), {
      operator: asOperator(name, 'ops'),
      argument: argument === '' ? null : Number(argument),
    });
    return compareBytes(call, data, record);
  });
}

function checkLevels(root: Entries): Comparison[] {
  const names = asArray(root['op_list'], 'op_list').map(String);
  const listed = {
    tensor: 'op_list',
    error: names.join() === operators.join() ? 0 : Infinity,
    tolerance: 0,
  };
  const arguments_ = Object.entries(asRecord(root['level_to_argument'], 'level_to_argument'));
  return [
    listed,
    ...arguments_.flatMap(([name, draws]) =>
      Object.entries(asRecord(draws, name)).flatMap(([draw, levels]) =>
        Object.entries(asRecord(levels, `${name}.${draw}`)).map(([level, wanted]) => {
          const at = `${name}, level ${level}, ${draw}`;
          const [uniform = NaN] = numbersIn(draw);
          const argument = levelArgument(asOperator(name, 'level_to_argument'), Number(level), uniform);
          return compareList(at, argument === null ? [] : [argument], asNumbers(wanted, at));
        }),
      ),
    ),
  ];
}

/** [N, 3, T, H, W] of the official code to ours, [N, T, H, W, 3]; and back. */
function swapLayout(
  values: Float32Array,
  clips: number,
  frames: number,
  pixels: number,
  toOfficial: boolean,
): Float32Array {
  const swapped = new Float32Array(values.length);
  for (let n = 0; n < clips; n++)
    for (let c = 0; c < 3; c++)
      for (let t = 0; t < frames; t++)
        for (let p = 0; p < pixels; p++) {
          const official = ((n * 3 + c) * frames + t) * pixels + p;
          const ours = ((n * frames + t) * pixels + p) * 3 + c;
          if (toOfficial) swapped[official] = values[ours]!;
          else swapped[ours] = values[official]!;
        }
  return swapped;
}

function checkResizedCrop(salt: string, entry: Entries): Comparison[] {
  return Object.entries(asRecord(entry['cases'], 'resized crop')).map(([name, value]) => {
    const record = asTensorRecord(value, name);
    const [, frames = 0, sidePx = 0] = record.shape;
    const [top = 0, left = 0, height = 0, width = 0] = numbersIn(name);
    const pixels = sidePx * sidePx;
    const input = formulaVideo(salt, [1, ...record.shape]);
    const cropped = cropAndResize(
      swapLayout(input, 1, frames, pixels, false),
      sidePx,
      { top, left, height, width },
      false,
    );
    const values = swapLayout(cropped, 1, frames, pixels, true);
    const whole = height === sidePx && width === sidePx;
    return compareRecord(
      `crop ${name}`,
      { shape: record.shape, values },
      record,
      whole ? 1e-8 : cropTolerance,
    );
  });
}

/** A stream whose uniform draws are the fixture's. */
function fixtureStream(salt: string, from: number): Random {
  const v = nameValues(salt, 'rng.crop');
  let k = from;
  const uniform = (): number => (v(k++) + 1) / 2;
  return {
    uniform,
    integer: (limit) => Math.floor(uniform() * limit),
    normal: () => NaN,
    state: () => k,
  };
}

function checkGeometry(salt: string, entry: Entries): Comparison[] {
  return asArray(entry['cases'], 'crop_geometry').flatMap((value, i) => {
    const record = asRecord(value, 'crop_geometry');
    const name = `window ${String(i)}`;
    const [from = 0, end = 0] = asNumbers(record['draws'], name);
    const stream = fixtureStream(salt, from);
    // The fixture's note names the side.
    const { top, left, height, width } = drawWindow(stream, 160);
    return [
      compareList(name, [top, left, height, width], asNumbers(record['top_left_h_w'], name)),
      compareNumber(`${name} draws`, stream.state(), end, 0),
    ];
  });
}

function checkMultiScale(name: string, entry: Entries): Comparison[] {
  const [sidePx = 0] = numbersIn(name);
  return Object.entries(entry).map(([key, value]) => {
    const wanted = asArray(value, key).flatMap((pair) => asNumbers(pair, key));
    if (key === 'size_pairs_w_h') return compareList(`${name} sizes`, sizePairs(sidePx).flat(), wanted);
    const [width = 0, height = 0] = numbersIn(key);
    return compareList(`${name} ${key}`, windowOffsets(sidePx, width, height).flat(), wanted);
  });
}

function checkMixing(salt: string, entry: Entries): Comparison[] {
  const labels = asNumbers(entry['labels'], 'mixup.labels');
  const classCount = Number(entry['num_classes']);
  const smoothed = smoothTargets(labels, classCount, Number(entry['smoothing']));
  const cases = Object.entries(entry).filter(([name]) => /^(mixup|cutmix)_/.test(name));
  return cases.flatMap(([name, value]) => {
    const record = asRecord(value, name);
    const output = asTensorRecord(record['output'], `${name}.output`);
    const [batch = 0, , frames = 0, sidePx = 0] = output.shape;
    const [lambda = NaN] = numbersIn(name);
    const [centerY = 0, centerX = 0] = asNumbers(record['center_y_x_if_cutmix'], name);
    const mixing: Mixing = name.startsWith('cutmix')
      ? cutmixBox(lambda, centerY, centerX, sidePx)
      : { lambda, box: null };
    const pixels = sidePx * sidePx;
    const mixed = swapLayout(formulaVideo(salt, output.shape), batch, frames, pixels, false);
    const size = mixed.length / batch;
    const clips = labels.map((_, i) => mixed.subarray(i * size, (i + 1) * size));
    mixFrames(clips, sidePx, mixing);
    const values = swapLayout(mixed, batch, frames, pixels, true);
    const targets = mixTargets(smoothed, classCount, mixingPartners(batch), mixing.lambda);
    const wanted = asArray(record['targets'], name).flatMap((row) => asNumbers(row, `${name}.targets`));
    return [
      compareRecord(name, { shape: output.shape, values }, output, mixTolerance),
      ...wanted.map((x, i) =>
        compareNumber(`${name} target ${String(i)}`, targets[i] ?? NaN, x, mixTolerance),
      ),
    ];
  });
}

export const augmentCheck: GoldenCheck = {
  name: 'augment',
  covers: (fileName) => fileName === 'augment.json',
  run: (fixture) => {
    const root = asRecord(fixture, 'augment');
    const salt = asText(root['salt'], 'augment.salt');
    const multiScale = defined(
      Object.keys(root).find((key) => key.startsWith('pretrain_multiscale_crop_')),
      'pretrain_multiscale_crop',
    );
    return Promise.resolve([
      ...checkOperators(salt, root),
      ...checkLevels(root),
      ...checkResizedCrop(salt, asRecord(root['resized_crop_bilinear_no_antialias'], 'resized crop')),
      ...checkGeometry(salt, asRecord(root['crop_geometry'], 'crop_geometry')),
      ...checkMultiScale(multiScale, asRecord(root[multiScale], multiScale)),
      ...checkMixing(salt, asRecord(root['mixup'], 'mixup')),
    ]);
  },
};
