// The kernels' tests, shared by all backends: every kernel against plain double-precision loops.
import { dispose, engine, memory, tensor, tensor1d } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { random } from '../base/random.ts';
import type { KernelName } from './kernels.ts';

/** A numbers' array with its shape, in double precision; `int32` where the kernel takes such. */
interface Block {
  values: Float64Array;
  shape: number[];
  int32?: boolean;
}

export interface KernelCase {
  name: string;
  /** Runs the kernel and answers the worst error of its outputs, relative to each output's largest number or 1. */
  worstError: () => Promise<number>;
  /** What that error may be; more where single precision loses it in the inputs themselves (offsets, large logits). */
  tolerance: number;
}

const stream = random(20260729);

/** Normal numbers, rounded to single precision as the kernel will see them. */
function block(shape: number[], scale = 1): Block {
  const size = shape.reduce((product, n) => product * n, 1);
  return { values: Float64Array.from({ length: size }, () => Math.fround(scale * stream.normal())), shape };
}

function zeros(shape: number[]): Block {
  return { values: new Float64Array(shape.reduce((product, n) => product * n, 1)), shape };
}

async function compare(
  kernel: KernelName,
  inputs: Record<string, Block>,
  attrs: Record<string, number | boolean>,
  wanted: Block[],
): Promise<number> {
  const before = memory().numTensors;
  const tensors: Record<string, Tensor> = {};
  for (const [name, { values, shape, int32 }] of Object.entries(inputs)) {
    tensors[name] =
      int32 === true ? tensor1d(Int32Array.from(values), 'int32') : tensor(Float32Array.from(values), shape);
  }
  const result = engine().runKernel<Tensor | Tensor[]>(kernel, tensors, attrs);
  const outputs = Array.isArray(result) ? result : [result];
  if (outputs.length !== wanted.length) throw new Error(`${outputs.length} outputs, wanted ${wanted.length}`);
  let worst = 0;
  for (const [i, output] of outputs.entries()) {
    const { values, shape } = wanted[i]!;
    if (output.shape.join() !== shape.join()) throw new Error(`output ${i} is [${output.shape.join()}]`);
    const got = await output.data();
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    values.forEach((value, j) => {
      const error = Math.abs(got[j]! - value) / largest;
      worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
    });
  }
  dispose(outputs);
  dispose(tensors);
  if (memory().numTensors !== before) throw new Error(`${memory().numTensors - before} tensors leaked`);
  return worst;
}

interface GemmVariant {
  transposeA?: boolean;
  transposeB?: boolean;
  bias?: boolean;
  gelu?: boolean;
  /** Rows of the residual, a divisor of m. */
  residual?: number;
}

function gemmCase(m: number, k: number, n: number, variant: GemmVariant): KernelCase {
  const { transposeA = false, transposeB = false, bias: withBias = false, gelu = false, residual } = variant;
  const marks = [
    transposeA ? 'A^T' : '',
    transposeB ? 'B^T' : '',
    withBias ? '+ bias' : '',
    gelu ? 'gelu' : '',
    residual === undefined ? '' : `+ ${residual} rows`,
  ];
  return {
    name: ['gemm', `${m} x ${k} x ${n}`, ...marks.filter((mark) => mark !== '')].join(' '),
    tolerance: 2e-6,
    worstError() {
      const a = block(transposeA ? [k, m] : [m, k]);
      const b = block(transposeB ? [n, k] : [k, n]);
      const bias = block([n]);
      const added = block([residual ?? 1, n]);
      const c = zeros([m, n]);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = withBias ? bias.values[j]! : 0;
          for (let p = 0; p < k; p++) {
            sum +=
              a.values[transposeA ? p * m + i : i * k + p]! * b.values[transposeB ? j * k + p : p * n + j]!;
          }
          if (gelu) sum *= phi(sum);
          c.values[i * n + j] = sum + (residual === undefined ? 0 : added.values[(i % residual) * n + j]!);
        }
      }
      const inputs = {
        a,
        b,
        ...(withBias ? { bias } : {}),
        ...(residual === undefined ? {} : { residual: added }),
      };
      return compare('HicmaeGemm', inputs, { transposeA, transposeB, gelu }, [c]);
    },
  };
}

function columnSumCase(m: number, n: number): KernelCase {
  return {
    name: `column sum ${m} x ${n}`,
    tolerance: 2e-6,
    worstError() {
      const x = block([m, n]);
      const y = zeros([n]);
      x.values.forEach((value, i) => (y.values[i % n]! += value));
      return compare('HicmaeColumnSum', { x }, {}, [y]);
    },
  };
}

/** erf by its Taylor series (|x| < 3) or its continued fraction. */
function erf(x: number): number {
  if (Math.abs(x) >= 3) {
    let fraction = 0;
    for (let i = 60; i > 0; i--) fraction = i / 2 / (Math.abs(x) + fraction);
    return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + fraction));
  }
  let term = x;
  let sum = x;
  for (let i = 1; i < 80; i++) {
    term *= (-x * x) / i;
    sum += term / (2 * i + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** The standard normal distribution. */
function phi(x: number): number {
  return 0.5 * (1 + erf(x / Math.SQRT2));
}

function geluCase(shape: number[], scale: number): KernelCase[] {
  const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  return [
    {
      name: `gelu [${shape.join()}] to about ${4 * scale}`,
      tolerance: 2e-6,
      worstError() {
        const x = block(shape, scale);
        return compare('HicmaeGelu', { x }, {}, [{ values: x.values.map((v) => v * phi(v)), shape }]);
      },
    },
    {
      name: `gelu gradient [${shape.join()}] to about ${4 * scale}`,
      tolerance: 2e-6,
      worstError() {
        const x = block(shape, scale);
        const dy = block(shape);
        const values = x.values.map((v, i) => dy.values[i]! * (phi(v) + v * density(v)));
        return compare('HicmaeGeluGrad', { x, dy }, {}, [{ values, shape }]);
      },
    },
  ];
}

function layerNormCases(shape: number[], epsilon: number, offset = 0): KernelCase[] {
  const d = shape.at(-1)!;
  const setup = (): { x: Block; weight: Block; bias: Block; dy: Block } => {
    const x = block(shape, 2);
    x.values = x.values.map((value) => Math.fround(value + offset));
    return { x, weight: block([d]), bias: block([d]), dy: block(shape) };
  };
  const rowsOf = (x: Block): { normal: Float64Array; scale: number }[] =>
    Array.from({ length: x.values.length / d }, (_, i) => {
      const row = x.values.subarray(i * d, (i + 1) * d);
      const mean = row.reduce((sum, value) => sum + value, 0) / d;
      const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / d;
      const scale = 1 / Math.sqrt(variance + epsilon);
      return { normal: row.map((value) => (value - mean) * scale), scale };
    });
  return [
    {
      name: `layer norm [${shape.join()}] around ${offset}`,
      tolerance: 2e-6 + Math.abs(offset) * 1e-7,
      worstError() {
        const { x, weight, bias } = setup();
        const y = zeros(shape);
        rowsOf(x).forEach(({ normal }, i) => {
          normal.forEach((value, j) => (y.values[i * d + j] = value * weight.values[j]! + bias.values[j]!));
        });
        return compare('HicmaeLayerNorm', { x, weight, bias }, { epsilon }, [y]);
      },
    },
    {
      name: `layer norm gradient [${shape.join()}] around ${offset}`,
      tolerance: 2e-6 + Math.abs(offset) * 1e-7,
      worstError() {
        const { x, weight, dy } = setup();
        const [dx, dWeight, dBias] = [zeros(shape), zeros([d]), zeros([d])];
        rowsOf(x).forEach(({ normal, scale }, i) => {
          const g = dy.values.subarray(i * d, (i + 1) * d);
          const gw = g.map((value, j) => value * weight.values[j]!);
          const sum = gw.reduce((total, value) => total + value, 0) / d;
          const dot = gw.reduce((total, value, j) => total + value * normal[j]!, 0) / d;
          for (let j = 0; j < d; j++) {
            dx.values[i * d + j] = scale * (gw[j]! - sum - normal[j]! * dot);
            dWeight.values[j]! += g[j]! * normal[j]!;
            dBias.values[j]! += g[j]!;
          }
        });
        return compare('HicmaeLayerNormGrad', { x, weight, dy }, { epsilon }, [dx, dWeight, dBias]);
      },
    },
  ];
}

/** One head of attention at a time, and its gradient, by definition. */
function attentionCases(
  batch: number,
  nq: number,
  nk: number,
  heads: number,
  width: number,
  logits = 1,
): KernelCase[] {
  const d = heads * width;
  const reference = (q: Block, k: Block, v: Block, dy: Block): Block[] => {
    const [y, dq, dk, dv] = [zeros(q.shape), zeros(q.shape), zeros(k.shape), zeros(k.shape)];
    const scale = 1 / Math.sqrt(width);
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        const atQ = (i: number): number => (b * nq + i) * d + h * width;
        const atK = (j: number): number => (b * nk + j) * d + h * width;
        const dot = (x: Block, i: number, z: Block, j: number): number => {
          let sum = 0;
          for (let c = 0; c < width; c++) sum += x.values[i + c]! * z.values[j + c]!;
          return sum;
        };
        for (let i = 0; i < nq; i++) {
          const scores = Array.from({ length: nk }, (_, j) => scale * dot(q, atQ(i), k, atK(j)));
          const most = Math.max(...scores);
          const powers = scores.map((score) => Math.exp(score - most));
          const total = powers.reduce((sum, power) => sum + power, 0);
          const p = powers.map((power) => power / total);
          const dp = p.map((_, j) => dot(dy, atQ(i), v, atK(j)));
          const mean = p.reduce((sum, pj, j) => sum + pj * dp[j]!, 0);
          for (let j = 0; j < nk; j++) {
            const ds = p[j]! * (dp[j]! - mean) * scale;
            for (let c = 0; c < width; c++) {
              y.values[atQ(i) + c]! += p[j]! * v.values[atK(j) + c]!;
              dv.values[atK(j) + c]! += p[j]! * dy.values[atQ(i) + c]!;
              dq.values[atQ(i) + c]! += ds * k.values[atK(j) + c]!;
              dk.values[atK(j) + c]! += ds * q.values[atQ(i) + c]!;
            }
          }
        }
      }
    }
    return [y, dq, dk, dv];
  };
  const setup = (): Record<'q' | 'k' | 'v' | 'dy', Block> => ({
    q: block([batch, nq, d], logits),
    k: block([batch, nk, d], logits),
    v: block([batch, nk, d]),
    dy: block([batch, nq, d]),
  });
  const tolerance = 2e-6 * Math.max(1, logits);
  const name = `[${batch},${nq},${d}], ${heads} heads, logits to about ${4 * logits * logits}`;
  const cross: KernelCase[] = [
    {
      name: `cross attention to ${nk} ${name}`,
      tolerance,
      worstError() {
        const { q, k, v, dy } = setup();
        const wanted = reference(q, k, v, dy).slice(0, 1);
        return compare('HicmaeCrossAttention', { q, kv: pack(k, v) }, { heads }, wanted);
      },
    },
    {
      name: `cross attention gradient to ${nk} ${name}`,
      tolerance,
      worstError() {
        const { q, k, v, dy } = setup();
        const [, dq, dk, dv] = reference(q, k, v, dy);
        return compare('HicmaeCrossAttentionGrad', { q, kv: pack(k, v), dy }, { heads }, [
          dq!,
          pack(dk!, dv!),
        ]);
      },
    },
  ];
  if (nq !== nk) return cross;
  return [
    ...cross,
    {
      name: `self attention ${name}`,
      tolerance,
      worstError() {
        const { q, k, v, dy } = setup();
        const wanted = reference(q, k, v, dy).slice(0, 1);
        return compare('HicmaeSelfAttention', { qkv: pack(q, k, v) }, { heads }, wanted);
      },
    },
    {
      name: `self attention gradient ${name}`,
      tolerance,
      worstError() {
        const { q, k, v, dy } = setup();
        const [, ...gradients] = reference(q, k, v, dy);
        return compare('HicmaeSelfAttentionGrad', { qkv: pack(q, k, v), dy }, { heads }, [
          pack(...gradients),
        ]);
      },
    },
  ];
}

/** Blocks [.., D] side by side in the last dimension. */
function pack(...parts: Block[]): Block {
  const { shape } = parts[0]!;
  const d = shape.at(-1)!;
  const packed = zeros([...shape.slice(0, -1), parts.length * d]);
  parts.forEach(({ values }, p) => {
    values.forEach((value, i) => {
      packed.values[(Math.floor(i / d) * parts.length + p) * d + (i % d)] = value;
    });
  });
  return packed;
}

function tokenMeanCase(batch: number, tokens: number, d: number): KernelCase {
  return {
    name: `token mean [${batch},${tokens},${d}]`,
    tolerance: 1e-6,
    worstError() {
      const x = block([batch, tokens, d]);
      const y = zeros([batch, d]);
      x.values.forEach((value, i) => {
        y.values[Math.floor(i / (tokens * d)) * d + (i % d)]! += value / tokens;
      });
      return compare('HicmaeTokenMean', { x }, {}, [y]);
    },
  };
}

/** Row gathers with repeats, and their gradient. */
function gatherCases(rows: number, width: number, chosen: number[]): KernelCase[] {
  const indices: Block = { values: Float64Array.from(chosen), shape: [chosen.length], int32: true };
  return [
    {
      name: `gather ${chosen.length} of ${rows} rows of ${width}`,
      tolerance: 0.5e-7,
      worstError() {
        const x = block([rows, width]);
        const y = zeros([chosen.length, width]);
        chosen.forEach((from, i) => {
          y.values.set(x.values.subarray(from * width, (from + 1) * width), i * width);
        });
        return compare('HicmaeGatherRows', { x, indices }, {}, [y]);
      },
    },
    {
      name: `scatter ${chosen.length} to ${rows} rows of ${width}`,
      tolerance: 1e-6,
      worstError() {
        const dy = block([chosen.length, width]);
        const dx = zeros([rows, width]);
        dy.values.forEach((value, i) => {
          dx.values[chosen[Math.floor(i / width)]! * width + (i % width)]! += value;
        });
        return compare('HicmaeScatterRows', { dy, indices }, { rows }, [dx]);
      },
    },
  ];
}

const transposes = [false, true];

/** Odd sizes, tails, one row, one key, block boundaries (5, 8, 60, 64, 100, 256, 512). */
export const kernelCases: KernelCase[] = [
  ...transposes.flatMap((transposeA) =>
    transposes.flatMap((transposeB) =>
      [
        [1, 1, 1],
        [5, 4, 8],
        [7, 3, 9],
        [1, 33, 17],
        [23, 257, 31],
        [101, 130, 29],
        [64, 128, 513],
      ].flatMap(([m, k, n]) =>
        [true, false].map((bias) => gemmCase(m!, k!, n!, { transposeA, transposeB, bias })),
      ),
    ),
  ),
  gemmCase(128, 1500, 64, { transposeA: true }),
  ...[1, 23, 300].map((k) => gemmCase(21, k, 19, { transposeB: true, bias: true, gelu: true })),
  ...[21, 7, 1].map((residual) => gemmCase(21, 40, 19, { transposeB: true, bias: true, residual })),
  gemmCase(203, 300, 520, { transposeB: true, bias: true, gelu: true, residual: 29 }),
  gemmCase(5, 4, 8, { residual: 5 }),
  tokenMeanCase(1, 1, 3),
  tokenMeanCase(3, 72, 128),
  tokenMeanCase(2, 801, 37),
  ...gatherCases(5, 7, [4, 0, 4, 2]),
  ...gatherCases(3, 128, [1]),
  ...gatherCases(
    40,
    33,
    Array.from({ length: 90 }, (_, i) => (i * 7) % 40),
  ),
  columnSumCase(1, 5),
  columnSumCase(64, 128),
  columnSumCase(1031, 37),
  ...geluCase([3, 7, 5], 1),
  ...geluCase([1], 1),
  ...geluCase([64, 64], 3),
  ...geluCase([40, 25], 30),
  ...layerNormCases([1, 4], 1e-5),
  ...layerNormCases([2, 3, 7], 1e-5),
  ...layerNormCases([2, 65, 128], 1e-6),
  ...layerNormCases([130, 66], 1e-5, 100),
  ...attentionCases(1, 1, 1, 1, 4),
  ...attentionCases(1, 1, 9, 2, 8),
  ...attentionCases(2, 5, 1, 3, 5),
  ...attentionCases(3, 36, 36, 4, 32),
  ...attentionCases(2, 144, 144, 2, 32),
  ...attentionCases(2, 61, 35, 3, 7),
  ...attentionCases(1, 13, 130, 2, 64),
  ...attentionCases(1, 21, 22, 2, 16, 6),
  ...attentionCases(1, 21, 22, 2, 16, 60),
  ...attentionCases(1, 9, 9, 2, 16, 60),
];
