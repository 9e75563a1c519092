// The part of the golden command that runs in a page, for the backend that only browsers have.
import { Problem } from '../base/errors.ts';
import { startWebgpuBackend } from '../ops/webgpu/backend.ts';
import { finetuneGradsCheck } from './checks/finetune-grads.ts';
import { finetuneCheck } from './checks/finetune.ts';
import { pretrainCheck } from './checks/pretrain.ts';
import type { Comparison } from './golden.ts';

const checks = [finetuneCheck, finetuneGradsCheck, pretrainCheck];

let started = false;

/**
 * Runs a fixture on webgpu.
 * @param half products in 16-bit floats, to see their error; forward only
 * @throws Problem when there is no adapter, no kernels, or the
 *   fixture is not covered
 */
export async function runInPage(fileName: string, fixture: unknown, half: boolean): Promise<Comparison[]> {
  const adapter = 'gpu' in navigator ? await navigator.gpu.requestAdapter() : null;
  if (adapter === null) {
    throw new Problem(
      'worker-failed',
      'webgpu: no adapter in this browser; wanted one (SwiftShader will do)',
    );
  }
  if (!started) {
    const reason = await startWebgpuBackend(adapter, { half });
    if (!reason.includes('own kernels')) throw new Problem('worker-failed', reason);
    if (half && !reason.includes('16-bit')) {
      throw new Problem('worker-failed', `${reason}: no 16-bit floats (shader-f16) here; leave --half out`);
    }
    started = true;
  }
  const check = checks.find((one) => one.covers(fileName));
  if (check === undefined)
    throw new Problem('unsupported-file', `${fileName} has no check that runs on webgpu`);
  return check.run(fixture);
}
