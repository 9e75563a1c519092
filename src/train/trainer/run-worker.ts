// A training thread: its own tfjs, the shared parameters, its own gradients.
import { workerData } from 'node:worker_threads';
import { clone, dispose, keep } from '@tensorflow/tfjs-core';
import type { Scalar } from '@tensorflow/tfjs-core';
import { disposeGradients, lossAndGradients } from '../../model/gradients.ts';
import type { ParameterShape } from '../../model/params.ts';
import { startBackend } from '../base/backend.ts';
import { clipsTask } from '../tasks/clips-task.ts';
import type { ClipsTaskData } from '../tasks/clips-task.ts';
import { readGradients, slotsOf, tensorsOf } from './flat-params.ts';
import { orthogonalized } from './muon.ts';
import type { Matrix } from './muon.ts';
import { pretrainTask } from '../tasks/pretrain-task.ts';
import type { PretrainTaskData } from '../tasks/pretrain-task.ts';
import { pretrainStillsTask } from '../tasks/pretrain-stills-task.ts';
import type { PretrainStillsTaskData } from '../tasks/pretrain-stills-task.ts';
import type { Part, RunTask, TaskPicture, ValidationItems } from '../tasks/run-task.ts';
import type { SharedFloats } from '../base/shared-array.ts';
import { stillsTask } from '../tasks/stills-task.ts';
import type { StillsTaskData } from '../tasks/stills-task.ts';
import { serve } from '../base/threads.ts';

export type TaskData = StillsTaskData | PretrainStillsTaskData | ClipsTaskData | PretrainTaskData;

/** Everything a thread is started with; the arrays are shared, not copied. */
export interface RunThreadData {
  readonly parameters: readonly ParameterShape[];
  /** Names of parameters that stay as they are: no gradient is computed for them. */
  readonly frozen: readonly string[];
  readonly params: SharedFloats;
  /** The running average of the parameters. */
  readonly average: SharedFloats;
  readonly gradients: SharedFloats;
  /** The average of all threads' gradients, which Muon's momentum replaces. */
  readonly averaged: SharedFloats;
  readonly backend: 'wasm' | 'webgpu';
  readonly thread: number;
  readonly threadCount: number;
  /** Parts of a step that each thread computes, one after the other. */
  readonly partsPerThread: number;
  readonly task: TaskData;
}

export type RunRequest =
  | { readonly kind: 'start' }
  | { readonly kind: 'step'; readonly step: number }
  /** Of the averaged gradients, in place. */
  | { readonly kind: 'orthogonalize'; readonly matrices: readonly Matrix[] }
  /** By the averaged parameters. */
  | { readonly kind: 'validate'; readonly items: ValidationItems }
  | { readonly kind: 'pictures'; readonly id: number };

/** What a thread says of its share of a step. */
export interface StepReport {
  /** The loss and its noted parts, means over the thread's parts. */
  readonly losses: Readonly<Record<string, number>>;
  readonly samples: readonly string[];
  /** Milliseconds of this thread: waiting for prepared batches, computing. */
  readonly prepareMs: number;
  readonly computeMs: number;
}

export type RunReply =
  | { readonly kind: 'started'; readonly backend: string }
  | { readonly kind: 'step'; readonly report: StepReport }
  | { readonly kind: 'orthogonalized' }
  | { readonly kind: 'rows'; readonly rows: number[][] }
  | { readonly kind: 'pictures'; readonly pictures: TaskPicture[] };

const data = workerData as RunThreadData;
const { slots } = slotsOf(data.parameters);
const frozen = new Set(data.frozen);
let opened: Promise<RunTask> | undefined;

async function openTask(): Promise<RunTask> {
  switch (data.task.kind) {
    case 'stills':
      return stillsTask(data.task, data.threadCount);
    case 'pretrain-stills':
      return pretrainStillsTask(data.task, data.threadCount);
    case 'clips':
      return clipsTask(data.task);
    case 'pretrain':
      return pretrainTask(data.task);
  }
}

/** The next part is decoded while this one computes. */
let prepared: { readonly key: string; readonly part: Promise<Part> } | undefined;

function prepare(task: RunTask, step: number, at: number): Promise<Part> {
  const { thread, partsPerThread } = data;
  const part = at % partsPerThread;
  const number = thread * partsPerThread + part;
  const key = `${String(step + Math.floor(at / partsPerThread))} ${String(number)}`;
  if (prepared?.key === key) return prepared.part;
  const coming = task.prepare(step + Math.floor(at / partsPerThread), number);
  // A failure is told when its turn comes.
  coming.catch(() => undefined);
  prepared = { key, part: coming };
  return coming;
}

async function oneStep(task: RunTask, step: number): Promise<StepReport> {
  const { partsPerThread } = data;
  const losses = new Map<string, number[]>();
  const samples: string[] = [];
  let prepareMs = 0;
  let computeMs = 0;
  for (let at = 0; at < partsPerThread; at++) {
    const begin = performance.now();
    const part = await prepare(task, step, at);
    void prepare(task, step, at + 1);
    const ready = performance.now();
    samples.push(...part.samples);
    const params = tensorsOf(data.params, slots);
    const noted: { readonly name: string; readonly value: Scalar }[] = [];
    const trained = Object.fromEntries(Object.entries(params).filter(([name]) => !frozen.has(name)));
    try {
      const result = lossAndGradients(trained, () =>
        part.loss(params, (name, value) => noted.push({ name, value: keep(clone(value)) })),
      );
      await readGradients(result.gradients, slots, data.gradients, at > 0);
      for (const { name, value } of [{ name: 'loss', value: result.loss }, ...noted]) {
        const [number = NaN] = await value.data();
        losses.set(name, [...(losses.get(name) ?? []), number]);
      }
      disposeGradients(result);
    } finally {
      dispose(noted.map(({ value }) => value));
      dispose(params);
      part.close();
    }
    prepareMs += ready - begin;
    computeMs += performance.now() - ready;
  }
  // Not every part has samples of every kind.
  const means = Array.from(losses, ([name, values]): [string, number] => [
    name,
    values.reduce((a, b) => a + b, 0) / values.length,
  ]);
  return { losses: Object.fromEntries(means), samples, prepareMs, computeMs };
}

serve<RunRequest, RunReply>(async (request) => {
  opened ??= openTask();
  const task = await opened;
  switch (request.kind) {
    case 'start':
      return { kind: 'started', backend: await startBackend(data.backend) };
    case 'step':
      return { kind: 'step', report: await oneStep(task, request.step) };
    case 'orthogonalize':
      for (const { offset, rows, columns } of request.matrices) {
        const values = data.averaged.subarray(offset, offset + rows * columns);
        const result = orthogonalized(values, rows, columns);
        values.set(await result.data<'float32'>());
        result.dispose();
      }
      return { kind: 'orthogonalized' };
    case 'validate': {
      const params = tensorsOf(data.average, slots);
      try {
        return { kind: 'rows', rows: await task.validate(params, request.items) };
      } finally {
        dispose(params);
      }
    }
    case 'pictures': {
      const params = tensorsOf(data.average, slots);
      try {
        return { kind: 'pictures', pictures: (await task.pictures?.(params, request.id)) ?? [] };
      } finally {
        dispose(params);
      }
    }
  }
});
