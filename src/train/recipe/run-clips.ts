// A run on prepared samples, whatever it trains: backend, plan, folder, log, training.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { officialClipSpec } from '../../clip/spec.ts';
import type { ClipSpec } from '../../clip/spec.ts';
import type { EncoderConfig } from '../../model/config.ts';
import type { ParameterGroup, ParameterShape } from '../../model/params.ts';
import { elementCount } from '../../model/params.ts';
import { startBackend } from '../base/backend.ts';
import type { RunModel } from '../trainer/checkpoint.ts';
import { commandLine } from './command-line.ts';
import { checkEnough, sharedIds } from './run-data.ts';
import type { Split } from './run-data.ts';
import { runLog } from '../trainer/run-log.ts';
import type { RunLog } from '../trainer/run-log.ts';
import { identityOf } from './run-options.ts';
import type { CommonOptions, Resolved } from './run-options.ts';
import { measureRate, memoryBytes, planOf, stepsOf, trainerOptionsOf } from './run-plan.ts';
import type { PreparedData } from '../tasks/prepared-data.ts';
import type { TaskPicture } from '../tasks/run-task.ts';
import type { TaskData } from '../trainer/run-worker.ts';
import type { SampleMeta } from '../data/sample.ts';
import { checkRunFolder, train } from '../trainer/trainer.ts';
import type { TrainingEnd, Validation } from '../trainer/trainer.ts';
import { chooseTrainBackend } from '../base/webgpu.ts';

/** What a command adds to its options. */
export interface ClipsRun {
  readonly command: 'pretrain' | 'finetune';
  readonly run: string;
  readonly samples: readonly SampleMeta[];
  readonly split: Split;
  /** Of the split's held-out samples, those that are looked at. */
  readonly looked: readonly number[];
  readonly fold: number | null;
  readonly model: RunModel;
  readonly parameters: readonly ParameterShape[];
  readonly groups: ReadonlyMap<string, ParameterGroup>;
  readonly clip: ClipSpec;
  /** Of one clip's forward pass. */
  readonly multiplyAdds: number;
  /** Share of tokens that the encoders see. */
  readonly visible: Readonly<Record<'video' | 'audio', number>>;
  readonly task: (data: PreparedData) => TaskData;
  readonly validation: Validation;
  readonly patience: number;
  /** Looked-at samples whose pictures are drawn, and where they go. */
  readonly pictureCount?: number;
  readonly onPictures?: (pictures: readonly TaskPicture[], step: number, log: RunLog) => Promise<void>;
  readonly initial: () => Promise<Float32Array>;
}

/** How the clips of a run are cut. */
export function clipSpecOf(options: CommonOptions, { video }: EncoderConfig): ClipSpec {
  return {
    ...officialClipSpec,
    frameCount: video.frameCount,
    cropPx: video.cropPx,
    // prepare brings films to 25 frames a second.
    frameIntervalMs: options.frameStep * 40,
    color: options.color,
    bandLimitHz: options.bandLimit === 0 ? null : options.bandLimit,
    shortSound: options.shortSound,
  };
}

/**
 * Trains; or, with --dry-run, says what it would do.
 * @returns null after a dry run
 * @throws Problem when there is too little to train on, or the folder holds another run
 */
export async function runClips<T extends CommonOptions>(
  resolved: Resolved<T>,
  job: ClipsRun,
  say: (line: string) => void,
  stopping: () => boolean,
): Promise<TrainingEnd | null> {
  const { options } = resolved;
  const { run, split, clip, fold, parameters } = job;
  checkEnough(split, options.batch);
  const backend = await chooseTrainBackend(options.backend);
  say(backend.reason);
  const steps = stepsOf(options, split.trained.length, backend.name);
  await startBackend();
  const parameterCount = parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const plan = planOf(resolved, {
    steps,
    split,
    parameterCount,
    multiplyAdds: job.multiplyAdds,
    memory: memoryBytes(job.model.config, job.visible, parameterCount, options, steps.threads),
    rate: backend.name === 'wasm' ? await measureRate() : null,
  });
  if (options.dryRun) {
    [...plan.options, ...plan.facts].forEach(say);
    return null;
  }
  const identity = { ...identityOf(options), fold };
  checkRunFolder(run, options.resume, identity);
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, 'plan.txt'), [...plan.options, ...plan.facts, ''].join('\n'));
  plan.facts.forEach(say);
  const log = runLog(run, options.batch, say);
  const typed = { ...options, out: run, ...(fold === null ? {} : { fold }) };
  const corpora = [...new Set(job.samples.map(({ corpus }) => corpus))].join(', ');
  try {
    const end = await train({
      run,
      model: job.model,
      parameters,
      groups: job.groups,
      clip,
      options: trainerOptionsOf(options, steps, backend.name, job.patience),
      identity,
      provenance: {
        command: commandLine(job.command, typed),
        data: `${corpora}: ${String(split.trained.length)} samples trained, ${String(split.validated.length)} held out`,
        seed: String(options.seed),
      },
      task: job.task({
        folders: options.data,
        color: clip.color,
        bandLimitHz: clip.bandLimitHz,
        frameStep: options.frameStep,
        shortSound: clip.shortSound,
        trained: sharedIds(split.trained),
        validated: sharedIds(job.looked),
      }),
      validation: job.validation,
      pictureIds: Array.from({ length: Math.min(job.pictureCount ?? 0, job.looked.length) }, (_, i) => i),
      onPictures: async (pictures, step) => job.onPictures?.(pictures, step, log),
      resume: options.resume,
      initial: job.initial,
      log: log.log,
      stopping,
    });
    say(endLine(end, run));
    return end;
  } finally {
    log.close();
  }
}

/** How training ended, in words. */
export function endLine({ why, step, minutes, best }: TrainingEnd, run: string): string {
  const reason = {
    steps: 'all steps done',
    minutes: 'the time is over',
    patience: 'no better score for long',
    stopped: 'stopped',
  }[why];
  const bestLine = best === null ? '' : `; best ${best.score.toFixed(4)} at step ${String(best.step)}`;
  const next = why === 'stopped' ? ' Go on with the same command and --resume.' : '';
  return `${reason} at step ${String(step)} after ${minutes.toFixed(1)} min${bestLine}; checkpoint in ${run}.${next}`;
}
