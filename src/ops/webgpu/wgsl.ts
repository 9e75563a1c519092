// Pieces of WGSL that several kernels share.

/** Text of `count` lines (or terms) made of their number. */
export function each(count: number, text: (i: number) => string, joint = '\n'): string {
  return Array.from({ length: count }, (_, i) => text(i)).join(joint);
}

/**
 * fn NAME(row, column) -> vec4<f32>: four neighbors of a row-major matrix, from `column` on, a multiple of 4.
 * @param options.vector the buffer is of vec4, the width a multiple of 4
 * @param options.rows and `columns`: expressions of the sizes; outside them it answers zeros. Left out where the caller
 *   never asks outside, or has no use for what it gets there (WebGPU itself keeps reads inside the buffer).
 * @param options.stride of a row, in floats; default `columns`
 */
export function loader(
  name: string,
  buffer: string,
  options: { vector: boolean; rows?: string; columns: string; stride?: string; guarded?: boolean },
): string {
  const { vector, rows, columns, stride = columns, guarded = true } = options;
  const inRows = rows === undefined ? 'true' : `row < ${rows}`;
  if (vector) {
    const value = `${buffer}[(row * ${stride} + column) / 4u]`;
    if (!guarded) return `fn ${name}(row: u32, column: u32) -> vec4<f32> { return ${value}; }`;
    return `fn ${name}(row: u32, column: u32) -> vec4<f32> {
  if (${inRows} && column < ${columns}) { return ${value}; }
  return vec4<f32>();
}`;
  }
  return `fn ${name}(row: u32, column: u32) -> vec4<f32> {
  var value = vec4<f32>();
  if (${inRows}) {
    ${each(4, (i) => `if (column + ${i}u < ${columns}) { value[${i}] = ${buffer}[row * ${stride} + column + ${i}u]; }`)}
  }
  return value;
}`;
}

/** fn NAME(row, column, value: vec4<f32>): the counterpart of {@link loader}. */
export function storer(
  name: string,
  buffer: string,
  options: { vector: boolean; rows: string; columns: string; stride?: string },
): string {
  const { vector, rows, columns, stride = columns } = options;
  if (vector) {
    return `fn ${name}(row: u32, column: u32, value: vec4<f32>) {
  if (row < ${rows} && column < ${columns}) { ${buffer}[(row * ${stride} + column) / 4u] = value; }
}`;
  }
  return `fn ${name}(row: u32, column: u32, value: vec4<f32>) {
  if (row < ${rows}) {
    ${each(4, (i) => `if (column + ${i}u < ${columns}) { ${buffer}[row * ${stride} + column + ${i}u] = value[${i}]; }`)}
  }
}`;
}

/**
 * fn normalCdf(x: vec4<f32>) and fn gelu(x: vec4<f32>), exact but for 1e-7: erfc by Abramowitz and Stegun 7.1.26, which
 * keeps the lower tail from cancelling.
 */
export const geluCode = `
fn normalCdf(x: vec4<f32>) -> vec4<f32> {
  let z = abs(x) * ${Math.SQRT1_2};
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let tail = 0.5 * t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * exp(-z * z);
  return select(tail, 1.0 - tail, x >= vec4<f32>());
}
fn gelu(x: vec4<f32>) -> vec4<f32> { return x * normalCdf(x); }`;

/** The workgroup's number in a {@link grid}. */
export const flatGroup = 'let group = groupId.x + groupId.y * groupCount.x;';
export const groupParameters =
  '@builtin(workgroup_id) groupId: vec3<u32>, @builtin(num_workgroups) groupCount: vec3<u32>, @builtin(local_invocation_index) lane: u32';
