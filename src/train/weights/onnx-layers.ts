// HiCMAE's layers as ONNX nodes, by their official parameter names. Tokens flow as rows [B * N, D], so that every
// linear layer is one Gemm with its bias inside and the batch's size stays open.
import { assert, defined } from '../../base/assert.ts';
import type { TensorMap } from '../../weights/safetensors.ts';
import type { OnnxAttribute, OnnxConstant, OnnxNode } from './onnx-file.ts';

/**
 * How attention is written: `standard` in ONNX's own operators, which every runtime has; `fused` with ONNX Runtime's
 * com.microsoft.MultiHeadAttention. On ONNX Runtime's wasm `standard` is as fast or a little faster; on its WebGPU `fused`
 * avoids the matrix of scores.
 */
export type AttentionForm = 'standard' | 'fused';

/** A graph in the making. Values and nodes share their names. */
export interface GraphDraft {
  readonly tensors: TensorMap;
  readonly heads: number;
  readonly attention: AttentionForm;
  readonly nodes: OnnxNode[];
  readonly constants: Map<string, OnnxConstant>;
}

/** Rows of tokens: the value's name and how many tokens each clip has. */
export interface Rows {
  readonly value: string;
  readonly tokens: number;
}

/** HiCMAE's epsilon, as in ops/layer-norm.ts. */
const layerNormEpsilon = 1e-6;

export function draftGraph(tensors: TensorMap, heads: number, attention: AttentionForm): GraphDraft {
  return { tensors, heads, attention, nodes: [], constants: new Map() };
}

/** Adds a node with one output. @returns the output's name */
export function put(
  draft: GraphDraft,
  name: string,
  op: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
  domain: OnnxNode['domain'] = '',
): string {
  draft.nodes.push({ name, op, domain, inputs, outputs: [name], attributes });
  return name;
}

/** Adds a constant, once. @returns its name */
export function constant(
  draft: GraphDraft,
  name: string,
  shape: readonly number[],
  make: () => OnnxConstant['data'],
): string {
  if (!draft.constants.has(name)) draft.constants.set(name, { name, shape, data: make() });
  return name;
}

/** Whole numbers as an input: a shape, axes or sizes. */
export function integers(draft: GraphDraft, values: readonly number[]): string {
  return constant(draft, `[${values.join()}]`, [values.length], () => BigInt64Array.from(values, BigInt));
}

export function reshape(draft: GraphDraft, name: string, x: string, shape: readonly number[]): string {
  return put(draft, name, 'Reshape', [x, integers(draft, shape)]);
}

/** A parameter by its official name. */
function tensorOf(draft: GraphDraft, name: string): TensorMap[string] {
  return defined(draft.tensors[name], `parameter ${name}`);
}

/** A parameter as it is. */
export function parameter(draft: GraphDraft, name: string): string {
  const { shape, data } = tensorOf(draft, name);
  return constant(draft, name, shape, () => data);
}

/** D: the width of what a norm of this name reads. */
export function widthOf(draft: GraphDraft, norm: string): number {
  return tensorOf(draft, `${norm}.weight`).data.length;
}

/** A linear layer's [O, I] weight as [I, O], which runtimes pack once and multiply fastest. */
function turned(draft: GraphDraft, name: string, order?: (input: number) => number): string {
  const { shape, data } = tensorOf(draft, name);
  const outputs = defined(shape[0], 'outputs');
  const inputs = data.length / outputs;
  return constant(draft, name, [inputs, outputs], () => {
    const out = new Float32Array(data.length);
    for (let i = 0; i < inputs; i++) {
      const from = order?.(i) ?? i;
      for (let o = 0; o < outputs; o++) out[i * outputs + o] = data[o * inputs + from] ?? NaN;
    }
    return out;
  });
}

/**
 * rows @ weight^T + bias.
 * @param bias name of a value [O]
 * @param order row i of the turned weight is the official weight's column order(i)
 */
export function linear(
  draft: GraphDraft,
  name: string,
  x: string,
  weight: string,
  bias: string,
  order?: (input: number) => number,
): string {
  return put(draft, name, 'Gemm', [x, turned(draft, weight, order), bias]);
}

/** A linear layer with weight and bias under its own name. */
export function project(draft: GraphDraft, name: string, x: string): string {
  return linear(draft, `${name}/out`, x, `${name}.weight`, parameter(draft, `${name}.bias`));
}

/** @param of makes the node's name differ when one norm is used more than once */
export function norm(draft: GraphDraft, name: string, x: string, of = ''): string {
  const inputs = [x, parameter(draft, `${name}.weight`), parameter(draft, `${name}.bias`)];
  return put(draft, `${name}/out${of}`, 'LayerNormalization', inputs, {
    axis: -1,
    epsilon: { float: layerNormEpsilon },
  });
}

/** Biases joined: null is D zeros, for the keys have none. */
function joinedBias(draft: GraphDraft, name: string, parts: readonly (string | null)[]): string {
  const known = parts.map((part) => part && tensorOf(draft, part).data);
  const width = defined(
    known.find((part) => part !== null),
    'bias',
  ).length;
  return constant(draft, name, [parts.length * width], () => {
    const out = new Float32Array(parts.length * width);
    known.forEach((part, i) => {
      if (part) out.set(part, i * width);
    });
    return out;
  });
}

/** [B * N, count * D] rows to `count` values [B, N, D]. */
function split(
  draft: GraphDraft,
  name: string,
  x: string,
  tokens: number,
  count: number,
  width: number,
): string[] {
  const clips = reshape(draft, `${name}/clips`, x, [-1, tokens, count * width]);
  const outputs = Array.from({ length: count }, (_, i) => `${name}/part${String(i)}`);
  draft.nodes.push({
    name: `${name}/split`,
    op: 'Split',
    domain: '',
    inputs: [
      clips,
      integers(
        draft,
        outputs.map(() => width),
      ),
    ],
    outputs,
    attributes: { axis: 2 },
  });
  return outputs;
}

/** softmax(q k^T / sqrt(D / heads)) v per head. q [B, Nq, D], k and v [B, Nk, D] -> rows [B * Nq, D]. */
function attend(
  draft: GraphDraft,
  name: string,
  [q, k, v]: readonly [string, string, string],
  tokens: number,
  contextTokens: number,
  width: number,
): string {
  const { heads } = draft;
  assert(width % heads === 0, `${String(heads)} heads of width ${String(width)}`);
  const headWidth = width / heads;
  const scale = headWidth ** -0.5;
  if (draft.attention === 'fused') {
    const attributes = { num_heads: heads, scale: { float: scale } };
    const joined = put(draft, `${name}/attend`, 'MultiHeadAttention', [q, k, v], attributes, 'com.microsoft');
    return reshape(draft, `${name}/rows`, joined, [-1, width]);
  }
  const perHead = (x: string, part: string, count: number, perm: readonly number[]): string =>
    put(
      draft,
      `${name}/${part}_heads`,
      'Transpose',
      [reshape(draft, `${name}/${part}_split`, x, [-1, count, heads, headWidth])],
      { perm },
    );
  const qHeads = perHead(q, 'q', tokens, [0, 2, 1, 3]);
  const kHeads = perHead(k, 'k', contextTokens, [0, 2, 3, 1]);
  const vHeads = perHead(v, 'v', contextTokens, [0, 2, 1, 3]);
  const factor = constant(draft, 'attention_scale', [], () => Float32Array.of(scale));
  const scaled = put(draft, `${name}/q_scaled`, 'Mul', [qHeads, factor]);
  const scores = put(draft, `${name}/scores`, 'MatMul', [scaled, kHeads]);
  const shares = put(draft, `${name}/shares`, 'Softmax', [scores], { axis: -1 });
  const mixed = put(draft, `${name}/mixed`, 'MatMul', [shares, vHeads]);
  const byToken = put(draft, `${name}/by_token`, 'Transpose', [mixed], { perm: [0, 2, 1, 3] });
  return reshape(draft, `${name}/rows`, byToken, [-1, width]);
}

/** x + attn(LN(x)), then + MLP(LN(that)): the official Block. */
export function block(draft: GraphDraft, name: string, { value: x, tokens }: Rows): Rows {
  const width = widthOf(draft, `${name}.norm1`);
  const attn = `${name}.attn`;
  const bias = joinedBias(draft, `${attn}.qkv.bias`, [`${attn}.q_bias`, null, `${attn}.v_bias`]);
  const qkv = linear(draft, `${attn}.qkv/out`, norm(draft, `${name}.norm1`, x), `${attn}.qkv.weight`, bias);
  const [q = '', k = '', v = ''] = split(draft, attn, qkv, tokens, 3, width);
  const attended = project(draft, `${attn}.proj`, attend(draft, attn, [q, k, v], tokens, tokens, width));
  const middle = put(draft, `${name}/middle`, 'Add', [x, attended]);
  const hidden = project(draft, `${name}.mlp.fc1`, norm(draft, `${name}.norm2`, middle));
  const active = put(draft, `${name}.mlp.gelu/out`, 'Gelu', [hidden], { approximate: 'none' });
  const refined = project(draft, `${name}.mlp.fc2`, active);
  return { value: put(draft, `${name}/out`, 'Add', [middle, refined]), tokens };
}

/** x + cross(LN(x), LN(context)), then a {@link block}. */
export function crossBlock(draft: GraphDraft, name: string, x: Rows, context: Rows): Rows {
  const width = widthOf(draft, `${name}.cross_norm1`);
  const cross = `${name}.cross_attn`;
  const query = norm(draft, `${name}.cross_norm1`, x.value);
  const q = linear(draft, `${cross}.q/out`, query, `${cross}.q.weight`, parameter(draft, `${cross}.q_bias`));
  const qClips = reshape(draft, `${cross}.q/clips`, q, [-1, x.tokens, width]);
  const bias = joinedBias(draft, `${cross}.kv.bias`, [null, `${cross}.v_bias`]);
  const read = norm(draft, `${name}.cross_norm2`, context.value);
  const kv = linear(draft, `${cross}.kv/out`, read, `${cross}.kv.weight`, bias);
  const [k = '', v = ''] = split(draft, cross, kv, context.tokens, 2, width);
  const mixed = attend(draft, cross, [qClips, k, v], x.tokens, context.tokens, width);
  const attended = project(draft, `${cross}.proj`, mixed);
  const middle = put(draft, `${name}/crossed`, 'Add', [x.value, attended]);
  return block(draft, name, { value: middle, tokens: x.tokens });
}

/** Mean over tokens, kept as a dimension of one: rows [B * N, D] -> [B, 1, D]. */
export function tokenMean(draft: GraphDraft, name: string, { value, tokens }: Rows, width: number): string {
  const clips = reshape(draft, `${name}/clips`, value, [-1, tokens, width]);
  return put(draft, `${name}/mean`, 'ReduceMean', [clips, integers(draft, [1])], { keepdims: 1 });
}
