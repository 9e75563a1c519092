// How attention finds one head's numbers in packed features: [B, N, 3D] or [B, N, 2D] or [B, N, D], read with strides.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Binding } from './runner.ts';
import { each } from './wgsl.ts';

/** One of q, k, v or a gradient inside a packed tensor. */
export interface Part {
  readonly buffer: string;
  /** Tokens of a clip, an expression. */
  readonly tokens: string;
  /** Of packed parts: how many, and which one. */
  readonly of: 1 | 2 | 3;
  readonly index: 0 | 1 | 2;
}

/** What every attention kernel is told. */
export interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  /** Of one head. */
  readonly width: number;
  readonly queries: number;
  readonly keys: number;
}

/** The four-number pieces of a head. */
export const piecesOf = (width: number): number => Math.ceil(width / 4);

export const isVector = (width: number): boolean => width % 4 === 0;

export function headBinding(name: string, info: TensorInfo, width: number, written = false): Binding {
  return { name, info, type: isVector(width) ? 'vec4<f32>' : 'f32', written };
}

/** Numbers that the code reads as `sizes.*`. */
export function sizeNumbers(sizes: AttentionSizes): Record<string, number> {
  const { heads, queries, keys } = sizes;
  return { heads, queries, keys };
}

/** `let clip`, `let head` from the group's number. */
export const clipAndHead = 'let clip = groupId.y / sizes.heads; let head = groupId.y % sizes.heads;';

const base = ({ tokens, of, index }: Part, width: number): string =>
  `((clip * ${tokens} + token) * ${of}u + ${index}u) * (sizes.heads * ${width}u) + head * ${width}u`;

/** fn NAME(clip, head, token, piece) -> vec4<f32>, zeros for tokens past the last. */
export function headLoader(name: string, part: Part, width: number): string {
  const first = base(part, width);
  const read = isVector(width)
    ? `return ${part.buffer}[(${first}) / 4u + piece];`
    : `let at = ${first} + 4u * piece; var value = vec4<f32>();
  ${each(4, (i) => `if (4u * piece + ${i}u < ${width}u) { value[${i}] = ${part.buffer}[at + ${i}u]; }`)}
  return value;`;
  return `fn ${name}(clip: u32, head: u32, token: u32, piece: u32) -> vec4<f32> {
  if (token >= ${part.tokens}) { return vec4<f32>(); }
  ${read}
}`;
}

/** fn NAME(clip, head, token, piece, value), which ignores tokens past the last. */
export function headStorer(name: string, part: Part, width: number): string {
  const first = base(part, width);
  const write = isVector(width)
    ? `${part.buffer}[(${first}) / 4u + piece] = value;`
    : `let at = ${first} + 4u * piece;
  ${each(4, (i) => `if (4u * piece + ${i}u < ${width}u) { ${part.buffer}[at + ${i}u] = value[${i}]; }`)}`;
  return `fn ${name}(clip: u32, head: u32, token: u32, piece: u32, value: vec4<f32>) {
  if (token >= ${part.tokens}) { return; }
  ${write}
}`;
}

/** Workgroup tiles `name` of `rows` tokens, filled by {@link fillTiles}. */
export function tiles(names: readonly string[], rows: number, width: number, half: boolean): string {
  const type = half ? 'vec4<f16>' : 'vec4<f32>';
  return names.map((name) => `var<workgroup> ${name}: array<${type}, ${rows * piecesOf(width)}>;`).join('\n');
}

/** Fills tiles with tokens from `first` on; [tile, loader] each. */
export function fillTiles(
  pairs: readonly (readonly [tile: string, load: string])[],
  rows: number,
  width: number,
  threads: number,
  half: boolean,
): string {
  const pieces = piecesOf(width);
  const type = half ? 'vec4<f16>' : 'vec4<f32>';
  const puts = pairs.map(
    ([tile, load]) => `${tile}[i] = ${type}(${load}(clip, head, first + i / ${pieces}u, i % ${pieces}u));`,
  );
  return `workgroupBarrier();
  for (var i = lane; i < ${rows * pieces}u; i += ${threads}u) { ${puts.join(' ')} }
  workgroupBarrier();`;
}
