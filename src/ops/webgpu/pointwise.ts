// GELU by itself, and its gradient.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { dispatch, grid, newTensor } from './runner.ts';
import { flatGroup, geluCode, groupParameters, loader, storer } from './wgsl.ts';

const threads = 64;

/** gelu(x), or its gradient where `dy` is given. */
export function gelu(backend: WebGPUBackend, x: TensorInfo, size: number, dy: TensorInfo | null): TensorInfo {
  const output = newTensor(backend, x.shape);
  const vector = size % 4 === 0;
  const type = vector ? 'vec4<f32>' : 'f32';
  const columns = 'sizes.count';
  dispatch(backend, {
    key: 'gelu',
    bindings: [
      { name: 'y', info: output, type, written: true },
      { name: 'x', info: x, type },
      ...(dy === null ? [] : [{ name: 'dy', info: dy, type } as const]),
    ],
    u32: { count: size },
    workgroups: grid(Math.ceil(size / (4 * threads))),
    code: () => `
${geluCode}
${loader('loadX', 'x', { vector, columns })}
${dy === null ? '' : loader('loadDy', 'dy', { vector, columns })}
${storer('store', 'y', { vector, rows: '1u', columns })}
@compute @workgroup_size(${threads})
fn main(${groupParameters}) {
  ${flatGroup}
  let i = 4u * (group * ${threads}u + lane);
  let value = loadX(0u, i);
  ${
    dy === null
      ? 'store(0u, i, gelu(value));'
      : `let density = ${1 / Math.sqrt(2 * Math.PI)} * exp(-0.5 * value * value);
  store(0u, i, loadDy(0u, i) * (normalCdf(value) + value * density));`
  }
}`,
  });
  return output;
}
