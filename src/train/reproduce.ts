// `reproduce`: makes a shipped model again from its data, every stage with the options of its recipe.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { calibrateModel } from './calibrate.ts';
import { exportRun } from './export.ts';
import { finetuneStills } from './finetune-stills.ts';
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
 * Pre-trains (OUT/pretrain), fine-tunes (OUT/finetune), exports and calibrates (OUT/NAME). What is done already is kept, and
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
  const pretrained = join(out, 'pretrain');
  const finetuned = join(out, 'finetune');
  const model = join(out, name);
  const stage = (
    run: string,
  ): { out: string; resume: boolean; checkpointEvery: number; validateEvery: number } => ({
    out: run,
    resume: existsSync(checkpointPath(run)),
    checkpointEvery: 3,
    validateEvery: 500,
  });
  const done = (run: string, steps: number): boolean =>
    existsSync(checkpointPath(run)) && readCheckpoint(run).state.step >= steps;
  if (!done(pretrained, recipe.pretrain.steps)) {
    say(`1 of 3: pre-training, in ${pretrained}`);
    await pretrainStills({ ...recipe.pretrain, ...data, ...stage(pretrained) }, say, stopping);
  }
  if (stopping()) return;
  if (!done(finetuned, recipe.finetune.steps)) {
    say(`2 of 3: fine-tuning, in ${finetuned}`);
    const run = { ...data, ...stage(finetuned), from: pretrained, minutes: Infinity };
    await finetuneStills({ ...recipe.finetune, ...run }, say, stopping);
  }
  if (stopping()) return;
  say(`3 of 3: export and calibration, in ${model}`);
  await exportRun({ run: finetuned, dtype: recipe.dtype, out: model }, say);
  const { seed, threads } = recipe.finetune;
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
      'folder for both runs and the model; what is done there already is kept, and what was begun goes on',
    )
    .addOption(backendOption())
    .addOption(alignOption())
    .action(async (model: string, options: ReproduceOptions) => {
      const recipe = recipes[model];
      if (recipe === undefined) throw new Error(`internal: no recipe ${model}`);
      await reproduce(model, recipe, options, say, stopOnInterrupt(say));
    });
}
