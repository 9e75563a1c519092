// `npm run bench -- COMMAND`: how fast this is, against its peers, on this machine.
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Problem } from '../base/errors.ts';
import { sizes } from '../model/config.ts';
import type { SizeName } from '../model/config.ts';
import { whole } from '../train/base/options.ts';
import { benchGpu } from './gpu.ts';
import { benchInference } from './inference.ts';
import type { ContenderBackend } from './page/protocol.ts';
import { benchPeers } from './peers.ts';
import { plainTable, writeDocs } from './report.ts';
import { benchScaling } from './scaling.ts';
import { benchStartup } from './startup.ts';
import { benchTraining } from './training.ts';
import type { CommandName, Report } from './report.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

interface CommonOptions {
  readonly json?: string;
  readonly docs?: string;
  readonly rounds: number;
  readonly quick?: boolean;
}

function parseSizes(text: string): SizeName[] {
  return text.split(',').map((name) => {
    if (!(name in sizes))
      throw new InvalidArgumentError(`Wanted sizes among ${Object.keys(sizes).join(', ')}.`);
    return name as SizeName;
  });
}

function command(name: CommandName, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--json <file>', 'write the numbers to this file')
    .option('--docs <folder>', 'write chart and tables there (default: docs, for a whole run)')
    .option('--rounds <number>', 'rounds in which the contenders take turns', whole(1, 1000), 5)
    .option('--quick', 'less of everything: for trying, not for quoting');
}

/** Prints the outcome and writes what was asked for; a partial run leaves the documents alone. */
function finish(report: Report, options: CommonOptions, partial: boolean): void {
  say('');
  for (const [name, value] of report.facts) say(`${name}: ${value}`);
  for (const table of report.tables) say(`\n${plainTable(table)}`);
  const { command: name, facts, tables, data } = report;
  if (options.json !== undefined) {
    const numbers = { command: name, facts: Object.fromEntries(facts), tables, data };
    writeFileSync(options.json, `${JSON.stringify(numbers, null, 1)}\n`);
    say(`\nNumbers: ${options.json}`);
  }
  const folder = options.docs ?? (partial ? undefined : 'docs');
  if (folder === undefined) {
    say('\nA part only: no documents written (--docs FOLDER writes them).');
    return;
  }
  // Where the numbers went is nobody's business.
  const isFolder = (word: string | undefined): boolean => word === '--docs' || word === '--json';
  const words = process.argv.slice(2).filter((word, i, all) => !isFolder(word) && !isFolder(all[i - 1]));
  say(`\nWritten: ${writeDocs(report, `npm run bench -- ${words.join(' ')}`, folder).join(', ')}`);
}

interface InferenceCommand extends CommonOptions {
  readonly sizes?: SizeName[];
  readonly only?: ContenderBackend;
}

const inference = command('inference', 'A forward pass in Chromium: ours, stock tfjs, onnxruntime-web.')
  .option('--sizes <names>', 'among nano,mini,tiny,small,base', parseSizes)
  .addOption(new Option('--only <backend>', 'one backend alone').choices(['wasm', 'webgpu']))
  .action(async (options: InferenceCommand) => {
    const quick = options.quick === true;
    const report = await benchInference({
      rounds: quick ? Math.min(options.rounds, 3) : options.rounds,
      sizes: options.sizes ?? (quick ? ['nano', 'tiny'] : ['nano', 'mini', 'tiny', 'small', 'base']),
      backends: options.only === undefined ? ['wasm', 'webgpu'] : [options.only],
      quick,
      say,
    });
    finish(report, options, quick || options.sizes !== undefined || options.only !== undefined);
  });

interface TrainingCommand extends CommonOptions {
  readonly stockRounds: number;
}

const training = command('training', 'A training step of tiny in Node: ours, stock tfjs.')
  .option('--stock-rounds <number>', 'steps of stock tfjs at all tokens, minutes each', whole(0, 100), 1)
  .action(async (options: TrainingCommand) => {
    const quick = options.quick === true;
    const rounds = quick ? Math.min(options.rounds, 2) : options.rounds;
    finish(await benchTraining({ rounds, stockRounds: options.stockRounds, quick, say }), options, quick);
  });

const startup = command('startup', 'The built page: weight, first reading, smoothness.').action(
  async (options: CommonOptions) => {
    const quick = options.quick === true;
    const rounds = quick ? Math.min(options.rounds, 2) : options.rounds;
    finish(await benchStartup({ rounds, liveMs: quick ? 10_000 : 60_000, say }), options, quick);
  },
);

const scaling = command('scaling', 'A forward pass against tokens and batch: ours, onnxruntime-web.').action(
  async (options: CommonOptions) => {
    const quick = options.quick === true;
    const rounds = quick ? Math.min(options.rounds, 2) : options.rounds;
    finish(await benchScaling({ rounds, quick, say }), options, quick);
  },
);

interface GpuCommand extends CommonOptions {
  readonly sizes?: SizeName[];
}

const gpu = command('gpu', 'A forward pass in Node on a GPU (Dawn): 32 and 16 bits.')
  .option('--sizes <names>', 'among micro,nano,tiny,small,base', parseSizes)
  .action(async (options: GpuCommand) => {
    const quick = options.quick === true;
    const report = await benchGpu({
      rounds: options.rounds,
      sizes: options.sizes ?? (quick ? ['micro'] : ['tiny', 'small', 'base']),
      productSize: quick ? 512 : 4096,
      say,
    });
    finish(report, options, quick || options.sizes !== undefined);
    // Dawn keeps Node alive.
    process.exit();
  });

const peers = new Command('peers')
  .description('Accuracy on the same faces: ours, and the emotion models that other browser libraries ship.')
  .requiredOption('--faces <dir>', 'faces laid out like FER+')
  .option('--split <name>', 'split that is read', 'valid')
  .option('--model <dir>', 'our model', 'models/nano')
  .action((options: { faces: string; split: string; model: string }) => benchPeers({ ...options, say }));

const program = new Command('npm run bench --')
  .description('Measures speed, memory and accuracy against peers, on this machine.')
  .showHelpAfterError()
  .addCommand(inference)
  .addCommand(training)
  .addCommand(startup)
  .addCommand(scaling)
  .addCommand(gpu)
  .addCommand(peers);

try {
  await program.parseAsync();
} catch (error) {
  const expected = error instanceof Problem && error.kind !== 'internal';
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(`${expected ? message : (stack ?? message)}\n`);
  process.exitCode = 1;
}
