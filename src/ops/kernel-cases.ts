// The kernels' tests, shared by all backends: every kernel against plain double-precision loops.
import { attentionCases } from './attention-cases.ts';
import { block, compare, zeros } from './kernel-case.ts';
import type { Block, KernelCase } from './kernel-case.ts';

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
