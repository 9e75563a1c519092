// `reproduce`: makes a shipped model again from its data, every stage with the options of its recipe.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { calibrateModel } from './calibrate.ts';
import { exportRun } from './export.ts';
import { finetuneStills } from './finetune-stills.ts';
import type { StillsOptions } from './finetune-stills.ts';
import { alignOption, whole } from './options.ts';
import { pretrainStills } from './pretrain-stills.ts';
import { recipes } from './recipes.ts';
import type { Recipe } from './recipes.ts';
import { checkpointPath, readCheckpoint } from './run/checkpoint.ts';
import { stopOnInterrupt } from './run/run-options.ts';
import type { DataOptions } from './stills/training-data.ts';
import { backendOption } from './webgpu.ts';
import type { BackendOption } from './webgpu.ts';

export interface ReproduceOptions extends Omit<DataOptions, 'threads'> {
  readonly out: string;
  /** Default auto. */
  readonly backend?: BackendOption;
}

/**
 * Pre-trains (OUT/pretrain), fine-tunes (OUT/finetune-1, ...), exports and calibrates (OUT/NAME). What is done already is kept, and
 * what was begun goes on.
 * @param name of the model: the last part of the exported folder
 */
export async function reproduce(
  name: string,
  recipe: Recipe,
  options: ReproduceOptions,
  say: (line: string) => void,
  stopping: () => boolean = () => false,
): Promise<void> {
  const { out, ...data } = options;
  const model = join(out, name);
  const stages = recipe.finetune.length + 2;
  let from = join(out, 'pretrain');
  const shared = (
    run: string,
  ): Pick<StillsOptions, 'out' | 'resume' | 'checkpointEvery' | 'validateEvery'> => ({
    out: run,
    resume: existsSync(checkpointPath(run)),
    checkpointEvery: 3,
    validateEvery: 500,
  });
  const done = (run: string, steps: number): boolean =>
    existsSync(checkpointPath(run)) && readCheckpoint(run).state.step >= steps;
  if (!done(from, recipe.pretrain.steps)) {
    say(`1 of ${String(stages)}: pre-training, in ${from}`);
    await pretrainStills({ ...recipe.pretrain, ...data, ...shared(from) }, say, stopping);
  }
  for (const [i, stage] of recipe.finetune.entries()) {
    if (stopping()) return;
    const run = join(out, `finetune-${String(i + 1)}`);
    if (!done(run, stage.steps)) {
      say(`${String(i + 2)} of ${String(stages)}: fine-tuning, in ${run}`);
      await finetuneStills({ ...stage, ...data, ...shared(run), from, minutes: Infinity }, say, stopping);
    }
    from = run;
  }
  if (stopping()) return;
  say(`${String(stages)} of ${String(stages)}: export and calibration, in ${model}`);
  await exportRun({ run: from, dtype: recipe.dtype, out: model }, say);
  const { seed, threads } = recipe.pretrain;
  await calibrateModel({ model, ...data, split: 'valid', seed, threads }, say);
}

export function reproduceCommand(say: (line: string) => void): Command {
  return new Command('reproduce')
    .description(
      'Make a shipped model again: pre-training, fine-tuning, export and calibration by its recipe.',
    )
    .addArgument(new Argument('<model>', 'which').choices(Object.keys(recipes)))
    .requiredOption('--faces <dir>', 'faces laid out like FER+, splits train and valid')
    .requiredOption('--voices <dir>', 'voices laid out like CREMA-D')
    .option('--fold <number>', 'fold of voices held out from training, calibrated on', whole(1, 1000), 1)
    .requiredOption(
      '--out <dir>',
      'folder for the runs and the model; what is done there already is kept, and what was begun goes on',
    )
    .addOption(backendOption())
    .addOption(alignOption())
    .action(async (model: string, options: ReproduceOptions) => {
      const recipe = recipes[model];
      if (recipe === undefined) throw new Error(`internal: no recipe ${model}`);
      await reproduce(model, recipe, options, say, stopOnInterrupt(say));
    });
}
