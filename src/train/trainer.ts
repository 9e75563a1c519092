// The training loop: threads compute gradients of their share, the main thread averages them and takes the step.
import type { ClipSpec } from '../clip/spec.ts';
import type { HicmaeConfig } from '../model/config.ts';
import { parameterGroups, parameterShapes } from '../model/params.ts';
import { createAdamW } from './adamw.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { RunArrays, RunState } from './checkpoint.ts';
import { rangesOf, slotsOf } from './flat-params.ts';
import { scoreClassification } from './metrics.ts';
import { cosineAt } from './schedule.ts';
import { spread, startThread } from './threads.ts';
import type { Thread } from './threads.ts';
import type { StepLosses, StepOptions } from './train-step.ts';
import type { TrainReply, TrainRequest, TrainThreadData } from './train-worker.ts';
import type { TrainingData } from './training-data.ts';

export interface TrainerOptions extends StepOptions {
  readonly steps: number;
  /** Minutes after which training ends wherever it is; the schedule ends with them. */
  readonly minutes: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly layerDecay: number;
  /** Share of the old average kept at each step. */
  readonly averageDecay: number;
  readonly threads: number;
  /** With webgpu one thread. Default wasm. */
  readonly backend?: 'wasm' | 'webgpu';
  readonly checkpointEveryMinutes: number;
  readonly validateEverySteps: number;
}

/** One line of the log. */
export type LogEntry = Readonly<Record<string, string | number | null>>;

export interface TrainerJob {
  readonly run: string;
  readonly config: HicmaeConfig;
  readonly clip: ClipSpec;
  readonly options: TrainerOptions;
  /** The options that a resumed run must share. */
  readonly identity: RunState['options'];
  readonly provenance: Readonly<Record<string, string>>;
  readonly data: TrainingData;
  readonly resume: boolean;
  /** Initial parameters of a fresh run. */
  readonly initial: () => Promise<Float32Array>;
  readonly log: (entry: LogEntry) => void;
  /** Set by Ctrl-C: the loop checkpoints and ends. */
  readonly stopping: () => boolean;
}

export interface TrainingEnd {
  readonly why: 'steps' | 'minutes' | 'stopped';
  readonly step: number;
  readonly minutes: number;
}

const validationChunk = 32;

function mean(values: readonly (number | null)[]): number | null {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : present.reduce((a, b) => a + b, 0) / present.length;
}

/** Accuracies of the averaged parameters on the small fixed subsets. */
async function validate(
  threads: readonly Thread<TrainRequest, TrainReply>[],
  data: TrainingData,
): Promise<LogEntry> {
  const entry: Record<string, number> = {};
  const score = async (
    name: string,
    count: number,
    labels: ArrayLike<number>,
    items: (ids: Int32Array) => TrainRequest,
  ): Promise<void> => {
    const requests: TrainRequest[] = [];
    for (let i = 0; i < count; i += validationChunk)
      requests.push(
        items(Int32Array.from({ length: Math.min(validationChunk, count - i) }, (_, k) => i + k)),
      );
    const replies = await spread(threads, requests);
    const rows = replies.flatMap((reply) => (reply.kind === 'logits' ? reply.logits : []));
    const { war, uar } = scoreClassification(
      rows,
      Array.from({ length: count }, (_, i) => labels[i]!),
      rows[0]?.length ?? 1,
    );
    entry[`${name}War`] = war;
    entry[`${name}Uar`] = uar;
  };
  const { validFaces, validVoices } = data;
  if (validFaces) {
    await score('faces', validFaces.count, validFaces.labels, (faces) => ({
      kind: 'predict',
      items: { faces, voices: null, place: 0, faceTokens: 'slot' },
    }));
  }
  if (validVoices) {
    await score('voices', validVoices.count, validVoices.labels, (voices) => ({
      kind: 'predict',
      items: { faces: null, voices, place: 0.5, faceTokens: 'slot' },
    }));
  }
  return entry;
}

/** Trains until steps, minutes or Ctrl-C end it; the last thing done is a checkpoint. */
export async function train(job: TrainerJob): Promise<TrainingEnd> {
  const { config, options, data, run, log } = job;
  const { slots, total } = slotsOf(parameterShapes(config));
  const adamw = await createAdamW();
  const params = adamw.floats(total);
  const average = adamw.floats(total);
  const arrays = {
    params,
    average,
    moment1: adamw.floats(total),
    moment2: adamw.floats(total),
  } satisfies RunArrays;
  let step = 0;
  let minutesBefore = 0;
  if (job.resume) {
    const saved = readCheckpoint(run);
    step = saved.state.step;
    minutesBefore = saved.state.minutes;
    for (const name of ['params', 'average', 'moment1', 'moment2'] as const)
      arrays[name].set(saved.arrays[name]);
  } else {
    params.set(await job.initial());
    average.set(params);
  }
  const groups = rangesOf(slots, parameterGroups(config, options.layerDecay), options.weightDecay);
  const gradients = Array.from({ length: options.threads }, () => adamw.floats(total));
  const threads = gradients.map((own, thread) => {
    const threadData: TrainThreadData = {
      config,
      bandLimitHz: job.clip.bandLimitHz,
      params,
      average,
      gradients: own,
      ...data,
      ...(options.backend === undefined ? {} : { backend: options.backend }),
      thread,
      threadCount: options.threads,
      step: options,
    };
    return startThread<TrainRequest, TrainReply>(new URL('./train-worker.ts', import.meta.url), threadData);
  });
  const begun = Date.now();
  const minutesNow = (): number => minutesBefore + (Date.now() - begun) / 60_000;
  const save = (validation: LogEntry): void => {
    const provenance = { ...job.provenance, validation: JSON.stringify(validation) };
    writeCheckpoint(
      run,
      { config, clip: job.clip, step, minutes: minutesNow(), options: job.identity, provenance },
      arrays,
    );
  };
  let validation: LogEntry = {};
  try {
    const backends = await Promise.all(threads.map((thread) => thread.call({ kind: 'start' })));
    const backend = backends[0]?.kind === 'started' ? backends[0].backend : '';
    log({ event: 'start', step, threads: options.threads, parameters: total, backend });
    let saved = Date.now();
    for (;;) {
      const why =
        step >= options.steps
          ? 'steps'
          : minutesNow() >= options.minutes
            ? 'minutes'
            : job.stopping()
              ? 'stopped'
              : null;
      if (why !== null) {
        if (why !== 'stopped') {
          validation = await validate(threads, data);
          log({ event: 'validation', step, ...validation });
        }
        save(validation);
        return { why, step, minutes: minutesNow() };
      }
      const started = performance.now();
      const replies = await Promise.all(threads.map((thread) => thread.call({ kind: 'step', step })));
      const losses = replies.flatMap((reply): StepLosses[] =>
        reply.kind === 'losses' ? [reply.losses] : [],
      );
      // A time budget ends the schedule early; whichever runs faster counts.
      const byTime = Number.isFinite(options.minutes) ? minutesNow() / options.minutes : 0;
      const at = Math.max(step, step < options.warmupSteps ? step : Math.floor(byTime * options.steps));
      const learningRate = cosineAt(
        {
          base: options.learningRate,
          floor: options.learningRate / 100,
          warmupSteps: options.warmupSteps,
          totalSteps: options.steps,
        },
        Math.min(at, options.steps),
      );
      const square = adamw.average(gradients);
      const face = mean(losses.map((part) => part.face));
      const voice = mean(losses.map((part) => part.voice));
      const pair = mean(losses.map((part) => part.pair));
      const loss = (face ?? 0) + (voice ?? 0) + (pair ?? 0);
      if (!Number.isFinite(loss) || !Number.isFinite(square)) {
        const batch = losses
          .map((part) => `faces ${part.faces.join(' ')}; voices ${part.voices.join(' ')}`)
          .join(' | ');
        throw new Error(
          `The loss is not finite at step ${String(step)} (loss ${String(loss)}, squared gradient ${String(square)}). ` +
            `The last checkpoint is kept; try a lower --lr. The batch: ${batch}`,
        );
      }
      const ranges = groups.map((group) => ({ ...group, learningRate: group.learningRate * learningRate }));
      adamw.step({ ...arrays, gradients: gradients[0]! }, ranges, step + 1);
      // The average follows quickly at first, so that it never holds on to the initial values.
      const keep = Math.min(options.averageDecay, (step + 1) / (step + 10));
      adamw.follow(average, params, 1 - keep);
      step++;
      const stepMs = performance.now() - started;
      log({
        event: 'step',
        step,
        loss,
        face,
        voice,
        pair,
        learningRate,
        gradientNorm: Math.sqrt(square),
        stepMs,
        prepareMs: mean(losses.map((part) => part.prepareMs)),
        computeMs: mean(losses.map((part) => part.computeMs)),
        minutes: minutesNow(),
        leftMinutes: Math.min(((options.steps - step) * stepMs) / 60_000, options.minutes - minutesNow()),
      });
      if (step % options.validateEverySteps === 0) {
        validation = await validate(threads, data);
        log({ event: 'validation', step, ...validation });
      }
      if (Date.now() - saved > options.checkpointEveryMinutes * 60_000) {
        save(validation);
        saved = Date.now();
      }
    }
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
}
