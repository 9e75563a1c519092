// Registers the SIMD kernels for tfjs' wasm backend under the names in ../kernels.ts.
import { findBackend, registerKernel } from '@tensorflow/tfjs-core';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { assert } from '../../base/assert.ts';
import type { KernelName } from '../kernels.ts';
import { bindKernels, chooseBuild, isShared, memoryOf, outOfMemory } from './module.ts';
import type { Kernels, WasmBackend } from './module.ts';

/** What one call of a kernel works with. */
interface Call {
  kernels: Kernels;
  /** Pointer of an input's data. */
  at: (input: TensorInfo) => number;
  /** A new float32 tensor and its pointer. */
  output: (shape: readonly number[]) => { info: TensorInfo; pointer: number };
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
  const c = output([m, n]);
  const scratch = kernels.scratch(kernels.exports.gemmScratchBytes(m, k, n) >>> 0);
  kernels.exports.gemm(at(a), at(b), bias, c.pointer, m, k, n, +transposeA, +transposeB, scratch);
  return c.info;
};

const columnSum: Run = ({ kernels, at, output }, inputs) => {
  const x = input(inputs, 'x', 2);
  const [m = 0, n = 0] = x.shape;
  const y = output([n]);
  kernels.exports.columnSum(at(x), y.pointer, m, n, kernels.scratch(4 * n));
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
  const scratch = kernels.scratch(8 * d);
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

interface AttentionSizes {
  q: TensorInfo;
  k: TensorInfo;
  v: TensorInfo;
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  width: number;
}

function attentionSizes(inputs: Inputs, attrs: Record<string, unknown>): AttentionSizes {
  const q = input(inputs, 'q', 3);
  const k = input(inputs, 'k', 3);
  const v = like(inputs, 'v', k);
  const [batch = 0, queries = 0, d = 0] = q.shape;
  const keys = k.shape[1] ?? 0;
  const heads = attrs['heads'];
  assert(
    k.shape[0] === batch && k.shape[2] === d && keys > 0,
    `attention of queries [${q.shape.join()}] to keys [${k.shape.join()}]`,
  );
  assert(
    typeof heads === 'number' && heads > 0 && d % heads === 0,
    `attention of width ${d} with ${String(heads)} heads`,
  );
  return { q, k, v, batch, queries, keys, heads, width: d / heads };
}

const attention: Run = ({ kernels, at, output }, inputs, attrs) => {
  const { q, k, v, batch, queries, keys, heads, width } = attentionSizes(inputs, attrs);
  const y = output(q.shape);
  const scratch = kernels.scratch(kernels.exports.attentionScratchBytes(queries, keys, width) >>> 0);
  kernels.exports.attention(at(q), at(k), at(v), y.pointer, batch, queries, keys, heads, width, scratch);
  return y.info;
};

const attentionGrad: Run = ({ kernels, at, output }, inputs, attrs) => {
  const { q, k, v, batch, queries, keys, heads, width } = attentionSizes(inputs, attrs);
  const dy = like(inputs, 'dy', q);
  const dq = output(q.shape);
  const dk = output(k.shape);
  const dv = output(v.shape);
  const scratch = kernels.scratch(kernels.exports.attentionGradScratchBytes(queries, keys, width) >>> 0);
  kernels.exports.attentionGrad(
    at(q),
    at(k),
    at(v),
    at(dy),
    dq.pointer,
    dk.pointer,
    dv.pointer,
    batch,
    queries,
    keys,
    heads,
    width,
    scratch,
  );
  return [dq.info, dk.info, dv.info];
};

const runs: Record<KernelName, Run> = {
  HicmaeGemm: gemm,
  HicmaeColumnSum: columnSum,
  HicmaeGelu: gelu,
  HicmaeGeluGrad: geluGrad,
  HicmaeLayerNorm: layerNorm,
  HicmaeLayerNormGrad: layerNormGrad,
  HicmaeAttention: attention,
  HicmaeAttentionGrad: attentionGrad,
};

/** Whether the kernels are in place, and which or why not, in words for a person. */
export interface Registration {
  registered: boolean;
  reason: string;
}

let done: Promise<Registration> | undefined;

/**
 * Registers the kernels for the backend `wasm`, which must be initialized (`await setBackend('wasm')`) but need not be
 * the current one. Later calls return the first success. Never throws: where it declines, the composite ops remain.
 *
 * Fused multiply-add is used where the engine has relaxed SIMD: current Chrome has it; Node 20 and 22 need
 * `v8.setFlagsFromString('--experimental-wasm-relaxed-simd')` before this call.
 * @param options.fused false to leave fused multiply-add out (for tests)
 */
export function registerWasmKernels(options: { fused?: boolean } = {}): Promise<Registration> {
  done ??= register(options.fused ?? true).then((outcome) => {
    if (!outcome.registered) done = undefined;
    return outcome;
  });
  return done;
}

async function register(allowFused: boolean): Promise<Registration> {
  const no = (reason: string): Registration => ({ registered: false, reason: `wasm kernels: ${reason}` });
  try {
    const first = findBackend('wasm') as unknown as WasmBackend | null;
    if (!first) return no('the wasm backend is not initialized');
    const memory = memoryOf(first);
    if (!memory) return no("this build of tfjs' wasm backend does not show its memory");
    const shared = isShared(memory);
    const build = chooseBuild(shared, allowFused);
    if (!build) return no('this engine has no WebAssembly SIMD');
    const module = await WebAssembly.compile(build.bytes);
    const bound = new WeakMap<object, Kernels>();
    const kernelsOf = (backend: WasmBackend): Kernels => {
      let kernels = bound.get(backend);
      if (!kernels) bound.set(backend, (kernels = bindKernels(module, backend)));
      return kernels;
    };
    kernelsOf(first);
    for (const [kernelName, run] of Object.entries(runs)) {
      registerKernel({ kernelName, backendName: 'wasm', kernelFunc: kernelFunc(run, kernelsOf) });
    }
    const memoryKind = shared ? ', shared memory' : '';
    return {
      registered: true,
      reason: `wasm kernels: SIMD${build.fused ? ' with fused multiply-add' : ''}${memoryKind}`,
    };
  } catch (error) {
    return no(error instanceof Error ? error.message : String(error));
  }
}

function kernelFunc(run: Run, kernelsOf: (backend: WasmBackend) => Kernels): KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const wasmBackend = backend as WasmBackend;
    const at = (tensor: TensorInfo): number => wasmBackend.dataIdMap.get(tensor.dataId).memoryOffset;
    const call: Call = {
      kernels: kernelsOf(wasmBackend),
      at,
      output(shape) {
        const info = wasmBackend.makeOutput([...shape], 'float32');
        const pointer = at(info);
        if (pointer === 0) throw outOfMemory(4 * sizeOf(shape));
        return { info, pointer };
      },
    };
    return run(call, inputs, attrs ?? {});
  };
}
