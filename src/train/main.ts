// `npm run train -- COMMAND`: one file per command.
import { Command } from 'commander';
import { Problem } from '../base/errors.ts';
import { analyzeCommand } from './commands/analyze.ts';
import { calibrateCommand } from './commands/calibrate.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { exportCommand } from './commands/export.ts';
import { finetuneStillsCommand } from './commands/finetune-stills.ts';
import { finetuneCommand } from './commands/finetune.ts';
import { importCommand } from './commands/import.ts';
import { infoCommand } from './commands/info.ts';
import { isCheckout } from '../site/package-root.ts';
import { prepareCommand } from './commands/prepare.ts';
import { pretrainCommand } from './commands/pretrain.ts';
import { reproduceCommand } from './commands/reproduce.ts';
import { pretrainStillsCommand } from './commands/pretrain-stills.ts';

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
