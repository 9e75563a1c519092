// `npm run train -- COMMAND`: one file per command.
import { Command } from 'commander';
import { Problem } from '../base/errors.ts';
import { analyzeCommand } from './analyze.ts';
import { calibrateCommand } from './calibrate.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { finetuneStillsCommand } from './finetune-stills.ts';
import { finetuneCommand } from './finetune.ts';
import { importCommand } from './import.ts';
import { infoCommand } from './info.ts';
import { isCheckout } from './package-root.ts';
import { prepareCommand } from './prepare.ts';
import { pretrainCommand } from './pretrain.ts';
import { reproduceCommand } from './reproduce.ts';
import { pretrainStillsCommand } from './pretrain-stills.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const program = new Command(isCheckout ? 'npm run train --' : 'emotion-recognizer')
  .description('From raw media to weights in the page: prepares, trains, scores and exports the recognizer.')
  .addCommand(prepareCommand(say))
  .addCommand(pretrainCommand(say))
  .addCommand(finetuneCommand(say))
  .addCommand(pretrainStillsCommand(say))
  .addCommand(finetuneStillsCommand(say))
  .addCommand(reproduceCommand(say))
  .addCommand(evaluateCommand(say))
  .addCommand(calibrateCommand(say))
  .addCommand(exportCommand(say))
  .addCommand(importCommand(say))
  .addCommand(analyzeCommand(say))
  .addCommand(infoCommand(say));

for (const command of [program, ...program.commands])
  command.showHelpAfterError('(--help tells all options)');

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
