// `reproduce`: makes a shipped model again from its data, every stage with the options of its recipe.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { calibrateModel } from './calibrate.ts';
import { exportRun } from './export.ts';
import { finetuneStills } from './finetune-stills.ts';
import type { StillsOptions } from './finetune-stills.ts';
import { alignOption, whole } from '../base/options.ts';
import { recipes } from '../recipe/recipes.ts';
import type { Recipe } from '../recipe/recipes.ts';
import { checkpointPath, readCheckpoint } from '../trainer/checkpoint.ts';
import { identityOf, stopOnInterrupt } from '../recipe/run-options.ts';
import { checkSameOptions } from '../trainer/trainer.ts';
import type { DataOptions } from '../data/stills/training-data.ts';
import { backendOption } from '../base/webgpu.ts';
import type { BackendOption } from '../base/webgpu.ts';

export interface ReproduceOptions extends Omit<DataOptions, 'threads'> {
  readonly out: string;
  /** Default auto. */
  readonly backend?: BackendOption;
}

/** Options that say where things lie, which may have been moved since. */
const places: readonly string[] = ['faces', 'voices', 'from', 'widen'];

/**
 * Whether a run is finished.
 * @throws Problem when it was made with other options; those that are younger than the run are not compared
 */
function isDone(run: string, options: object, steps: number): boolean {
  if (!existsSync(checkpointPath(run))) return false;
  const { state } = readCheckpoint(run);
  if (state.step < steps) return false;
  const compared = Object.keys(state.options).filter((name) => !places.includes(name));
  checkSameOptions(run, state.options, identityOf(options), compared);
  return true;
}

/**
 * Fine-tunes (OUT/nano-1, ...), exports and calibrates (OUT/NAME).
 * What is done already is kept, and what was begun goes on.
 * @param name of the model: the last part of the exported folder
 * @throws Problem when a run in OUT was made with other options
 */
export async function reproduce(
  name: string,
  recipe: Recipe,
  options: ReproduceOptions,
  say: (line: string) => void,
  stopping: () => boolean = () => false,
): Promise<void> {
  const { out, ...data } = options;
  const { finetune, dtype } = recipe;
  const model = join(out, name);
  const enter = (stage: number, what: string, folder: string): void => {
    say(`${String(stage)} of ${String(finetune.length + 1)}: ${what}, in ${folder}`);
  };
  const startFrom = async (run: string, wider: boolean): Promise<Pick<StillsOptions, 'from' | 'widen'>> => {
    if (!wider) return { from: run };
    const widen = `${run}-exported`;
    await exportRun({ run, dtype, out: widen }, say);
    return { widen };
  };
  const runOf = (i: number): string => join(out, finetune[i]!.run);
  for (const [i, { run: name, ...stage }] of finetune.entries()) {
    const run = join(out, name);
    if (isDone(run, { ...stage, ...data }, stage.steps)) continue;
    enter(i + 1, 'fine-tuning', run);
    await finetuneStills(
      {
        ...stage,
        ...data,
        ...(i > 0 && (await startFrom(runOf(i - 1), finetune[i - 1]!.size !== stage.size))),
        out: run,
        resume: existsSync(checkpointPath(run)),
        checkpointEvery: 3,
        validateEvery: 500,
        minutes: Infinity,
      },
      say,
      stopping,
    );
    if (stopping()) return;
  }
  enter(finetune.length + 1, 'export and calibration', model);
  await exportRun({ run: runOf(finetune.length - 1), dtype, out: model }, say);
  const { seed, threads } = finetune[0]!;
  await calibrateModel({ model, ...data, split: 'valid', seed, threads }, say);
}

export function reproduceCommand(say: (line: string) => void): Command {
  return new Command('reproduce')
    .description('Make a shipped model again by its recipe: fine-tunings, export and calibration.')
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
