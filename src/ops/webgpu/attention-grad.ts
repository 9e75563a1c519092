// The backward pass of attention, also without the N x N matrix: the probabilities are made again from three numbers
// per query, by the very operations of the forward pass (large scores would not forgive another rounding). Gradients of
// queries, keys and values are one shader: "own" tokens in a thread's registers meet "other" ones in workgroup memory.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { attention } from './attention.ts';
import type { Packing } from './attention.ts';
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
import { dispatch, newTensor } from './runner.ts';
import { each } from './wgsl.ts';

const threads = 64;
const tileRows = 8;

/** Where the gradients go: packed as their inputs are. */
export interface GradientTargets {
  readonly dq: { readonly info: TensorInfo; readonly part: Part };
  readonly dk: { readonly info: TensorInfo; readonly part: Part };
  readonly dv: { readonly info: TensorInfo; readonly part: Part };
}

export function attentionGrad(
  backend: WebGPUBackend,
  sizes: AttentionSizes,
  packing: Packing,
  dy: TensorInfo,
  targets: GradientTargets,
): void {
  const { batch, heads, queries, keys, width } = sizes;
  const statistics = newTensor(backend, [batch, heads, queries, 3]);
  const tile = { threads, queries: 1, keys: 16 };
  attention(backend, sizes, packing, statistics, { tile, half: false, dy });
  for (const wanted of ['dq', 'dk', 'dv'] as const) {
    const { info, part } = targets[wanted];
    dispatch(backend, {
      key: `attention gradient ${wanted} ${width}`,
      bindings: [
        headBinding(part.buffer, info, width, true),
        ...packing.buffers.map(({ name, info: buffer }) => headBinding(name, buffer, width)),
        headBinding('dy', dy, width),
        { name: 'statistics', info: statistics, type: 'f32' },
      ],
      u32: sizeNumbers(sizes),
      workgroups: [Math.ceil((wanted === 'dq' ? queries : keys) / threads), batch * heads, 1],
      code: () => gradientCode(packing, part, wanted, width),
    });
  }
  backend.disposeData(statistics.dataId);
}

function gradientCode({ q, k, v }: Packing, target: Part, wanted: 'dq' | 'dk' | 'dv', width: number): string {
  const pieces = piecesOf(width);
  const dy: Part = { buffer: 'dy', tokens: 'sizes.queries', of: 1, index: 0 };
  const ofQuery = wanted === 'dq';
  // With queries as own: s = q . k, dp = dy . v. With keys as own the same the other way round.
  const [ownScore, ownValue, otherScore, otherValue] = ofQuery ? [q, dy, k, v] : [k, v, q, dy];
  const otherTokens = ofQuery ? 'sizes.keys' : 'sizes.queries';
  const needsValue = wanted !== 'dv';
  const scale = 1 / Math.sqrt(width);
  const statisticsOf = (query: string): string =>
    `let at = 3u * (groupId.y * sizes.queries + min(${query}, sizes.queries - 1u));
    let most = statistics[at]; let share = statistics[at + 1u];
    ${needsValue ? 'let along = statistics[at + 2u];' : ''}`;
  const perPiece = (text: (c: number) => string, joint?: string): string => each(pieces, text, joint);
  return `
${tiles(['tileScore', 'tileValue'], tileRows, width, false)}
${headLoader('loadOwnScore', ownScore, width)}
${needsValue ? headLoader('loadOwnValue', ownValue, width) : ''}
${headLoader('loadScore', otherScore, width)}
${headLoader('loadValue', otherValue, width)}
${headStorer('store', target, width)}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) groupId: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  ${clipAndHead}
  let token = groupId.x * ${threads}u + lane;
  ${perPiece(
    (c) => `let a${c} = loadOwnScore(clip, head, token, ${c}u);
  ${needsValue ? `let b${c} = loadOwnValue(clip, head, token, ${c}u);` : ''}
  var sum${c} = vec4<f32>();`,
  )}
  ${ofQuery ? statisticsOf('token') : ''}
  for (var first = 0u; first < ${otherTokens}; first += ${tileRows}u) {
    ${fillTiles(
      [
        ['tileScore', 'loadScore'],
        ['tileValue', 'loadValue'],
      ],
      tileRows,
      width,
      threads,
      false,
    )}
    let count = min(${tileRows}u, ${otherTokens} - first);
    for (var j = 0u; j < count; j++) {
      ${ofQuery ? '' : statisticsOf('first + j')}
      let row = j * ${pieces}u;
      let score = ${perPiece((c) => `dot(a${c}, tileScore[row + ${c}u])`, ' + ')};
      let probability = exp2(${Math.LOG2E / Math.sqrt(width)} * score - most) * share;
      ${
        needsValue
          ? `let dProbability = ${perPiece((c) => `dot(b${c}, tileValue[row + ${c}u])`, ' + ')};
      let factor = probability * (dProbability - along) * ${scale};
      ${perPiece((c) => `sum${c} += factor * tileScore[row + ${c}u];`)}`
          : perPiece((c) => `sum${c} += probability * tileValue[row + ${c}u];`)
      }
    }
  }
  ${perPiece((c) => `store(clip, head, token, ${c}u, sum${c});`)}
}`;
}
