// Runs a compute shader of ours inside tfjs' WebGPU backend, so that its buffer pool, its command encoder and its
// pipeline cache serve our kernels as they serve its own. Its runWebGPUProgram would put a preamble before the code,
// where `enable f16` may not stand, and writes one output only.
import { env } from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

type Pipeline = GPUComputePipeline | Promise<GPUComputePipeline>;
type Uniforms = { type: 'int32' | 'uint32' | 'float32'; data: number[] }[];

/** What the backend keeps private and we need. */
interface Inner {
  readonly pipelineCache: Record<string, Pipeline>;
  recordAndSubmit(
    program: object,
    output: TensorInfo,
    inputs: readonly TensorInfo[],
    uniforms: Uniforms,
  ): void;
}

/** One buffer that a shader sees. */
export interface Binding {
  readonly name: string;
  readonly info: TensorInfo;
  /** WGSL type of an element. */
  readonly type: 'f32' | 'vec4<f32>' | 'i32';
  readonly written?: boolean;
}

export interface Program {
  /** Names the code: everything that it depends on beside the bindings' names and types. */
  readonly key: string;
  /** WGSL after the bindings; its entry point is `main`. */
  readonly code: () => string;
  /** WGSL extensions that the code uses. */
  readonly extensions?: readonly ('f16' | 'subgroups')[];
  /** The first must be one that is written. */
  readonly bindings: readonly [Binding, ...Binding[]];
  /** Read as `sizes.name`. */
  readonly u32: Readonly<Record<string, number>>;
  readonly f32?: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number, number];
}

/** A new float32 tensor on the GPU. */
export function newTensor(backend: WebGPUBackend, shape: readonly number[]): TensorInfo {
  return backend.makeTensorInfo([...shape], 'float32');
}

/** Records the program's dispatch; where tfjs only compiles (WEBGPU_ENGINE_COMPILE_ONLY), its pipeline alone. */
export function dispatch(backend: WebGPUBackend, program: Program): void {
  const { bindings, u32, f32 = {}, extensions = [], workgroups } = program;
  const inner = backend as unknown as Inner;
  for (const { info } of bindings) backend.uploadToGPU(info.dataId);
  const compileOnly = env().getBool('WEBGPU_ENGINE_COMPILE_ONLY');
  const types = bindings.map(({ name, type }) => `${name}:${type}`).join();
  const key = `hicmae ${program.key} ${types} ${extensions.join()}`;
  const pipeline = (inner.pipelineCache[key] ??= compile(backend.device, program, compileOnly));
  if (compileOnly) return;
  const [output, ...rest] = bindings.map(({ info }) => ({ ...info, shape: [1] }));
  inner.recordAndSubmit(
    // With an operation on pixels tfjs sends one number of its own, the output's strides, instead of all shapes.
    {
      pipeline,
      pixelsOpType: 0,
      outputShape: [1],
      dispatch: workgroups,
      constructor: { name: program.key },
    },
    output!,
    rest,
    [
      ...Object.values(u32).map((value) => ({ type: 'uint32' as const, data: [value] })),
      ...Object.values(f32).map((value) => ({ type: 'float32' as const, data: [value] })),
    ],
  );
}

function compile(device: GPUDevice, program: Program, parallel: boolean): Pipeline {
  const code = shader(program);
  const descriptor: GPUComputePipelineDescriptor = {
    compute: { module: device.createShaderModule({ code, label: program.key }), entryPoint: 'main' },
    label: program.key,
    layout: 'auto',
  };
  return parallel ? device.createComputePipelineAsync(descriptor) : device.createComputePipeline(descriptor);
}

/** The whole WGSL text. */
export function shader({ bindings, u32, f32 = {}, extensions = [], code }: Program): string {
  const fields = [
    'tfjsStrides: i32',
    ...Object.keys(u32).map((name) => `${name}: u32`),
    ...Object.keys(f32).map((name) => `${name}: f32`),
  ];
  return [
    ...extensions.map((name) => `enable ${name};`),
    `struct Sizes { ${fields.join(', ')} }`,
    ...bindings.map(
      ({ name, type, written = false }, i) =>
        `@group(0) @binding(${i}) var<storage, ${written ? 'read_write' : 'read'}> ${name}: array<${type}>;`,
    ),
    `@group(0) @binding(${bindings.length}) var<uniform> sizes: Sizes;`,
    code(),
  ].join('\n');
}

/** A grid for `count` workgroups that no single dimension could hold; the shader drops those past the end. */
export function grid(count: number): [number, number, number] {
  const most = 65535;
  const y = Math.max(1, Math.ceil(count / most));
  return [Math.max(1, Math.ceil(count / y)), y, 1];
}
