// Attention without the N x N matrix in memory: each thread walks all keys for its queries and keeps a running softmax.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import {
  clipAndHead,
  fillTiles,
  headBinding,
  headLoader,
  headStorer,
  piecesOf,
  sizeNumbers,
  tiles,
} from './heads.ts';
import type { AttentionSizes, Part } from './heads.ts';
import { dispatch } from './runner.ts';
import type { Binding } from './runner.ts';
import { each } from './wgsl.ts';

/** Where q, k and v lie. Self-attention has one buffer, named once. */
export interface Packing {
  readonly buffers: readonly { readonly name: string; readonly info: TensorInfo }[];
  readonly q: Part;
  readonly k: Part;
  readonly v: Part;
}

export function selfPacking(qkv: TensorInfo): Packing {
  const part = (index: 0 | 1 | 2): Part => ({ buffer: 'qkv', tokens: 'sizes.queries', of: 3, index });
  return { buffers: [{ name: 'qkv', info: qkv }], q: part(0), k: part(1), v: part(2) };
}

export function crossPacking(q: TensorInfo, kv: TensorInfo): Packing {
  const part = (index: 0 | 1): Part => ({ buffer: 'kv', tokens: 'sizes.keys', of: 2, index });
  return {
    buffers: [
      { name: 'q', info: q },
      { name: 'kv', info: kv },
    ],
    q: { buffer: 'q', tokens: 'sizes.queries', of: 1, index: 0 },
    k: part(0),
    v: part(1),
  };
}

/** How the work is cut: threads of a workgroup, queries of a thread, keys of a tile (a multiple of 4). */
export interface AttentionTile {
  readonly threads: number;
  readonly queries: number;
  readonly keys: number;
}

/**
 * y = softmax(q k^T / sqrt(width)) v per head.
 * @param output y [B, Nq, D]; or, with `dy`, [B, heads, Nq, 3]: what the backward pass needs of each query, the
 *   largest of its scores (times log2(e)), one over its softmax's sum, and dy . y
 */
export function attention(
  backend: WebGPUBackend,
  sizes: AttentionSizes,
  packing: Packing,
  output: TensorInfo,
  options: { tile: AttentionTile; half: boolean; dy?: TensorInfo },
): void {
  const { tile, half, dy } = options;
  const { width } = sizes;
  const target: Binding =
    dy === undefined
      ? headBinding('y', output, width, true)
      : { name: 'statistics', info: output, type: 'f32', written: true };
  dispatch(backend, {
    key: `attention ${width} ${Object.values(tile).join('x')} ${half}`,
    extensions: half ? ['f16'] : [],
    bindings: [
      target,
      ...packing.buffers.map(({ name, info }) => headBinding(name, info, width)),
      ...(dy ? [headBinding('dy', dy, width)] : []),
    ],
    u32: sizeNumbers(sizes),
    workgroups: [Math.ceil(sizes.queries / (tile.threads * tile.queries)), sizes.batch * sizes.heads, 1],
    code: () => attentionCode(packing, width, tile, half, dy !== undefined),
  });
}

function attentionCode(
  { q, k, v }: Packing,
  width: number,
  { threads, queries, keys }: AttentionTile,
  half: boolean,
  statistics: boolean,
): string {
  const pieces = piecesOf(width);
  const own: Part = { buffer: statistics ? 'dy' : 'y', tokens: 'sizes.queries', of: 1, index: 0 };
  const perQuery = (text: (i: number) => string): string => each(queries, text);
  const perPiece = (text: (c: number) => string): string => each(pieces, text);
  // exp2 is the GPU's own; the scores carry log2(e).
  const scale = Math.LOG2E / Math.sqrt(width);
  const read = (name: string, row: number, c: number): string =>
    `vec4<f32>(${name}[(j + ${row}u) * ${pieces}u + ${c}u])`;
  const finish = (i: number): string =>
    statistics
      ? `{
    let token = query + ${i}u;
    if (token < sizes.queries) {
      let at = 3u * (groupId.y * sizes.queries + token);
      statistics[at] = most${i};
      statistics[at + 1u] = 1.0 / total${i};
      statistics[at + 2u] = (${each(pieces, (c) => `dot(o${i}_${c}, loadOwn(clip, head, token, ${c}u))`, ' + ')}) / total${i};
    }
  }`
      : perPiece((c) => `store(clip, head, query + ${i}u, ${c}u, o${i}_${c} / total${i});`);
  return `
${tiles(['tileK', 'tileV'], keys, width, half)}
${headLoader('loadQ', q, width)}
${headLoader('loadK', k, width)}
${headLoader('loadV', v, width)}
${statistics ? headLoader('loadOwn', own, width) : headStorer('store', own, width)}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) groupId: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  ${clipAndHead}
  let query = (groupId.x * ${threads}u + lane) * ${queries}u;
  ${perQuery((i) =>
    perPiece(
      (c) => `let q${i}_${c} = loadQ(clip, head, query + ${i}u, ${c}u); var o${i}_${c} = vec4<f32>();`,
    ),
  )}
  ${perQuery((i) => `var most${i} = -3.4e38; var total${i} = 0.0;`)}
  for (var first = 0u; first < sizes.keys; first += ${keys}u) {
    ${fillTiles(
      [
        ['tileK', 'loadK'],
        ['tileV', 'loadV'],
      ],
      keys,
      width,
      threads,
      half,
    )}
    let count = min(${keys}u, sizes.keys - first);
    for (var j = 0u; j < count; j += 4u) {
      ${perQuery((i) => `var s${i} = vec4<f32>();`)}
      ${perPiece(
        (c) => `{
        ${each(4, (r) => `let x${r} = ${read('tileK', r, c)};`)}
        ${perQuery((i) => `s${i} += vec4<f32>(${each(4, (r) => `dot(q${i}_${c}, x${r})`, ', ')});`)}
      }`,
      )}
      ${perQuery((i) => `s${i} *= ${scale};`)}
      if (j + 4u > count) {
        let past = vec4<u32>(j, j + 1u, j + 2u, j + 3u) >= vec4<u32>(count);
        ${perQuery((i) => `s${i} = select(s${i}, vec4<f32>(-3.4e38), past);`)}
      }
      ${perQuery(
        (i) => `let best${i} = max(most${i}, max(max(s${i}.x, s${i}.y), max(s${i}.z, s${i}.w)));
      let fade${i} = exp2(most${i} - best${i});
      let p${i} = exp2(s${i} - best${i});
      most${i} = best${i};
      total${i} = total${i} * fade${i} + (p${i}.x + p${i}.y + p${i}.z + p${i}.w);`,
      )}
      ${perPiece(
        (c) => `{
        ${each(4, (r) => `let x${r} = ${read('tileV', r, c)};`)}
        ${perQuery((i) => `o${i}_${c} = o${i}_${c} * fade${i} + ${each(4, (r) => `p${i}[${r}] * x${r}`, ' + ')};`)}
      }`,
      )}
    }
  }
  ${perQuery(finish)}
}`;
}
