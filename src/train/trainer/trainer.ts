// The training loop: threads compute gradients of their parts of a step, the main thread averages them and takes the step.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/errors.ts';
import type { ClipSpec } from '../../clip/spec.ts';
import type { ParameterGroup, ParameterShape } from '../../model/params.ts';
import { createAdamW } from './adamw.ts';
import type { AdamWOptions, FlatRange } from './adamw.ts';
import { writeWhole } from '../base/cache.ts';
import { checkpointPath, readCheckpoint, writeBest, writeCheckpoint } from './checkpoint.ts';
import type { RunArrays, RunModel, RunOptions, RunState } from './checkpoint.ts';
import { rangesOf, slotsOf } from './flat-params.ts';
import { muonMatrices, muonMomentum, updateScale } from './muon.ts';
import type { Matrix } from './muon.ts';
import type { TaskPicture } from '../tasks/run-task.ts';
import type { RunReply, RunRequest, RunThreadData, StepReport, TaskData } from './run-worker.ts';
import { cosineAt } from './schedule.ts';
import { spread, startThread } from '../base/threads.ts';
import type { Thread } from '../base/threads.ts';

export interface TrainerOptions {
  readonly steps: number;
  /** Minutes after which training ends wherever it is; the schedule ends with them. */
  readonly minutes: number;
  readonly learningRate: number;
  /** Learning rate at the end of the schedule. */
  readonly floor: number;
  readonly warmupSteps: number;
  readonly weightDecay: number;
  readonly adamw: AdamWOptions;
  /** What moves the blocks' matrices; the rest is AdamW's. */
  readonly optimizer: 'adamw' | 'muon';
  /** Share of the old average kept at each step; 0: the average is the last step's parameters. */
  readonly averageDecay: number;
  /** Prefixes of parameters' names that stay as they are. */
  readonly freeze: readonly string[];
  readonly threads: number;
  readonly backend: 'wasm' | 'webgpu';
  /** Parts of a step that each thread computes, one after the other. */
  readonly partsPerThread: number;
  readonly checkpointEveryMinutes: number;
  readonly validateEverySteps: number;
  /** Looks at the validation without a better score after which training ends; Infinity: never. */
  readonly patience: number;
}

/** One line of the log. */
export type LogEntry = Readonly<Record<string, string | number | null>>;

/** How a run is looked at while it trains. */
export interface Validation {
  /** Number of items of each set that the task knows. */
  readonly sets: Readonly<Record<string, number>>;
  /** The log's numbers of a set's rows. */
  score(set: string, rows: readonly (readonly number[])[]): Readonly<Record<string, number>>;
  /** The number, of all sets' together, that the best checkpoint has most of; null: there is none. */
  best(scores: Readonly<Record<string, number>>): number | null;
}

export interface TrainerJob {
  readonly run: string;
  readonly model: RunModel;
  readonly parameters: readonly ParameterShape[];
  readonly groups: ReadonlyMap<string, ParameterGroup>;
  readonly clip: ClipSpec;
  readonly options: TrainerOptions;
  /** The options that a resumed run must share. */
  readonly identity: RunOptions;
  readonly provenance: Readonly<Record<string, string>>;
  readonly task: TaskData;
  readonly validation: Validation;
  /** Samples whose pictures are drawn at each validation. */
  readonly pictureIds: readonly number[];
  readonly onPictures: (pictures: readonly TaskPicture[], step: number) => Promise<void>;
  readonly resume: boolean;
  /** Initial parameters of a fresh run. */
  readonly initial: () => Promise<Float32Array>;
  readonly log: (entry: LogEntry) => void;
  /** Set by Ctrl-C: the loop checkpoints and ends. */
  readonly stopping: () => boolean;
}

export interface TrainingEnd {
  readonly why: 'steps' | 'minutes' | 'stopped' | 'patience';
  readonly step: number;
  readonly minutes: number;
  readonly best: RunState['best'];
}

const validationChunk = 16;

type RunThread = Thread<RunRequest, RunReply>;

async function validate(
  threads: readonly RunThread[],
  validation: Validation,
): Promise<Record<string, number>> {
  const scores: Record<string, number> = {};
  for (const [set, count] of Object.entries(validation.sets)) {
    const requests: RunRequest[] = [];
    for (let i = 0; i < count; i += validationChunk) {
      const ids = Array.from({ length: Math.min(validationChunk, count - i) }, (_, k) => i + k);
      requests.push({ kind: 'validate', items: { set, ids } });
    }
    const replies = await spread(threads, requests);
    const rows = replies.flatMap((reply) => (reply.kind === 'rows' ? reply.rows : []));
    Object.assign(scores, validation.score(set, rows));
  }
  return scores;
}

/**
 * Checks that a run may begin, or go on, in its folder.
 * @throws Problem when the folder holds another run, or none to go on with
 */
export function checkRunFolder(run: string, resume: boolean, identity: RunOptions): void {
  if (!resume) {
    if (!existsSync(checkpointPath(run))) return;
    throw new Problem(
      'unsupported-file',
      `${run} already holds a run: give --resume to go on with it, or another --out.`,
    );
  }
  // Killed before its first checkpoint: it begins again.
  if (!existsSync(checkpointPath(run)) && existsSync(join(run, 'log.jsonl'))) return;
  const saved = readCheckpoint(run).state.options;
  checkSameOptions(run, saved, identity, [...Object.keys(identity), ...Object.keys(saved)]);
}

/** @throws Problem when a run was begun with other values of the options named */
export function checkSameOptions(
  run: string,
  saved: RunOptions,
  wanted: RunOptions,
  names: readonly string[],
): void {
  const differing = [...new Set(names)].filter((name) => saved[name] !== wanted[name]);
  if (differing.length === 0) return;
  const list = differing.map((name) => `${name} ${String(wanted[name])} instead of ${String(saved[name])}`);
  throw new Problem(
    'unsupported-file',
    `${run} was begun with other options: ${list.join(', ')}. Go on with the same, or start another run in another folder.`,
  );
}

/** The log goes on where the checkpoint stands: what a killed session wrote beyond it is dropped. */
function trimLog(run: string, step: number): void {
  const path = join(run, 'log.jsonl');
  if (!existsSync(path)) return;
  const kept = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => {
      try {
        return Number((JSON.parse(line) as LogEntry)['step']) <= step;
      } catch {
        return false;
      }
    });
  writeWhole(path, kept.map((line) => `${line}\n`).join(''));
}

function meanLosses(reports: readonly StepReport[]): Record<string, number> {
  const names = [...new Set(reports.flatMap(({ losses }) => Object.keys(losses)))];
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return Object.fromEntries(
    names.map((name) => [
      name,
      mean(reports.flatMap(({ losses }) => (losses[name] === undefined ? [] : [losses[name]]))),
    ]),
  );
}

/**
 * Moves Muon's matrices, all threads sharing the work.
 * @param arrays `gradients` holds the average, and the momentum made orthogonal afterwards
 */
async function muonStep(
  threads: readonly RunThread[],
  moved: readonly { readonly range: FlatRange; readonly matrix: Matrix }[],
  arrays: { readonly params: Float32Array; readonly gradients: Float32Array; readonly moment1: Float32Array },
  learningRate: number,
): Promise<void> {
  if (moved.length === 0) return;
  const { params, gradients, moment1 } = arrays;
  for (const { matrix } of moved) {
    const end = matrix.offset + matrix.rows * matrix.columns;
    for (let i = matrix.offset; i < end; i++) {
      const gradient = gradients[i]!;
      moment1[i] = muonMomentum * moment1[i]! + (1 - muonMomentum) * gradient;
      // Nesterov's: as if the next gradient were this one.
      gradients[i] = muonMomentum * moment1[i]! + (1 - muonMomentum) * gradient;
    }
  }
  await Promise.all(
    threads.map((thread, t) =>
      thread.call({
        kind: 'orthogonalize',
        matrices: moved.flatMap(({ matrix }, i) => (i % threads.length === t ? [matrix] : [])),
      }),
    ),
  );
  for (const { range, matrix } of moved) {
    const rate = range.learningRate * learningRate;
    const keep = 1 - rate * range.weightDecay;
    const factor = rate * updateScale(matrix);
    const end = matrix.offset + matrix.rows * matrix.columns;
    for (let i = matrix.offset; i < end; i++) params[i] = keep * params[i]! - factor * gradients[i]!;
  }
}

/** Trains until steps, minutes, patience or Ctrl-C end it; the last thing done is a checkpoint. */
export async function train(job: TrainerJob): Promise<TrainingEnd> {
  const { options, run, parameters, validation } = job;
  const { slots, total } = slotsOf(parameters);
  mkdirSync(run, { recursive: true });
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
  let best: RunState['best'] = null;
  if (job.resume && existsSync(checkpointPath(run))) {
    const saved = readCheckpoint(run);
    ({ step, best } = saved.state);
    minutesBefore = saved.state.minutes;
    for (const name of ['params', 'average', 'moment1', 'moment2'] as const)
      arrays[name].set(saved.arrays[name]);
  } else {
    params.set(await job.initial());
    average.set(params);
  }
  trimLog(run, step);
  const log = (entry: LogEntry): void => {
    appendFileSync(
      join(run, 'log.jsonl'),
      `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`,
    );
    job.log(entry);
  };
  const frozen = slots
    .filter(({ name }) => options.freeze.some((prefix) => name.startsWith(prefix)))
    .map(({ name }) => name);
  const trained = rangesOf(slots, job.groups, options.weightDecay).flatMap((range, i) => {
    const slot = slots[i]!;
    if (frozen.includes(slot.name)) return [];
    return [{ range, matrices: options.optimizer === 'muon' ? muonMatrices(slot) : [] }];
  });
  const ranges = trained.flatMap(({ range, matrices }) => (matrices.length === 0 ? [range] : []));
  const muon = trained.flatMap(({ range, matrices }) => matrices.map((matrix) => ({ range, matrix })));
  const gradients = Array.from({ length: options.threads }, () => adamw.floats(total));
  const threads = gradients.map((own, thread): RunThread => {
    const threadData: RunThreadData = {
      parameters,
      frozen,
      params,
      average,
      gradients: own,
      averaged: gradients[0]!,
      backend: options.backend,
      thread,
      threadCount: options.threads,
      partsPerThread: options.partsPerThread,
      task: job.task,
    };
    return startThread<RunRequest, RunReply>(new URL('./run-worker.ts', import.meta.url), threadData);
  });
  const begun = Date.now();
  const minutesNow = (): number => minutesBefore + (Date.now() - begun) / 60_000;
  let scores: Record<string, number> = {};
  const state = (): RunState => ({
    model: job.model,
    parameters,
    clip: job.clip,
    step,
    minutes: minutesNow(),
    options: job.identity,
    best,
    provenance: { ...job.provenance, validation: JSON.stringify(scores) },
  });
  const look = async (): Promise<void> => {
    scores = await validate(threads, validation);
    log({ event: 'validation', step, ...scores });
    const score = validation.best(scores);
    if (score !== null) {
      const better = best === null || score > best.score;
      best =
        better || best === null ? { step, score, looksAgo: 0 } : { ...best, looksAgo: best.looksAgo + 1 };
      if (better) writeBest(run, state(), average);
    }
    for (const id of job.pictureIds) {
      const reply = await threads[0]!.call({ kind: 'pictures', id });
      if (reply.kind === 'pictures') await job.onPictures(reply.pictures, step);
    }
  };
  try {
    const backends = await Promise.all(threads.map((thread) => thread.call({ kind: 'start' })));
    const backend = backends[0]?.kind === 'started' ? backends[0].backend : '';
    log({ event: 'start', step, steps: options.steps, threads: options.threads, parameters: total, backend });
    // From here on a kill at any moment can be resumed.
    if (step === 0) writeCheckpoint(run, state(), arrays);
    let saved = Date.now();
    let looked = step;
    for (;;) {
      const why =
        step >= options.steps
          ? 'steps'
          : minutesNow() >= options.minutes
            ? 'minutes'
            : (best?.looksAgo ?? 0) >= options.patience
              ? 'patience'
              : job.stopping()
                ? 'stopped'
                : null;
      if (why !== null) {
        if (why !== 'stopped' && looked !== step) await look();
        writeCheckpoint(run, state(), arrays);
        return { why, step, minutes: minutesNow(), best };
      }
      const started = performance.now();
      const replies = await Promise.all(threads.map((thread) => thread.call({ kind: 'step', step })));
      const reports = replies.flatMap((reply) => (reply.kind === 'step' ? [reply.report] : []));
      // A time budget ends the schedule early; whichever runs faster counts.
      const byTime = Number.isFinite(options.minutes) ? minutesNow() / options.minutes : 0;
      const at = Math.max(step, step < options.warmupSteps ? step : Math.floor(byTime * options.steps));
      const learningRate = cosineAt(
        {
          base: options.learningRate,
          floor: options.floor,
          warmupSteps: options.warmupSteps,
          totalSteps: options.steps,
        },
        Math.min(at, options.steps),
      );
      const square = adamw.average(gradients, options.partsPerThread);
      const losses = meanLosses(reports);
      if (!Number.isFinite(losses['loss'] ?? NaN) || !Number.isFinite(square)) {
        throw new Problem(
          'unsupported-file',
          `The loss is not finite at step ${String(step)} (${JSON.stringify(losses)}, squared gradient ${String(square)}). ` +
            `The last checkpoint is kept; try a lower --lr, or leave out a bad sample. The batch: ${reports.flatMap(({ samples }) => samples).join(' ')}`,
        );
      }
      adamw.step(
        { ...arrays, gradients: gradients[0]! },
        ranges.map((range) => ({ ...range, learningRate: range.learningRate * learningRate })),
        step + 1,
        options.adamw,
      );
      await muonStep(threads, muon, { ...arrays, gradients: gradients[0]! }, learningRate);
      // The average follows quickly at first, so that it never holds on to the initial values.
      const keep = Math.min(options.averageDecay, (step + 1) / (step + 10));
      if (keep === 0) average.set(params);
      else adamw.follow(average, params, 1 - keep);
      step++;
      const stepMs = performance.now() - started;
      log({
        event: 'step',
        step,
        ...losses,
        learningRate,
        gradientNorm: Math.sqrt(square),
        stepMs,
        prepareMs: Math.max(...reports.map(({ prepareMs }) => prepareMs)),
        computeMs: Math.max(...reports.map(({ computeMs }) => computeMs)),
        minutes: minutesNow(),
        leftMinutes: Math.min(((options.steps - step) * stepMs) / 60_000, options.minutes - minutesNow()),
      });
      if (step % options.validateEverySteps === 0) {
        await look();
        looked = step;
      }
      if (Date.now() - saved > options.checkpointEveryMinutes * 60_000) {
        writeCheckpoint(run, state(), arrays);
        saved = Date.now();
      }
    }
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
}
