// Every op's composite reference against plain formulas in double, and its gradient against differences of those.
import { dispose, engine, memory, tensor, tidy } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { random } from '../base/random.ts';
import { useBackend } from '../testing/backends.ts';
import { crossAttention, selfAttention } from './attention.ts';
import {
  activate,
  addConstant,
  biasWithoutKeys,
  joinFeatures,
  residual,
  tokenMean,
  weightedLayers,
} from './combine.ts';
import { gatherTokens, selectClips } from './gather.ts';
import { gelu } from './gelu.ts';
import { layerNorm } from './layer-norm.ts';
import { linear } from './linear.ts';

type Shape = readonly number[];
type Values = readonly (readonly number[])[];

interface OpCase {
  readonly name: string;
  readonly inputs: readonly Shape[];
  readonly run: (inputs: readonly Tensor[]) => Tensor;
  /** The same in double, over flat row-major inputs. */
  readonly reference: (inputs: Values) => number[];
  /** Inputs that gradients do not flow to. */
  readonly constants?: readonly number[];
}

const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const num = (list: readonly number[] | undefined, i: number): number => list?.[i] ?? NaN;

/** erf by its Taylor series: exact to 1e-13 for |x| < 4. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const geluReference = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

const softmax = (values: readonly number[]): number[] => {
  const top = Math.max(...values);
  const powers = values.map((x) => Math.exp(x - top));
  return powers.map((x) => x / total(powers));
};

/** @returns [rows, outputs] */
function linearReference(
  x: readonly number[],
  weight: readonly number[],
  bias: readonly number[] | null,
  width: number,
): number[] {
  const outputs = weight.length / width;
  return range((x.length / width) * outputs).map((i) => {
    const [row, o] = [Math.floor(i / outputs), i % outputs];
    return (
      total(range(width).map((k) => num(x, row * width + k) * num(weight, o * width + k))) +
      (bias === null ? 0 : num(bias, o))
    );
  });
}

function layerNormReference(
  x: readonly number[],
  weight: readonly number[],
  bias: readonly number[],
): number[] {
  const width = weight.length;
  return x.map((value, i) => {
    const row = x.slice(Math.floor(i / width) * width, (Math.floor(i / width) + 1) * width);
    const mean = total(row) / width;
    const variance = total(row.map((y) => (y - mean) ** 2)) / width;
    return ((value - mean) / Math.sqrt(variance + 1e-6)) * num(weight, i % width) + num(bias, i % width);
  });
}

function attentionReference(
  [batch, queries, keys, width, heads]: readonly [number, number, number, number, number],
  q: (b: number, n: number, d: number) => number,
  k: (b: number, n: number, d: number) => number,
  v: (b: number, n: number, d: number) => number,
): number[] {
  const own = width / heads;
  return range(batch * queries * width).map((i) => {
    const d = i % width;
    const n = Math.floor(i / width) % queries;
    const b = Math.floor(i / width / queries);
    const first = Math.floor(d / own) * own;
    const scores = range(keys).map(
      (m) => total(range(own).map((j) => q(b, n, first + j) * k(b, m, first + j))) / Math.sqrt(own),
    );
    const shares = softmax(scores);
    return total(range(keys).map((m) => num(shares, m) * v(b, m, d)));
  });
}

const at =
  (list: readonly number[] | undefined, tokens: number, width: number, offset = 0) =>
  (b: number, n: number, d: number): number =>
    num(list, (b * tokens + n) * width + offset + d);

const cases: OpCase[] = [
  {
    name: 'linear, 3-D with bias',
    inputs: [[2, 3, 5], [4, 5], [4]],
    run: ([x, w, b]) => linear(x!, w!, b!),
    reference: ([x, w, b]) => linearReference(x!, w!, b!, 5),
  },
  {
    name: 'linear, 2-D without bias',
    inputs: [
      [3, 5],
      [4, 5],
    ],
    run: ([x, w]) => linear(x!, w!, null),
    reference: ([x, w]) => linearReference(x!, w!, null, 5),
  },
  {
    name: "linear over data, with a convolution's weight",
    inputs: [[2, 3, 8], [4, 2, 2, 2], [4]],
    constants: [0],
    run: ([x, w, b]) => linear(x!, w!, b!, { inputIsData: true }),
    reference: ([x, w, b]) => linearReference(x!, w!, b!, 8),
  },
  {
    name: 'linear with gelu',
    inputs: [[2, 3, 5], [4, 5], [4]],
    run: ([x, w, b]) => linear(x!, w!, b!, { gelu: true }),
    reference: ([x, w, b]) => linearReference(x!, w!, b!, 5).map(geluReference),
  },
  {
    name: 'linear with gelu plus a tensor of its size',
    inputs: [[2, 3, 5], [4, 5], [4], [2, 3, 4]],
    run: ([x, w, b, r]) => linear(x!, w!, b!, { gelu: true, plus: r! }),
    reference: ([x, w, b, r]) => linearReference(x!, w!, b!, 5).map((y, i) => geluReference(y) + num(r, i)),
  },
  {
    name: 'linear plus a constant for all clips',
    inputs: [[2, 3, 5], [4, 5], [4], [1, 3, 4]],
    constants: [3],
    run: ([x, w, b, r]) => linear(x!, w!, b!, { plus: r! }),
    reference: ([x, w, b, r]) => linearReference(x!, w!, b!, 5).map((y, i) => y + num(r, i % 12)),
  },
  {
    name: 'layerNorm',
    inputs: [[2, 3, 8], [8], [8]],
    run: ([x, w, b]) => layerNorm(x!, w!, b!),
    reference: ([x, w, b]) => layerNormReference(x!, w!, b!),
  },
  {
    name: 'gelu',
    inputs: [[4, 7]],
    run: ([x]) => gelu(x!),
    reference: ([x]) => x!.map(geluReference),
  },
  {
    name: 'selfAttention, 4 heads',
    inputs: [[2, 5, 24]],
    run: ([qkv]) => selfAttention(qkv as Tensor3D, 4),
    reference: ([p]) => attentionReference([2, 5, 5, 8, 4], at(p, 5, 24), at(p, 5, 24, 8), at(p, 5, 24, 16)),
  },
  {
    name: 'crossAttention, 2 heads',
    inputs: [
      [2, 3, 8],
      [2, 4, 16],
    ],
    run: ([q, kv]) => crossAttention(q as Tensor3D, kv as Tensor3D, 2),
    reference: ([q, kv]) => attentionReference([2, 3, 4, 8, 2], at(q, 3, 8), at(kv, 4, 16), at(kv, 4, 16, 8)),
  },
  {
    name: 'residual with scale',
    inputs: [
      [2, 3, 4],
      [2, 3, 4],
      [2, 1, 1],
    ],
    constants: [2],
    run: ([x, y, s]) => residual(x as Tensor3D, y!, s as Tensor3D),
    reference: ([x, y, s]) => x!.map((value, i) => value + num(y, i) * num(s, Math.floor(i / 12))),
  },
  {
    name: 'residual with one branch for all tokens',
    inputs: [[2, 3, 4], [4], [2, 1, 1]],
    constants: [2],
    run: ([x, y, s]) => residual(x as Tensor3D, y!, s as Tensor3D),
    reference: ([x, y, s]) => x!.map((value, i) => value + num(y, i % 4) * num(s, Math.floor(i / 12))),
  },
  {
    name: 'residual of a tensor with itself',
    inputs: [[2, 3, 4]],
    run: ([x]) => residual(x as Tensor3D, x!, null),
    reference: ([x]) => x!.map((value) => 2 * value),
  },
  {
    name: 'addConstant',
    inputs: [
      [2, 3, 4],
      [1, 3, 4],
    ],
    constants: [1],
    run: ([x, c]) => addConstant(x as Tensor3D, c as Tensor3D),
    reference: ([x, c]) => x!.map((value, i) => value + num(c, i % 12)),
  },
  ...[3, 12].map((tokens): OpCase => ({
    name: `tokenMean of ${String(tokens)}`,
    inputs: [[2, tokens, 4]],
    run: ([x]) => tokenMean(x as Tensor3D),
    reference: ([x]) =>
      range(8).map(
        (i) =>
          total(range(tokens).map((n) => num(x, (Math.floor(i / 4) * tokens + n) * 4 + (i % 4)))) / tokens,
      ),
  })),
  {
    name: 'weightedLayers',
    inputs: [[3], [2, 4], [2, 4], [2, 4]],
    run: ([w, ...layers]) => weightedLayers(layers as Tensor2D[], w!),
    reference: ([w, ...layers]) =>
      range(8).map((i) => total(softmax(w!).map((share, l) => share * num(layers[l], i)))),
  },
  {
    name: 'joinFeatures',
    inputs: [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    run: (parts) => joinFeatures(parts as Tensor2D[]),
    reference: ([a, b, c]) =>
      range(2).flatMap((r) => [...a!.slice(r * 3, r * 3 + 3), num(b, r), ...c!.slice(r * 2, r * 2 + 2)]),
  },
  {
    name: 'biasWithoutKeys, fused',
    inputs: [[3], [3]],
    run: ([q, v]) => biasWithoutKeys(q!, v!),
    reference: ([q, v]) => [...q!, 0, 0, 0, ...v!],
  },
  {
    name: 'biasWithoutKeys, keys and values',
    inputs: [[3]],
    run: ([v]) => biasWithoutKeys(null, v!) satisfies Tensor1D,
    reference: ([v]) => [0, 0, 0, ...v!],
  },
  {
    name: 'selectClips with a repeat',
    inputs: [[3, 2, 2]],
    run: ([x]) => selectClips(x!, [2, 0, 2, 1]),
    reference: ([x]) => [2, 0, 2, 1].flatMap((b) => x!.slice(b * 4, b * 4 + 4)),
  },
  {
    name: 'gatherTokens with a repeat',
    inputs: [[2, 3, 2]],
    run: ([x]) => gatherTokens(x as Tensor3D, Int32Array.of(2, 0, 1, 1)),
    reference: ([x]) => [2, 0, 4, 4].flatMap((row) => x!.slice(row * 2, row * 2 + 2)),
  },
  ...(['none', 'sigmoid', 'relu', 'tanh'] as const).map((name): OpCase => ({
    name: `activate ${name}`,
    inputs: [[3, 5]],
    // A second op, so that 'none' has a gradient to test too.
    run: ([x]) => activate(gelu(x!), name),
    reference: ([x]) =>
      x!
        .map(geluReference)
        .map(
          (y) =>
            ({ none: y, sigmoid: 1 / (1 + Math.exp(-y)), relu: Math.max(y, 0), tanh: Math.tanh(y) })[name],
        ),
  })),
];

describe.each(['cpu', 'wasm'] as const)('on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each(cases)('$name', async ({ inputs, run, reference, constants = [] }) => {
    const draw = random(7);
    const values = inputs.map((shape) =>
      Array.from(Float32Array.from({ length: size(shape) }, () => 1.5 * draw.uniform() - 0.5)),
    );
    const tensors = values.map((list, i) => tensor(list, [...inputs[i]!], 'float32'));
    tidy(() => run(tensors)).dispose(); // makes the op's constants
    const before = memory().numTensors - tensors.length;
    const output = tidy(() => run(tensors));
    const wanted = reference(values);
    expect(output.size).toBe(wanted.length);
    expect(worst(await output.data(), wanted)).toBeLessThan(3e-6);

    // d(sum of weights * output), with weights given as the output's gradient.
    const weights = Array.from(Float32Array.from({ length: wanted.length }, () => 2 * draw.uniform() - 1));
    const dy = tensor(weights, output.shape, 'float32');
    const trained = range(inputs.length).filter((i) => !constants.includes(i));
    const { value, grads } = engine().gradients(
      () => run(tensors),
      trained.map((i) => tensors[i]!),
      dy,
    );
    expect(worst(await value.data(), wanted)).toBeLessThan(3e-6);
    for (const [n, i] of trained.entries()) {
      expect(grads[n]!.shape).toEqual(inputs[i]);
      expect(worst(await grads[n]!.data(), differences(reference, values, i, weights))).toBeLessThan(2e-5);
    }
    dispose([tensors, output, dy, value, grads]);
    expect(memory().numTensors).toBe(before);
  });
});

function worst(actual: ArrayLike<number>, wanted: readonly number[]): number {
  return Math.max(...wanted.map((value, i) => Math.abs((actual[i] ?? NaN) - value)));
}

/** Central differences of sum(weights * reference) in double. */
function differences(
  reference: OpCase['reference'],
  values: Values,
  input: number,
  weights: readonly number[],
): number[] {
  const step = 1e-5;
  const loss = (j: number, by: number): number => {
    const moved = values.map((list, i) => (i === input ? list.map((x, n) => (n === j ? x + by : x)) : list));
    return total(reference(moved).map((y, n) => y * num(weights, n)));
  };
  return range(values[input]!.length).map((j) => (loss(j, step) - loss(j, -step)) / (2 * step));
}
