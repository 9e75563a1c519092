// Registers the compute shaders for tfjs' webgpu backend under the names in ../kernels.ts.
import { engine, findBackend, registerKernel } from '@tensorflow/tfjs-core';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { assert } from '../../base/assert.ts';
import type { KernelName } from '../kernels.ts';
import { attentionGrad } from './attention-grad.ts';
import { isSoftware } from './adapter.ts';
import { attention, crossPacking, selfPacking } from './attention.ts';
import type { AttentionTile, Packing } from './attention.ts';
import { chooseTile, gemm } from './gemm.ts';
import type { AttentionSizes } from './heads.ts';
import { indexInput, input, number, shaped, sizeOf } from '../inputs.ts';
import type { Attributes, Inputs } from '../inputs.ts';
import { layerNorm, layerNormGrad } from './layer-norm.ts';
import type { NormCall } from './layer-norm.ts';
import { gelu } from './pointwise.ts';
import { gatherRows, rowSum, scatterRows } from './rows.ts';
import { newTensor } from './runner.ts';

/** What the device is good for. */
interface Traits {
  /** 16-bit floats are allowed and there. */
  readonly half: boolean;
  /** Shuffles between the lanes of a row are there. */
  readonly subgroups: boolean;
  /** A GPU played by the CPU, which wants much work in few threads. */
  readonly software: boolean;
}

/** What one call of a kernel works with. */
interface Call {
  readonly backend: WebGPUBackend;
  readonly traits: Traits;
  readonly inputs: Inputs;
  readonly attributes: Attributes;
}

type Run = (call: Call) => TensorInfo | TensorInfo[];

/** Training stays in 32 bits: a forward pass that records gradients counts as training. */
function mayBeHalf(traits: Traits): boolean {
  return traits.half && engine().state.gradientDepth === 0;
}

const runGemm: Run = ({ backend, traits, inputs, attributes }) => {
  const a = input(inputs, 'a', 2);
  const b = input(inputs, 'b', 2);
  const transposeA = attributes['transposeA'] === true;
  const transposeB = attributes['transposeB'] === true;
  const [m = 0, k = 0] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
  const [kB, n = 0] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
  assert(k === kB, `gemm of [${a.shape.join()}] and [${b.shape.join()}]: ${k} is not ${String(kB)}`);
  const bias = inputs['bias'] && shaped(inputs, 'bias', [n]);
  const residual = inputs['residual'] && input(inputs, 'residual', 2);
  assert(
    residual === undefined || (residual.shape[1] === n && m % (residual.shape[0] ?? 0) === 0),
    `gemm to [${m},${n}] with a residual of shape [${String(residual?.shape.join())}]`,
  );
  // Linear layers alone multiply by a transpose on the right only; their backward products do not.
  const half = transposeB && !transposeA && mayBeHalf(traits);
  const isGelu = attributes['gelu'] === true;
  const call = { a, b, bias, residual, transposeA, transposeB, gelu: isGelu, half, m, k, n };
  return gemm(backend, call, chooseTile(m, n, traits.software));
};

const columnSum: Run = ({ backend, inputs }) => {
  const x = input(inputs, 'x', 2);
  const [rows = 0, n = 0] = x.shape;
  return rowSum(backend, x, { batch: 1, rows, n, factor: 1 }, [n]);
};

const tokenMean: Run = ({ backend, inputs }) => {
  const x = input(inputs, 'x', 3);
  const [batch = 0, rows = 0, n = 0] = x.shape;
  return rowSum(backend, x, { batch, rows, n, factor: 1 / rows }, [batch, n]);
};

const runGelu: Run = ({ backend, inputs }) => {
  const x = input(inputs, 'x');
  return gelu(backend, x, sizeOf(x.shape), null);
};

const geluGrad: Run = ({ backend, inputs }) => {
  const x = input(inputs, 'x');
  return gelu(backend, x, sizeOf(x.shape), shaped(inputs, 'dy', x.shape));
};

function normCall({ traits, inputs, attributes }: Call): NormCall {
  const x = input(inputs, 'x');
  const d = x.shape.at(-1) ?? 0;
  assert(d > 0, `layer norm of shape [${x.shape.join()}]`);
  return {
    x,
    weight: shaped(inputs, 'weight', [d]),
    rows: sizeOf(x.shape) / d,
    d,
    epsilon: number(attributes, 'epsilon'),
    lanes: lanesOf(traits),
    subgroups: traits.subgroups,
  };
}

const lanesOf = ({ software }: Pick<Traits, 'software'>): number => (software ? 4 : 16);

const runLayerNorm: Run = (call) => {
  const norm = normCall(call);
  return layerNorm(call.backend, { ...norm, bias: shaped(call.inputs, 'bias', [norm.d]) });
};

const runLayerNormGrad: Run = (call) => {
  const norm = normCall(call);
  return layerNormGrad(call.backend, { ...norm, dy: shaped(call.inputs, 'dy', norm.x.shape) });
};

/** Sizes and buffers of either attention. */
function attentionCall(
  { inputs, attributes }: Call,
  self: boolean,
): { sizes: AttentionSizes; packing: Packing } {
  const first = input(inputs, self ? 'qkv' : 'q', 3);
  const [batch = 0, queries = 0, total = 0] = first.shape;
  const d = self ? total / 3 : total;
  const context = self ? first : input(inputs, 'kv', 3);
  const keys = context.shape[1] ?? 0;
  assert(
    context.shape[0] === batch && context.shape[2] === (self ? 3 : 2) * d && keys > 0,
    `attention of [${first.shape.join()}] to [${context.shape.join()}]`,
  );
  const heads = number(attributes, 'heads');
  assert(heads > 0 && d % heads === 0, `attention of width ${d} with ${heads} heads`);
  return {
    sizes: { batch, heads, width: d / heads, queries, keys },
    packing: self ? selfPacking(first) : crossPacking(first, context),
  };
}

function attentionTile({ software }: Traits): AttentionTile {
  return software ? { threads: 16, queries: 2, keys: 16 } : { threads: 64, queries: 1, keys: 16 };
}

function runAttention(call: Call, self: boolean): TensorInfo {
  const { sizes, packing } = attentionCall(call, self);
  const { batch, queries, heads, width } = sizes;
  const output = newTensor(call.backend, [batch, queries, heads * width]);
  const options = { tile: attentionTile(call.traits), half: mayBeHalf(call.traits) };
  attention(call.backend, sizes, packing, output, options);
  return output;
}

const selfAttentionGrad: Run = (call) => {
  const { sizes, packing } = attentionCall(call, true);
  const { batch, queries, heads, width } = sizes;
  const dy = shaped(call.inputs, 'dy', [batch, queries, heads * width]);
  const info = newTensor(call.backend, [batch, queries, 3 * heads * width]);
  const target = (part: Packing['q']): { info: TensorInfo; part: Packing['q'] } => ({
    info,
    part: { ...part, buffer: 'dqkv' },
  });
  attentionGrad(call.backend, sizes, packing, dy, {
    dq: target(packing.q),
    dk: target(packing.k),
    dv: target(packing.v),
  });
  return info;
};

const crossAttentionGrad: Run = (call) => {
  const { sizes, packing } = attentionCall(call, false);
  const { batch, queries, keys, heads, width } = sizes;
  const dy = shaped(call.inputs, 'dy', [batch, queries, heads * width]);
  const dq = newTensor(call.backend, [batch, queries, heads * width]);
  const dkv = newTensor(call.backend, [batch, keys, 2 * heads * width]);
  attentionGrad(call.backend, sizes, packing, dy, {
    dq: { info: dq, part: { ...packing.q, buffer: 'dq' } },
    dk: { info: dkv, part: { ...packing.k, buffer: 'dkv' } },
    dv: { info: dkv, part: { ...packing.v, buffer: 'dkv' } },
  });
  return [dq, dkv];
};

const gather: Run = ({ backend, inputs }) => {
  const x = input(inputs, 'x', 2);
  const indices = indexInput(inputs);
  return gatherRows(backend, x, indices, indices.shape[0] ?? 0, x.shape[1] ?? 0);
};

const scatter: Run = ({ backend, inputs, attributes }) => {
  const dy = input(inputs, 'dy', 2);
  const indices = indexInput(inputs);
  assert(
    indices.shape[0] === dy.shape[0],
    `${String(indices.shape[0])} indices for ${String(dy.shape[0])} rows`,
  );
  return scatterRows(backend, dy, indices, number(attributes, 'rows'), dy.shape[1] ?? 0);
};

const runs: Record<KernelName, Run> = {
  HicmaeGemm: runGemm,
  HicmaeColumnSum: columnSum,
  HicmaeGelu: runGelu,
  HicmaeGeluGrad: geluGrad,
  HicmaeLayerNorm: runLayerNorm,
  HicmaeLayerNormGrad: runLayerNormGrad,
  HicmaeSelfAttention: (call) => runAttention(call, true),
  HicmaeSelfAttentionGrad: selfAttentionGrad,
  HicmaeCrossAttention: (call) => runAttention(call, false),
  HicmaeCrossAttentionGrad: crossAttentionGrad,
  HicmaeTokenMean: tokenMean,
  HicmaeGatherRows: gather,
  HicmaeScatterRows: scatter,
};

/** Whether the kernels are in place, and which or why not, in words for a person. */
export interface Registration {
  readonly registered: boolean;
  readonly reason: string;
}

export interface WebgpuKernelOptions {
  /**
   * Allow 16-bit floats in forward products and attention where the device has `shader-f16`; sums stay in 32 bits, and
   * so does everything while gradients are recorded. Default false. Seen to run on Mesa's lavapipe alone (a GPU played
   * by the CPU), with kernels within 1e-3 of double precision: not yet on a real GPU.
   */
  readonly half?: boolean;
  /** Use subgroups where the device has them; default true. */
  readonly subgroups?: boolean;
  /** Tiles for a GPU played by the CPU; by default where the adapter says that it is one. */
  readonly software?: boolean;
}

let traits: Traits = { half: false, subgroups: false, software: false };
let inPlace = false;

/**
 * Registers the kernels for the backend `webgpu`, which must be initialized (`await setBackend('webgpu')`) but need not
 * be the current one. A later call only sets the options anew. Never rejects: where it declines, the composite ops
 * remain. The optional device features (`shader-f16`, `subgroups`) are there only on a device that asked for them; tfjs'
 * own does not, see startWebgpuBackend in backend.ts.
 * @returns the reason reads, for example, "own kernels", "own kernels, subgroups, 16-bit products"
 */
// eslint-disable-next-line @typescript-eslint/require-await -- one signature with the other backends' registrations
export async function registerWebgpuKernels(options: WebgpuKernelOptions = {}): Promise<Registration> {
  try {
    const backend = findBackend('webgpu') as unknown as WebGPUBackend | null;
    if (backend === null) {
      return { registered: false, reason: 'no kernels: the webgpu backend is not initialized' };
    }
    traits = traitsOf(backend, options);
    if (!inPlace) {
      for (const [kernelName, run] of Object.entries(runs)) {
        registerKernel({ kernelName, backendName: 'webgpu', kernelFunc: kernelFunc(run) });
      }
      inPlace = true;
    }
    const extras = [traits.subgroups ? ', subgroups' : '', traits.half ? ', 16-bit products' : ''];
    return { registered: true, reason: `own kernels${extras.join('')}` };
  } catch (error) {
    return {
      registered: false,
      reason: `no kernels: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** Whether the backend's GPU is played by the CPU. */
export function playedByCpu({ adapterInfo }: WebGPUBackend): boolean {
  return isSoftware(adapterInfo as unknown as GPUAdapterInfo);
}

function traitsOf(backend: WebGPUBackend, options: WebgpuKernelOptions): Traits {
  const { device } = backend;
  const software = options.software ?? playedByCpu(backend);
  // Not in every browser; without the size shuffles may not reach across a row.
  const info = device.adapterInfo as GPUAdapterInfo | undefined;
  const reach = device.features.has('subgroups') ? (info?.subgroupMinSize ?? 0) : 0;
  return {
    half: (options.half ?? false) && device.features.has('shader-f16'),
    subgroups: (options.subgroups ?? true) && reach >= lanesOf({ software }),
    software,
  };
}

function kernelFunc(run: Run): KernelFunc {
  return ({ inputs, attrs, backend }) =>
    run({ backend: backend as unknown as WebGPUBackend, traits, inputs, attributes: attrs ?? {} });
}
