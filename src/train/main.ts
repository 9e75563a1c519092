// `npm run train -- COMMAND`: one file per command.
import { Command } from 'commander';
import { toProblem } from '../base/errors.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { finetuneCommand } from './finetune.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const program = new Command('npm run train --')
  .description('Trains, scores and exports the recognizer, and reads media files with it.')
  .showHelpAfterError()
  .addCommand(finetuneCommand(say))
  .addCommand(evaluateCommand(say))
  .addCommand(exportCommand(say));

try {
  await program.parseAsync();
} catch (error) {
  const problem = toProblem(error);
  process.stderr.write(
    `${problem.kind === 'internal' && error instanceof Error ? (error.stack ?? problem.message) : problem.message}\n`,
  );
  process.exitCode = 1;
}
