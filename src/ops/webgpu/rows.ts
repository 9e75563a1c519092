// Sums over rows, and rows chosen by number.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { dispatch, grid, newTensor } from './runner.ts';
import { flatGroup, groupParameters } from './wgsl.ts';

/** `factor` times the sum over the middle dimension: [batch, rows, n] -> `shape`. */
export function rowSum(
  backend: WebGPUBackend,
  x: TensorInfo,
  sizes: { readonly batch: number; readonly rows: number; readonly n: number; readonly factor: number },
  shape: readonly number[],
): TensorInfo {
  const { batch, rows, n, factor } = sizes;
  const output = newTensor(backend, shape);
  dispatch(backend, {
    key: 'row sum',
    bindings: [
      { name: 'y', info: output, type: 'f32', written: true },
      { name: 'x', info: x, type: 'f32' },
    ],
    u32: { rows, n },
    f32: { factor },
    workgroups: [Math.ceil(n / 16), batch, 1],
    code: () => rowSumCode,
  });
  return output;
}

/** 16 columns a workgroup, 16 threads along the rows of each. */
const rowSumCode = `
var<workgroup> sums: array<f32, 256>;
@compute @workgroup_size(16, 16)
fn main(
  @builtin(workgroup_id) groupId: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = groupId.x * 16u + local.x;
  var sum = 0.0;
  if (column < sizes.n) {
    for (var row = local.y; row < sizes.rows; row += 16u) {
      sum += x[(groupId.y * sizes.rows + row) * sizes.n + column];
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (local.y == 0u && column < sizes.n) {
    for (var i = 1u; i < 16u; i++) { sum += sums[i * 16u + local.x]; }
    y[groupId.y * sizes.n + column] = sizes.factor * sum;
  }
}`;

/** [r, n], indices [m] -> [m, n]. */
export function gatherRows(
  backend: WebGPUBackend,
  x: TensorInfo,
  indices: TensorInfo,
  m: number,
  n: number,
): TensorInfo {
  const output = newTensor(backend, [m, n]);
  const vector = n % 4 === 0;
  const width = vector ? n / 4 : n;
  const type = vector ? 'vec4<f32>' : 'f32';
  dispatch(backend, {
    key: 'gather rows',
    bindings: [
      { name: 'y', info: output, type, written: true },
      { name: 'x', info: x, type },
      { name: 'indices', info: indices, type: 'i32' },
    ],
    u32: { count: m * width, width },
    workgroups: grid(Math.ceil((m * width) / 64)),
    code: () => `
@compute @workgroup_size(64)
fn main(${groupParameters}) {
  ${flatGroup}
  let i = group * 64u + lane;
  if (i < sizes.count) { y[i] = x[u32(indices[i / sizes.width]) * sizes.width + i % sizes.width]; }
}`,
  });
  return output;
}

/** dy [m, n], indices [m] -> [rows, n]: to each row the sum of those that came from it. */
export function scatterRows(
  backend: WebGPUBackend,
  dy: TensorInfo,
  indices: TensorInfo,
  rows: number,
  n: number,
): TensorInfo {
  const output = newTensor(backend, [rows, n]);
  dispatch(backend, {
    key: 'scatter rows',
    bindings: [
      { name: 'y', info: output, type: 'f32', written: true },
      { name: 'dy', info: dy, type: 'f32' },
      { name: 'indices', info: indices, type: 'i32' },
    ],
    u32: { count: indices.shape[0] ?? 0, n, rows },
    workgroups: grid(rows),
    code: () => scatterCode,
  });
  return output;
}

/** A workgroup writes one row: it looks for the row's number among 64 indices at a time, then adds what it found. */
const scatterCode = `
var<workgroup> found: array<u32, 64>;
var<workgroup> matched: atomic<u32>;
@compute @workgroup_size(64)
fn main(${groupParameters}) {
  ${flatGroup}
  if (group < sizes.rows) {
    for (var column = lane; column < sizes.n; column += 64u) { y[group * sizes.n + column] = 0.0; }
  }
  for (var first = 0u; first < sizes.count; first += 64u) {
    let i = first + lane;
    let mine = i < sizes.count && u32(indices[min(i, sizes.count - 1u)]) == group;
    found[lane] = select(0u, 1u, mine);
    if (lane == 0u) { atomicStore(&matched, 0u); }
    workgroupBarrier();
    if (mine) { atomicStore(&matched, 1u); }
    workgroupBarrier();
    if (atomicLoad(&matched) == 1u && group < sizes.rows) {
      for (var j = 0u; j < 64u; j++) {
        if (found[j] == 1u) {
          for (var column = lane; column < sizes.n; column += 64u) {
            y[group * sizes.n + column] += dy[(first + j) * sizes.n + column];
          }
        }
      }
    }
    workgroupBarrier();
  }
}`;
