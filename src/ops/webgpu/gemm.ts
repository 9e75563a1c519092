// Matrix product with bias, GELU and residual in one dispatch: tiles go through workgroup memory, and each thread keeps
// a block of the result in registers.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { dispatch, newTensor } from './runner.ts';
import type { Binding } from './runner.ts';
import { each, geluCode, loader, storer } from './wgsl.ts';

/** How a workgroup cuts the result: threads x times y, each with `rows` times `columns` numbers, multiples of 4. */
export interface Tile {
  readonly x: number;
  readonly y: number;
  readonly rows: number;
  readonly columns: number;
  /** Depth of a step through k. */
  readonly depth: number;
}

export interface GemmCall {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
  readonly bias?: TensorInfo | undefined;
  readonly residual?: TensorInfo | undefined;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly gelu: boolean;
  /** Tiles and products in 16-bit floats; sums stay in 32. */
  readonly half: boolean;
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

const large: Tile = { x: 16, y: 8, rows: 8, columns: 4, depth: 16 };
const small: Tile = { x: 8, y: 8, rows: 4, columns: 4, depth: 16 };
const onCpu: Tile = { x: 8, y: 4, rows: 8, columns: 8, depth: 16 };

/** @param software whether the CPU plays the GPU: then few threads with much work each are best */
export function chooseTile(m: number, n: number, software: boolean): Tile {
  if (software) return onCpu;
  // Fewer workgroups would leave most of a GPU idle.
  return Math.ceil(m / 64) * Math.ceil(n / 64) >= 48 ? large : small;
}

export function gemm(backend: WebGPUBackend, call: GemmCall, tile: Tile): TensorInfo {
  const { a, b, bias, residual, transposeA, transposeB, gelu, half, m, k, n } = call;
  const output = newTensor(backend, [m, n]);
  if (m === 0 || n === 0) return output;
  const vectorA = (transposeA ? m : k) % 4 === 0;
  const vectorB = (transposeB ? k : n) % 4 === 0;
  const vectorC = n % 4 === 0;
  const tail = k % tile.depth !== 0;
  const type = (vector: boolean): Binding['type'] => (vector ? 'vec4<f32>' : 'f32');
  const flags = { transposeA, transposeB, gelu, half, tail, bias: !!bias, residual: !!residual };
  dispatch(backend, {
    key: `gemm ${Object.values(tile).join('x')} ${Object.values(flags).map(Number).join('')}`,
    extensions: half ? ['f16'] : [],
    bindings: [
      { name: 'c', info: output, type: type(vectorC), written: true },
      { name: 'a', info: a, type: type(vectorA) },
      { name: 'b', info: b, type: type(vectorB) },
      ...(bias ? [{ name: 'bias', info: bias, type: type(vectorC) }] : []),
      ...(residual ? [{ name: 'residual', info: residual, type: type(vectorC) }] : []),
    ],
    u32: { m, k, n, residualRows: residual?.shape[0] ?? 1 },
    workgroups: [Math.ceil(n / (tile.x * tile.columns)), Math.ceil(m / (tile.y * tile.rows)), 1],
    code: () => gemmCode(tile, { ...flags, vectorA, vectorB, vectorC }),
  });
  return output;
}

interface Flags {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly gelu: boolean;
  readonly half: boolean;
  readonly tail: boolean;
  readonly bias: boolean;
  readonly residual: boolean;
  readonly vectorA: boolean;
  readonly vectorB: boolean;
  readonly vectorC: boolean;
}

function gemmCode(tile: Tile, flags: Flags): string {
  const { x, y, rows, columns, depth } = tile;
  const { transposeA, transposeB, gelu, half, tail, bias, residual, vectorA, vectorB, vectorC } = flags;
  const tileM = (y * rows) / 4;
  const tileN = (x * columns) / 4;
  const threads = x * y;
  const rowBlocks = rows / 4;
  const columnBlocks = columns / 4;
  const size = (transposed: boolean, outer: string): { rows: string; columns: string } =>
    transposed ? { rows: 'sizes.k', columns: outer } : { rows: outer, columns: 'sizes.k' };

  /** Blocks of 4 x 4 go to the tile as [k][outer], turned when memory runs along k. */
  const fill = (name: 'A' | 'B', outerBlocks: number, alongK: boolean): string => {
    const count = (outerBlocks * depth) / 4;
    const at = alongK
      ? `let k4 = i % ${depth / 4}u; let o4 = i / ${depth / 4}u;`
      : `let o4 = i % ${outerBlocks}u; let k4 = i / ${outerBlocks}u;`;
    const outer = `(first${name} + 4u * o4`;
    const load = (i: number): string =>
      alongK
        ? `load${name}(${outer} + ${i}u), start + 4u * k4)`
        : `load${name}(start + 4u * k4 + ${i}u, ${outer}))`;
    const put = (i: number): string => {
      const value = alongK ? `vec4<f32>(v0[${i}], v1[${i}], v2[${i}], v3[${i}])` : `v${i}`;
      return `tile${name}[(4u * k4 + ${i}u) * ${outerBlocks}u + o4] = Vector(${value});`;
    };
    const body = `${at}\n${each(4, (i) => `let v${i} = ${load(i)};`)}\n${each(4, put)}`;
    if (count === threads) return `{ let i = lane; ${body} }`;
    return `for (var i = lane; i < ${count}u; i += ${threads}u) { ${body} }`;
  };

  const sumName = (r: number, j: number): string => `s${r}_${j}`;
  const group = half ? 4 : 1;
  const loads = (u: number): string => `
    ${each(rowBlocks, (i) => `let a${u}_${i} = tileA[(p + ${u}u) * ${tileM}u + local.y * ${rowBlocks}u + ${i}u];`)}
    ${each(columnBlocks, (j) => `let b${u}_${j} = tileB[(p + ${u}u) * ${tileN}u + local.x * ${columnBlocks}u + ${j}u];`)}`;
  const product = (r: number, j: number): string => {
    const term = (u: number): string => `a${u}_${Math.floor(r / 4)}[${r % 4}] * b${u}_${j}`;
    const sum = each(group, term, ' + ');
    return `${sumName(r, j)} += ${half ? `vec4<f32>(${sum})` : sum};`;
  };

  const finish = (r: number, j: number): string => {
    const steps = [
      `let row = firstA + local.y * ${rows}u + ${r}u;`,
      `let column = firstB + local.x * ${columns}u + ${4 * j}u;`,
      `var value = ${sumName(r, j)};`,
      bias ? 'value += loadBias(0u, column);' : '',
      gelu ? 'value = gelu(value);' : '',
      residual ? 'value += loadResidual(row % sizes.residualRows, column);' : '',
      'store(row, column, value);',
    ];
    return `{ ${steps.join(' ')} }`;
  };
  const blocks = (text: (r: number, j: number) => string): string =>
    each(rows, (r) => each(columnBlocks, (j) => text(r, j)));

  return `
alias Vector = ${half ? 'vec4<f16>' : 'vec4<f32>'};
var<workgroup> tileA: array<Vector, ${tileM * depth}>;
var<workgroup> tileB: array<Vector, ${tileN * depth}>;
${loader('loadA', 'a', { vector: vectorA, ...size(transposeA, 'sizes.m'), guarded: tail })}
${loader('loadB', 'b', { vector: vectorB, ...size(!transposeB, 'sizes.n'), guarded: tail })}
${bias ? loader('loadBias', 'bias', { vector: vectorC, columns: 'sizes.n', guarded: false }) : ''}
${residual ? loader('loadResidual', 'residual', { vector: vectorC, columns: 'sizes.n', guarded: false }) : ''}
${storer('store', 'c', { vector: vectorC, rows: 'sizes.m', columns: 'sizes.n' })}
${gelu ? geluCode : ''}
@compute @workgroup_size(${x}, ${y})
fn main(
  @builtin(workgroup_id) groupId: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let firstA = groupId.y * ${4 * tileM}u;
  let firstB = groupId.x * ${4 * tileN}u;
  ${blocks((r, j) => `var ${sumName(r, j)} = vec4<f32>();`)}
  for (var start = 0u; start < sizes.k; start += ${depth}u) {
    ${fill('A', tileM, !transposeA)}
    ${fill('B', tileN, transposeB)}
    workgroupBarrier();
    for (var p = 0u; p < ${depth}u; p += ${group}u) {
      ${each(group, loads)}
      ${blocks(product)}
    }
    workgroupBarrier();
  }
  ${blocks(finish)}
}`;
}
