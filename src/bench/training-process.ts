// A contender's own process for training steps, so that its peak memory is nobody else's: threads compute gradients of
// their share, this thread averages them and takes the AdamW step, as train/trainer/trainer.ts does.
import type { HicmaeConfig } from '../model/config.ts';
import { createAdamW } from '../train/trainer/adamw.ts';
import { parameterGroups, parameterShapes } from '../model/params.ts';
import { initialFlat, rangesOf, slotsOf } from '../train/trainer/flat-params.ts';
import { startThread } from '../train/base/threads.ts';
import type { Thread } from '../train/base/threads.ts';
import type { Shape } from './flops.ts';
import { peakResidentBytes } from './machine.ts';
import type { ThreadData, ThreadReply, ThreadRequest, TrainingKind } from './training-thread.ts';

export interface ProcessData {
  readonly kind: TrainingKind;
  readonly config: HicmaeConfig;
  /** Of the whole step; each thread gets an equal part of the batch. */
  readonly shape: Shape;
  readonly threads: number;
}

export type ProcessRequest =
  { readonly type: 'start'; readonly data: ProcessData } | { readonly type: 'step' };

export type ProcessReply =
  | { readonly type: 'started'; readonly detail: string }
  | {
      readonly type: 'stepped';
      readonly ms: number;
      /** Of that, averaging gradients and AdamW. */
      readonly updateMs: number;
      readonly loss: number;
      readonly peakBytes: number | null;
    }
  | { readonly type: 'failed'; readonly message: string };

const seed = 11;
const learningRate = 1e-4;

let steps = 0;
let oneStep: () => Promise<ProcessReply>;

async function start({ kind, config, shape, threads }: ProcessData): Promise<ProcessReply> {
  const { slots, total } = slotsOf(parameterShapes(config));
  const adamw = await createAdamW();
  const params = adamw.floats(total);
  params.set(initialFlat(config, seed));
  const gradients = Array.from({ length: threads }, () => adamw.floats(total));
  const moments = { moment1: adamw.floats(total), moment2: adamw.floats(total) };
  const ranges = rangesOf(slots, parameterGroups(config, 0.75), 0.05).map((range) => ({
    ...range,
    learningRate: range.learningRate * learningRate,
  }));
  const workers = gradients.map((own, thread): Thread<ThreadRequest, ThreadReply> => {
    const data: ThreadData = {
      kind,
      config,
      shape: { ...shape, batch: shape.batch / threads },
      seed: seed + 1 + thread,
      params,
      gradients: own,
    };
    return startThread(new URL('./training-thread.ts', import.meta.url), data);
  });
  const details = await Promise.all(workers.map((worker) => worker.call('start')));
  oneStep = async () => {
    const begun = performance.now();
    const losses = await Promise.all(workers.map((worker) => worker.call('step')));
    const computed = performance.now();
    adamw.average(gradients);
    adamw.step({ params, gradients: gradients[0]!, ...moments }, ranges, ++steps);
    const ended = performance.now();
    const loss = losses.reduce<number>((a, b) => a + Number(b), 0) / threads;
    if (!Number.isFinite(loss)) throw new Error(`the loss is ${String(loss)}`);
    return {
      type: 'stepped',
      ms: ended - begun,
      updateMs: ended - computed,
      loss,
      peakBytes: peakResidentBytes(),
    };
  };
  return { type: 'started', detail: String(details[0] ?? '') };
}

process.on('message', (request: ProcessRequest) => {
  void (async () => {
    let reply: ProcessReply;
    try {
      reply = request.type === 'start' ? await start(request.data) : await oneStep();
    } catch (error) {
      reply = { type: 'failed', message: error instanceof Error ? error.message : String(error) };
    }
    process.send?.(reply);
  })();
});
// The command is gone: nobody waits for an answer any more.
process.on('disconnect', () => process.exit());
