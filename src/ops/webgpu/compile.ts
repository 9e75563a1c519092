// Compiles the shaders of a computation before its data are there: in parallel, off this thread.
import { backend as currentBackend, engine, env, tidy } from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { playedByCpu } from './register.ts';

const webgpu = (): WebGPUBackend => currentBackend() as unknown as WebGPUBackend;

/** Whether it pays: on SwiftShader compiling in parallel took twice the CPU time of compiling on first use. */
export function paysToCompileAhead(): boolean {
  return !playedByCpu(webgpu());
}

/** A float32 tensor in GPU memory that nothing was carried to: what it holds is not defined. */
export function blankTensor(shape: readonly number[]): Tensor {
  return engine().makeTensorFromTensorInfo(webgpu().makeTensorInfo([...shape], 'float32'));
}

/**
 * Compiles every shader that `work` would run, without running it; the current backend is webgpu. The buffers that it
 * would need are made on the way and wait in tfjs' pool. `work` must make its tensors by {@link blankTensor} and read
 * none. Resolves when all is compiled; a shader that failed is left for its first use to complain of.
 */
export async function compileAhead(work: () => void): Promise<void> {
  env().set('WEBGPU_ENGINE_COMPILE_ONLY', true);
  try {
    tidy(work);
  } finally {
    env().set('WEBGPU_ENGINE_COMPILE_ONLY', false);
  }
  // As tfjs' checkCompileCompletionAsync, which would leave all of them unusable when one fails.
  const { pipelineCache: cache } = webgpu() as unknown as {
    pipelineCache: Record<string, GPUComputePipeline | Promise<GPUComputePipeline>>;
  };
  await Promise.all(
    Object.entries(cache).map(async ([key, pipeline]) => {
      try {
        cache[key] = await pipeline;
      } catch {
        Reflect.deleteProperty(cache, key);
      }
    }),
  );
}
