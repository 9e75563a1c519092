// Layer norm, a group of lanes per row: the row is read once, into registers, and summed across its lanes.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { dispatch, grid, newTensor } from './runner.ts';
import { each, flatGroup, groupParameters, loader, storer } from './wgsl.ts';

export interface NormCall {
  readonly x: TensorInfo;
  readonly weight: TensorInfo;
  readonly rows: number;
  readonly d: number;
  readonly epsilon: number;
  /** Lanes of a row, a power of two up to 64. */
  readonly lanes: number;
  /** Sum across lanes by shuffles, without workgroup memory: the lanes of a row lie in one subgroup. */
  readonly subgroups: boolean;
}

const threads = 64;

export function layerNorm(
  backend: WebGPUBackend,
  call: NormCall & { readonly bias: TensorInfo },
): TensorInfo {
  const { x, weight, bias, rows, d, epsilon, lanes, subgroups } = call;
  const output = newTensor(backend, x.shape);
  const vector = d % 4 === 0;
  const type = vector ? 'vec4<f32>' : 'f32';
  dispatch(backend, {
    key: `layer norm ${d} ${lanes} ${subgroups}`,
    extensions: subgroups ? ['subgroups'] : [],
    bindings: [
      { name: 'y', info: output, type, written: true },
      { name: 'x', info: x, type },
      { name: 'weight', info: weight, type },
      { name: 'bias', info: bias, type },
    ],
    u32: { rows },
    f32: { epsilon },
    workgroups: grid(Math.ceil(rows / (threads / lanes))),
    code: () => `
${loader('loadBias', 'bias', { vector, columns: `${d}u` })}
${normCode(d, vector, lanes, subgroups)}
  ${perPiece(
    d,
    lanes,
    (c) =>
      `{ let column = ${columnOf(c, lanes)}; store(row, column, x${c} * scale * loadWeight(0u, column) + loadBias(0u, column)); }`,
  )}
}`,
  });
  return output;
}

/** @returns [dx, dWeight, dBias] */
export function layerNormGrad(
  backend: WebGPUBackend,
  call: NormCall & { readonly dy: TensorInfo },
): TensorInfo[] {
  const { x, weight, dy, rows, d, epsilon, lanes, subgroups } = call;
  const vector = d % 4 === 0;
  const type = vector ? 'vec4<f32>' : 'f32';
  const dx = newTensor(backend, x.shape);
  const statistics = newTensor(backend, [rows, 2]);
  dispatch(backend, {
    key: `layer norm gradient ${d} ${lanes} ${subgroups}`,
    extensions: subgroups ? ['subgroups'] : [],
    bindings: [
      { name: 'y', info: dx, type, written: true },
      { name: 'x', info: x, type },
      { name: 'weight', info: weight, type },
      { name: 'dy', info: dy, type },
      { name: 'statistics', info: statistics, type: 'f32', written: true },
    ],
    u32: { rows },
    f32: { epsilon },
    workgroups: grid(Math.ceil(rows / (threads / lanes))),
    code: () => `
${loader('loadDy', 'dy', { vector, rows: 'sizes.rows', columns: `${d}u` })}
${normCode(d, vector, lanes, subgroups)}
  var scaled = 0.0;
  var along = 0.0;
  ${perPiece(
    d,
    lanes,
    (c) => `let column${c} = ${columnOf(c, lanes)};
  let g${c} = loadDy(row, column${c}) * loadWeight(0u, column${c});
  scaled += g${c}.x + g${c}.y + g${c}.z + g${c}.w;
  along += dot(g${c}, x${c}) * scale;`,
  )}
  scaled = sumOfRow(lane, scaled) / ${d}.0;
  along = sumOfRow(lane, along) / ${d}.0;
  ${perPiece(d, lanes, (c) => `store(row, column${c}, scale * (g${c} - scaled - x${c} * scale * along));`)}
  if (part == 0u && row < sizes.rows) {
    statistics[2u * row] = mean;
    statistics[2u * row + 1u] = scale;
  }
}`,
  });
  const dWeight = newTensor(backend, [d]);
  const dBias = newTensor(backend, [d]);
  dispatch(backend, {
    key: 'layer norm parameter gradient',
    bindings: [
      { name: 'dWeight', info: dWeight, type: 'f32', written: true },
      { name: 'dBias', info: dBias, type: 'f32', written: true },
      { name: 'x', info: x, type: 'f32' },
      { name: 'dy', info: dy, type: 'f32' },
      { name: 'statistics', info: statistics, type: 'f32' },
    ],
    u32: { rows, d },
    workgroups: [Math.ceil(d / 8), 1, 1],
    code: () => parameterCode,
  });
  backend.disposeData(statistics.dataId);
  return [dx, dWeight, dBias];
}

const columnOf = (c: number, lanes: number): string => `4u * (part + ${c * lanes}u)`;

/** Text for each four-number piece that a lane holds. */
function perPiece(d: number, lanes: number, text: (c: number) => string): string {
  return each(Math.ceil(d / 4 / lanes), text);
}

/** Up to where `x0`, `x1`, .. are the lane's pieces of the row less its mean, and `scale` is 1 / deviation. */
function normCode(d: number, vector: boolean, lanes: number, subgroups: boolean): string {
  const columns = `${d}u`;
  // Numbers past the row's end must not count as differences from the mean.
  const inside = (c: number): string => {
    const column = columnOf(c, lanes);
    if (vector) {
      return d % (4 * lanes) === 0
        ? `x${c} - mean`
        : `select(vec4<f32>(), x${c} - mean, ${column} < ${columns})`;
    }
    return `select(vec4<f32>(), x${c} - mean, vec4<u32>(${each(4, (i) => `${column} + ${i}u`, ', ')}) < vec4<u32>(${columns}))`;
  };
  const sum = subgroups
    ? `fn sumOfRow(lane: u32, value: f32) -> f32 {
  var sum = value;
  ${each(Math.log2(lanes), (i) => `sum += subgroupShuffleXor(sum, ${2 ** i}u);`)}
  return sum;
}`
    : `var<workgroup> sums: array<f32, ${threads}>;
fn sumOfRow(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  sums[lane] = value;
  workgroupBarrier();
  let first = lane & ${threads - lanes}u;
  return ${each(lanes, (i) => `sums[first + ${i}u]`, ' + ')};
}`;
  return `
${loader('loadX', 'x', { vector, rows: 'sizes.rows', columns })}
${loader('loadWeight', 'weight', { vector, columns })}
${storer('store', 'y', { vector, rows: 'sizes.rows', columns })}
${sum}
@compute @workgroup_size(${threads})
fn main(${groupParameters}) {
  ${flatGroup}
  let row = group * ${threads / lanes}u + lane / ${lanes}u;
  let part = lane % ${lanes}u;
  var sum = 0.0;
  ${perPiece(d, lanes, (c) => `var x${c} = loadX(row, ${columnOf(c, lanes)}); sum += x${c}.x + x${c}.y + x${c}.z + x${c}.w;`)}
  let mean = sumOfRow(lane, sum) / ${d}.0;
  var squares = 0.0;
  ${perPiece(d, lanes, (c) => `x${c} = ${inside(c)}; squares += dot(x${c}, x${c});`)}
  let scale = inverseSqrt(sumOfRow(lane, squares) / ${d}.0 + sizes.epsilon);`;
}

/** 8 columns a workgroup, 32 threads along the rows of each. */
const parameterCode = `
var<workgroup> sums: array<vec2<f32>, 256>;
@compute @workgroup_size(8, 32)
fn main(
  @builtin(workgroup_id) groupId: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = groupId.x * 8u + local.x;
  var sum = vec2<f32>();
  if (column < sizes.d) {
    for (var row = local.y; row < sizes.rows; row += 32u) {
      let g = dy[row * sizes.d + column];
      sum += vec2<f32>(g * (x[row * sizes.d + column] - statistics[2u * row]) * statistics[2u * row + 1u], g);
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (local.y == 0u && column < sizes.d) {
    for (var i = 1u; i < 32u; i++) { sum += sums[i * 8u + local.x]; }
    dWeight[column] = sum.x;
    dBias[column] = sum.y;
  }
}`;
