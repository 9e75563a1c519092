// `prepare`: a corpus' media to shards of aligned face crops and 16 kHz sound.
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { Problem } from '../../base/errors.ts';
import { writeWhole } from '../base/cache.ts';
import { corpora, corpusNamed } from '../data/corpora/all.ts';
import { number, whole } from '../base/options.ts';
import { partOf } from '../data/media/part.ts';
import { prepare, summarize } from '../data/media/prepare-run.ts';
import { usualLimits } from '../data/shards/write.ts';

interface Typed {
  readonly [name: string]: unknown;
  readonly out: string;
  readonly shard?: string;
  readonly shardCount?: number;
  readonly jobs: number;
  readonly cropPx: number;
  readonly fps: number | 'source';
  readonly frames: 'jpg' | 'png';
  readonly align: 'detect' | 'as-is';
  readonly faceless: 'drop' | 'keep';
  readonly only: 'both' | 'face' | 'voice';
  readonly maxSeconds: number;
  readonly look: number;
  readonly limit?: number;
  readonly shardMb: number;
  readonly shardSamples: number;
  readonly patience: number;
  readonly json?: string;
}

function fpsOf(text: string): number | 'source' {
  return text === 'source' ? 'source' : number(1, 240)(text);
}

async function runCommand(
  name: string,
  folder: string,
  typed: Typed,
  say: (line: string) => void,
): Promise<void> {
  const corpus = corpusNamed(name);
  const corpusOptions: Record<string, string> = {};
  for (const [option, names] of corpusOptionNames()) {
    const value = typed[new Option(`--${option} <value>`).attributeName()];
    if (typeof value !== 'string') continue;
    if (!names.includes(name)) {
      throw new Problem(
        'unsupported-file',
        `--${option} is for ${names.join(', ')}, not for ${name}: leave it out.`,
      );
    }
    corpusOptions[option] = value;
  }
  const part = partOf(typed.shard, typed.shardCount, process.env);
  const stop = new AbortController();
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(130);
    say('Stopping ...');
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  try {
    const options = { ...typed, lookMs: typed.look, part, corpusOptions };
    const account = await prepare(corpus, folder, options, say, stop.signal);
    if (account === null) {
      process.exitCode = 130;
      return;
    }
    summarize(account, typed.out, say);
    if (typed.json !== undefined) writeWhole(typed.json, `${JSON.stringify(account, null, 2)}\n`);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  }
}

/** Options of adapters, and whose they are. */
function corpusOptionNames(): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const corpus of corpora) {
    for (const { name } of corpus.options ?? []) names.set(name, [...(names.get(name) ?? []), corpus.name]);
  }
  return names;
}

export function prepareCommand(say: (line: string) => void): Command {
  const command = new Command('prepare')
    .description(
      'Turn a corpus into shards that training reads: aligned face crops, 16 kHz sound, labels; WebDataset tar files. A run that was stopped or killed goes on where it was; a finished one does nothing.',
    )
    .argument('<corpus>', 'which corpus, see below')
    .argument('<folder>', "the corpus' folder")
    .requiredOption('--out <dir>', 'folder to write, made when missing')
    .option(
      '--shard <i/n>',
      'do only part i of n, 1/1 to n/n, all into the same --out; default: from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX when set, else 1/1',
    )
    .option(
      '--shard-count <n>',
      'how many parts there are, where the environment only says which (JOB_COMPLETION_INDEX); 1 to 100000',
      whole(1, 100_000),
    )
    .option('--jobs <n>', 'samples worked on at a time; 1 to 256', whole(1, 256), availableParallelism())
    .option('--crop-px <n>', 'side of the face crops, pixels; 16 to 1024', whole(16, 1024), 160)
    .option('--fps <rate>', 'frames a second of films, 1 to 240, or `source`: as they are', fpsOf, 25)
    .addOption(
      new Option('--frames <format>', 'crops as JPEG (quality 95, 4:4:4) or as lossless PNG')
        .choices(['jpg', 'png'])
        .default('jpg'),
    )
    .addOption(
      new Option(
        '--align <how>',
        "by the page's face detector, or as-is: pictures are face crops already, eyes and mouth in place",
      )
        .choices(['detect', 'as-is'])
        .default('detect'),
    )
    .addOption(
      new Option(
        '--faceless <what>',
        'when no face is found: drop the sample, or keep its sound (a still: as it is)',
      )
        .choices(['drop', 'keep'])
        .default('drop'),
    )
    .addOption(
      new Option('--only <modality>', 'leave the other out')
        .choices(['both', 'face', 'voice'])
        .default('both'),
    )
    .option(
      '--look <ms>',
      'look for the face so often in a film, milliseconds, 0 to 1000; 0: in every frame. Frames between take the nearest place; the page looks every 80',
      number(0, 1000),
      0,
    )
    .option(
      '--max-seconds <s>',
      'no more than this of a file is taken, seconds; 0.1 to 36000',
      number(0.1, 36_000),
      300,
    )
    .option(
      '--patience <s>',
      'give a file up when nothing comes out of it for so long, seconds; 1 to 3600',
      number(1, 3600),
      120,
    )
    .option(
      '--limit <n>',
      'only so many samples of the corpus, spread over it; 1 to 1000000000 (default: all)',
      whole(1, 1e9),
    )
    .option(
      '--shard-mb <n>',
      'begin a new shard before it is larger than this, megabytes; 1 to 8000',
      number(1, 8000),
      usualLimits.shardBytes / 1e6,
    )
    .option(
      '--shard-samples <n>',
      'most samples of a shard; 1 to 1000000',
      whole(1, 1_000_000),
      usualLimits.shardSamples,
    )
    .option('--json <file>', 'write the account here as well');
  const seen = new Set<string>();
  for (const corpus of corpora) {
    for (const { name, about } of corpus.options ?? []) {
      if (!seen.has(name)) command.option(`--${name} <value>`, about);
      seen.add(name);
    }
  }
  const list = corpora.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`);
  return command
    .addHelpText('after', `\nCorpora:\n${list.join('\n')}`)
    .action((name: string, folder: string, typed: Typed) => runCommand(name, folder, typed, say));
}
