// Our kernels under the names in ../kernels.ts, and faster ones for tfjs' own sums and products.
import { getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import type { KernelConfig, KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { assert } from '../../base/assert.ts';
import type { KernelName } from '../kernels.ts';
import type { WasmBackend } from './backend.ts';
import type { Kernels } from './module.ts';

/** What one call of a kernel works with. */
interface Call {
  readonly backend: WasmBackend;
  readonly kernels: Kernels;
  /** Pointer of an input's data. */
  readonly at: (input: TensorInfo) => number;
  /** A new float32 tensor and its pointer. */
  readonly output: (shape: readonly number[]) => { info: TensorInfo; pointer: number };
}

type Inputs = Partial<Record<string, TensorInfo>>;
type Run = (call: Call, inputs: Inputs, attrs: Record<string, unknown>) => TensorInfo | TensorInfo[];

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

function input(inputs: Inputs, name: string, rank?: number): TensorInfo {
  const tensor = inputs[name];
  assert(tensor, `input ${name} is missing`);
  assert(tensor.dtype === 'float32', `input ${name} is ${tensor.dtype}, not float32`);
  assert(
    rank === undefined || tensor.shape.length === rank,
    `input ${name} has shape [${tensor.shape.join()}]`,
  );
  return tensor;
}

function like(inputs: Inputs, name: string, model: TensorInfo): TensorInfo {
  const tensor = input(inputs, name);
  const same =
    tensor.shape.length === model.shape.length && tensor.shape.every((n, i) => n === model.shape[i]);
  assert(same, `input ${name} has shape [${tensor.shape.join()}], wanted [${model.shape.join()}]`);
  return tensor;
}

function vector(inputs: Inputs, name: string, size: number): TensorInfo {
  const tensor = input(inputs, name, 1);
  assert(tensor.shape[0] === size, `input ${name} has shape [${tensor.shape.join()}], wanted [${size}]`);
  return tensor;
}

const gemm: Run = ({ kernels, at, output }, inputs, attrs) => {
  const a = input(inputs, 'a', 2);
  const b = input(inputs, 'b', 2);
  const transposeA = attrs['transposeA'] === true;
  const transposeB = attrs['transposeB'] === true;
  const [m = 0, k = 0] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
  const [kB, n = 0] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
  assert(k === kB, `gemm of [${a.shape.join()}] and [${b.shape.join()}]: ${k} is not ${kB ?? 'known'}`);
  const bias = inputs['bias'] ? at(vector(inputs, 'bias', n)) : 0;
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
  const dy = like(inputs, 'dy', x);
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
  const weight = vector(inputs, 'weight', d);
  const bias = vector(inputs, 'bias', d);
  const y = output(x.shape);
  kernels.exports.layerNorm(at(x), at(weight), at(bias), y.pointer, rows, d, epsilon);
  return y.info;
};

const layerNormGrad: Run = ({ kernels, at, output }, inputs, attrs) => {
  const { x, rows, d, epsilon } = normSizes(inputs, attrs);
  const weight = vector(inputs, 'weight', d);
  const dy = like(inputs, 'dy', x);
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

/** Where queries, keys and values lie: pointers, and bytes from one row to the next. */
interface AttentionLayout {
  readonly q: number;
  readonly ldq: number;
  readonly k: number;
  readonly v: number;
  readonly ldk: number;
}

interface AttentionSizes {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  /** D, all heads together. */
  readonly d: number;
}

const selfLayout = (pointer: number, d: number): AttentionLayout => ({
  q: pointer,
  ldq: 12 * d,
  k: pointer + 4 * d,
  v: pointer + 8 * d,
  ldk: 12 * d,
});

const crossLayout = (q: number, kv: number, d: number): AttentionLayout => ({
  q,
  ldq: 4 * d,
  k: kv,
  v: kv + 4 * d,
  ldk: 8 * d,
});

function headsOf(attrs: Record<string, unknown>, d: number): number {
  const { heads } = attrs;
  assert(
    typeof heads === 'number' && heads > 0 && d % heads === 0,
    `attention of width ${d} with ${String(heads)} heads`,
  );
  return heads;
}

function selfSizes(inputs: Inputs, attrs: Record<string, unknown>): AttentionSizes {
  const [batch = 0, tokens = 0, packed = 0] = input(inputs, 'qkv', 3).shape;
  const d = packed / 3;
  return { batch, queries: tokens, keys: tokens, heads: headsOf(attrs, d), d };
}

function crossSizes(inputs: Inputs, attrs: Record<string, unknown>): AttentionSizes {
  const q = input(inputs, 'q', 3);
  const kv = input(inputs, 'kv', 3);
  const [batch = 0, queries = 0, d = 0] = q.shape;
  const keys = kv.shape[1] ?? 0;
  assert(
    kv.shape[0] === batch && kv.shape[2] === 2 * d && keys > 0,
    `attention of queries [${q.shape.join()}] to keys and values [${kv.shape.join()}]`,
  );
  return { batch, queries, keys, heads: headsOf(attrs, d), d };
}

function attend({ kernels, output }: Call, sizes: AttentionSizes, from: AttentionLayout): TensorInfo {
  const { batch, queries, keys, heads, d } = sizes;
  const width = d / heads;
  const y = output([batch, queries, d]);
  const { pointer, step } = kernels.scratch(
    kernels.exports.attentionScratchBytes(queries, keys, width) >>> 0,
  );
  const { q, ldq, k, v, ldk } = from;
  kernels.exports.attention(
    ...[q, ldq, k, v, ldk, y.pointer],
    ...[batch, queries, keys, heads, width, pointer, step],
  );
  return y.info;
}

function attendBack(
  { kernels, at }: Call,
  inputs: Inputs,
  sizes: AttentionSizes,
  from: AttentionLayout,
  to: AttentionLayout,
): void {
  const { batch, queries, keys, heads, d } = sizes;
  const dy = input(inputs, 'dy', 3);
  assert(dy.shape.join() === [batch, queries, d].join(), `attention gradient of dy [${dy.shape.join()}]`);
  const width = d / heads;
  const { pointer, step } = kernels.scratch(
    kernels.exports.attentionGradScratchBytes(queries, keys, width) >>> 0,
  );
  kernels.exports.attentionGrad(
    ...[from.q, from.ldq, from.k, from.v, from.ldk, at(dy), to.q, to.k, to.v],
    ...[batch, queries, keys, heads, width, pointer, step],
  );
}

const selfAttention: Run = (call, inputs, attrs) => {
  const sizes = selfSizes(inputs, attrs);
  return attend(call, sizes, selfLayout(call.at(input(inputs, 'qkv')), sizes.d));
};

const selfAttentionGrad: Run = (call, inputs, attrs) => {
  const sizes = selfSizes(inputs, attrs);
  const qkv = input(inputs, 'qkv');
  const dqkv = call.output(qkv.shape);
  attendBack(call, inputs, sizes, selfLayout(call.at(qkv), sizes.d), selfLayout(dqkv.pointer, sizes.d));
  return dqkv.info;
};

const crossAttention: Run = (call, inputs, attrs) => {
  const sizes = crossSizes(inputs, attrs);
  const from = crossLayout(call.at(input(inputs, 'q')), call.at(input(inputs, 'kv')), sizes.d);
  return attend(call, sizes, from);
};

const crossAttentionGrad: Run = (call, inputs, attrs) => {
  const sizes = crossSizes(inputs, attrs);
  const q = input(inputs, 'q');
  const kv = input(inputs, 'kv');
  const dq = call.output(q.shape);
  const dkv = call.output(kv.shape);
  attendBack(
    call,
    inputs,
    sizes,
    crossLayout(call.at(q), call.at(kv), sizes.d),
    crossLayout(dq.pointer, dkv.pointer, sizes.d),
  );
  return [dq.info, dkv.info];
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
