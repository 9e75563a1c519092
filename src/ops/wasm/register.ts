// Our kernels under the names in ../kernels.ts, and faster ones for tfjs' own sums and products.
import { getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import type { KernelConfig, KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { assert } from '../../base/assert.ts';
import { input, shaped, sizeOf } from '../inputs.ts';
import type { Inputs } from '../inputs.ts';
import type { KernelName } from '../kernels.ts';
import { crossAttention, crossAttentionGrad, selfAttention, selfAttentionGrad } from './attention.ts';
import type { WasmBackend } from './heap-backend.ts';
import type { Call, Run } from './call.ts';

const gemm: Run = ({ kernels, at, output }, inputs, attrs) => {
  const a = input(inputs, 'a', 2);
  const b = input(inputs, 'b', 2);
  const transposeA = attrs['transposeA'] === true;
  const transposeB = attrs['transposeB'] === true;
  const [m = 0, k = 0] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
  const [kB, n = 0] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
  assert(k === kB, `gemm of [${a.shape.join()}] and [${b.shape.join()}]: ${k} is not ${kB ?? 'known'}`);
  const bias = inputs['bias'] ? at(shaped(inputs, 'bias', [n])) : 0;
  let residual = 0;
  let residualRows = 1;
  if (inputs['residual']) {
    const added = input(inputs, 'residual', 2);
    [residualRows = 0] = added.shape;
    assert(
      added.shape[1] === n && residualRows > 0 && m % residualRows === 0,
      `gemm to [${m},${n}] with residual [${added.shape.join()}]`,
    );
    residual = at(added);
  }
  const c = output([m, n]);
  const scratch = kernels.scratch(kernels.exports.gemmScratchBytes(m, k, n) >>> 0);
  kernels.exports.gemm(
    at(a),
    at(b),
    bias,
    residual,
    residualRows,
    c.pointer,
    m,
    k,
    n,
    +transposeA,
    +transposeB,
    +(attrs['gelu'] === true),
    scratch.pointer,
    scratch.step,
  );
  return c.info;
};

const columnSum: Run = ({ kernels, at, output }, inputs) => {
  const x = input(inputs, 'x', 2);
  const [m = 0, n = 0] = x.shape;
  const y = output([n]);
  kernels.exports.columnSum(at(x), y.pointer, m, n, kernels.scratch(4 * n).pointer);
  return y.info;
};

const tokenMean: Run = ({ kernels, at, output }, inputs) => {
  const x = input(inputs, 'x', 3);
  const [batch = 0, tokens = 0, n = 0] = x.shape;
  const y = output([batch, n]);
  kernels.exports.tokenMean(at(x), y.pointer, batch, tokens, n, kernels.scratch(4 * n).pointer);
  return y.info;
};

const gelu: Run = ({ kernels, at, output }, inputs) => {
  const x = input(inputs, 'x');
  const y = output(x.shape);
  kernels.exports.gelu(at(x), y.pointer, sizeOf(x.shape));
  return y.info;
};

const geluGrad: Run = ({ kernels, at, output }, inputs) => {
  const x = input(inputs, 'x');
  const dy = shaped(inputs, 'dy', x.shape);
  const dx = output(x.shape);
  kernels.exports.geluGrad(at(x), at(dy), dx.pointer, sizeOf(x.shape));
  return dx.info;
};

function normSizes(
  inputs: Inputs,
  attrs: Record<string, unknown>,
): { x: TensorInfo; rows: number; d: number; epsilon: number } {
  const x = input(inputs, 'x');
  const d = x.shape.at(-1) ?? 0;
  const epsilon = attrs['epsilon'];
  assert(d > 0, `layer norm of shape [${x.shape.join()}]`);
  assert(typeof epsilon === 'number', 'layer norm without epsilon');
  return { x, rows: sizeOf(x.shape) / d, d, epsilon };
}

const layerNorm: Run = ({ kernels, at, output }, inputs, attrs) => {
  const { x, rows, d, epsilon } = normSizes(inputs, attrs);
  const weight = shaped(inputs, 'weight', [d]);
  const bias = shaped(inputs, 'bias', [d]);
  const y = output(x.shape);
  kernels.exports.layerNorm(at(x), at(weight), at(bias), y.pointer, rows, d, epsilon);
  return y.info;
};

const layerNormGrad: Run = ({ kernels, at, output }, inputs, attrs) => {
  const { x, rows, d, epsilon } = normSizes(inputs, attrs);
  const weight = shaped(inputs, 'weight', [d]);
  const dy = shaped(inputs, 'dy', x.shape);
  const dx = output(x.shape);
  const dWeight = output([d]);
  const dBias = output([d]);
  const scratch = kernels.scratch(8 * d).pointer;
  kernels.exports.layerNormGrad(
    at(x),
    at(weight),
    at(dy),
    dx.pointer,
    dWeight.pointer,
    dBias.pointer,
    rows,
    d,
    epsilon,
    scratch,
  );
  return [dx.info, dWeight.info, dBias.info];
};

/** Copies int32 indices into scratch, after checking them. */
function indicesOf(
  { backend, kernels }: Call,
  inputs: Inputs,
  rows: number,
): { pointer: number; count: number } {
  const { indices } = inputs;
  assert(indices?.dtype === 'int32' && indices.shape.length === 1, 'indices are int32, of one dimension');
  const values = backend.readSync(indices.dataId) as Int32Array;
  assert(
    values.every((i) => i >= 0 && i < rows),
    `rows ${values.join()} of ${rows}`,
  );
  const { pointer } = kernels.scratch(4 * values.length);
  backend.heap.integers(pointer, values.length).set(values);
  return { pointer, count: values.length };
}

const gatherRows: Run = (call, inputs) => {
  const x = input(inputs, 'x', 2);
  const [rows = 0, n = 0] = x.shape;
  const { pointer, count } = indicesOf(call, inputs, rows);
  const y = call.output([count, n]);
  call.kernels.exports.gatherRows(call.at(x), pointer, y.pointer, count, n);
  return y.info;
};

const scatterRows: Run = (call, inputs, attrs) => {
  const dy = input(inputs, 'dy', 2);
  const rows = attrs['rows'];
  assert(typeof rows === 'number', 'scatter without its number of rows');
  const { pointer, count } = indicesOf(call, inputs, rows);
  const [m = 0, n = 0] = dy.shape;
  assert(m === count, `${count} indices for ${m} rows`);
  const dx = call.output([rows, n]);
  call.kernels.exports.scatterRows(call.at(dy), pointer, dx.pointer, count, rows, n);
  return dx.info;
};

const runs: Record<KernelName, Run> = {
  HicmaeGemm: gemm,
  HicmaeColumnSum: columnSum,
  HicmaeGelu: gelu,
  HicmaeGeluGrad: geluGrad,
  HicmaeLayerNorm: layerNorm,
  HicmaeLayerNormGrad: layerNormGrad,
  HicmaeSelfAttention: selfAttention,
  HicmaeSelfAttentionGrad: selfAttentionGrad,
  HicmaeCrossAttention: crossAttention,
  HicmaeCrossAttentionGrad: crossAttentionGrad,
  HicmaeTokenMean: tokenMean,
  HicmaeGatherRows: gatherRows,
  HicmaeScatterRows: scatterRows,
};

/** A faster way for some of a tfjs kernel's cases; undefined leaves the others to tfjs. */
type Shortcut = (call: Call, a: TensorInfo, b: TensorInfo) => TensorInfo | undefined;

const floats = (...tensors: TensorInfo[]): boolean => tensors.every(({ dtype }) => dtype === 'float32');

/** x + y of one shape: residual sums, and gradients that meet; or x and one row for all of its rows. */
const add: Shortcut = ({ backend, kernels, at, output }, a, b) => {
  const width = a.shape.at(-1);
  const one = a.shape.join() === b.shape.join();
  const row = sizeOf(b.shape) === width && b.shape.at(-1) === width && b.shape.length <= a.shape.length;
  if (!floats(a, b) || !(one || row)) return undefined;
  const z = output(a.shape);
  const size = sizeOf(a.shape);
  if (!one) {
    const values = backend.readSync(b.dataId) as Float32Array;
    const rows = backend.heap.floats(z.pointer, size);
    for (let i = 0; i < size; i += values.length) rows.set(values, i);
  }
  kernels.exports.add(at(a), one ? at(b) : z.pointer, z.pointer, size);
  return z.info;
};

/** x [B, ...] times one number per clip [B, 1, ...], or one for all: stochastic depth. */
const multiply: Shortcut = ({ kernels, at, output }, a, b) => {
  const [x, scale] = sizeOf(a.shape) >= sizeOf(b.shape) ? [a, b] : [b, a];
  const groups = sizeOf(scale.shape);
  const perClip = scale.shape.length === x.shape.length && scale.shape[0] === groups && groups === x.shape[0];
  if (!floats(a, b) || groups === 0 || !(groups === 1 || perClip)) return undefined;
  if (scale.shape.length > x.shape.length) return undefined;
  const y = output(x.shape);
  kernels.exports.scaleGroups(at(x), at(scale), y.pointer, groups, sizeOf(x.shape) / groups);
  return y.info;
};

const shortcuts: readonly (readonly [string, Shortcut])[] = [
  ['Add', add],
  ['Multiply', multiply],
];

function callOf(backend: unknown): Call {
  const wasm = backend as WasmBackend;
  return {
    backend: wasm,
    kernels: wasm.kernels,
    at: (tensor) => wasm.pointerOf(tensor),
    output: (shape) => wasm.allocate(shape),
  };
}

/** Registers all of them for the backend `wasm`, which has tfjs' CPU kernels already. */
export function registerKernels(): void {
  for (const [kernelName, run] of Object.entries(runs)) {
    const kernelFunc: KernelFunc = ({ inputs, attrs, backend }) => run(callOf(backend), inputs, attrs ?? {});
    registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
  }
  for (const [kernelName, shortcut] of shortcuts) {
    const stock = getKernel(kernelName, 'wasm') as KernelConfig | undefined;
    assert(stock, `tfjs has no kernel ${kernelName}`);
    unregisterKernel(kernelName, 'wasm');
    const kernelFunc: KernelFunc = (call) => {
      const { a, b } = call.inputs as { a: TensorInfo; b: TensorInfo };
      return shortcut(callOf(call.backend), a, b) ?? stock.kernelFunc(call);
    };
    registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
  }
}
