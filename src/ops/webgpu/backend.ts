// Starts tfjs' WebGPU backend on a device of ours, with our kernels: tfjs itself would not ask for the optional features
// that they use (`shader-f16`, `subgroups`).
import {
  env,
  findBackendFactory,
  ready,
  registerBackend,
  removeBackend,
  setBackend,
} from '@tensorflow/tfjs-core';
import { Problem } from '../../base/errors.ts';
import { adapterName } from './adapter.ts';
import { registerWebgpuKernels } from './register.ts';
import type { WebgpuKernelOptions } from './register.ts';

/** Timestamps are for tfjs' profiler. */
const wantedFeatures = ['shader-f16', 'subgroups', 'timestamp-query', 'bgra8unorm-storage'] as const;

const wantedLimits = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const;

/**
 * Makes `webgpu` tfjs' current backend, on a new device of this adapter. In Node the globals of WebGPU (`GPUBufferUsage`
 * and so on) and `navigator.gpu` must be there before this call.
 * @returns what runs, in words ("webgpu: nvidia turing, own kernels, subgroups")
 * @throws Problem `worker-failed` when tfjs does not take the device; the device's own error when there is none
 */
export async function startWebgpuBackend(
  adapter: GPUAdapter,
  options: WebgpuKernelOptions = {},
): Promise<string> {
  const device = await adapter.requestDevice({
    requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]])),
  });
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  // Typed as always found.
  if ((findBackendFactory('webgpu') as unknown) !== null) removeBackend('webgpu');
  registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info), 3);
  const name = adapterName(adapter.info);
  if (!(await setBackend('webgpu'))) {
    device.destroy();
    throw new Problem('worker-failed', `${name} did not start`);
  }
  await ready();
  // Else tfjs computes with small tensors on the CPU and carries the results over, again in each pass.
  env().set('WEBGPU_CPU_FORWARD', false);
  const { reason } = await registerWebgpuKernels(options);
  return `webgpu: ${name}, ${reason}`;
}
