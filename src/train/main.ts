// `npm run train -- COMMAND`: one file per command.
import { Command } from 'commander';
import { Problem } from '../base/errors.ts';
import { analyzeCommand } from './analyze.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { finetuneStillsCommand } from './finetune-stills.ts';
import { importCommand } from './import.ts';
import { finetuneCommand } from './finetune.ts';
import { infoCommand } from './info.ts';
import { prepareCommand } from './prepare.ts';
import { pretrainCommand } from './pretrain.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const program = new Command('npm run train --')
  .description('Trains, scores and exports the recognizer, and reads media files with it.')
  .showHelpAfterError()
  .addCommand(pretrainCommand(say))
  .addCommand(prepareCommand(say))
  .addCommand(finetuneCommand(say))
  .addCommand(finetuneStillsCommand(say))
  .addCommand(evaluateCommand(say))
  .addCommand(exportCommand(say))
  .addCommand(importCommand(say))
  .addCommand(analyzeCommand(say))
  .addCommand(infoCommand(say));

try {
  await program.parseAsync();
} catch (error) {
  // A plain Error is written for the user; anything else is our own bug and shows where.
  const expected =
    error instanceof Problem
      ? error.kind !== 'internal'
      : error instanceof Error && error.constructor === Error;
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(`${expected && !message.startsWith('internal:') ? message : (stack ?? message)}\n`);
  process.exitCode = 1;
}
