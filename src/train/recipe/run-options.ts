// The options that pre-training and fine-tuning on prepared samples share, and how presets fill them.
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { Problem } from '../../base/errors.ts';
import type { FrameColor, ShortSound } from '../../clip/spec.ts';
import { sizes } from '../../model/config.ts';
import type { SizeName } from '../../model/config.ts';
import { number, whole } from '../base/options.ts';
import { presetNames, presets } from './presets.ts';
import type { Preset } from './presets.ts';
import type { RunOptions } from '../trainer/checkpoint.ts';
import { backendOption } from '../base/webgpu.ts';
import type { BackendOption } from '../base/webgpu.ts';

export interface CommonOptions {
  readonly data: readonly string[];
  readonly out: string;
  readonly preset: string;
  readonly size: SizeName;
  readonly from?: string;
  readonly fold?: number;
  readonly validShare: number;
  readonly epochs: number;
  readonly minutes: number;
  readonly batch: number;
  readonly partSize: number;
  readonly lr: number;
  readonly floor: number;
  readonly warmupEpochs: number;
  readonly beta2: number;
  readonly weightDecay: number;
  readonly average: number;
  readonly frameStep: number;
  readonly color: FrameColor;
  /** 0: no limit. */
  readonly bandLimit: number;
  readonly shortSound: ShortSound;
  readonly augment: 'official' | 'mild' | 'none';
  readonly freeze: readonly string[];
  readonly recompute: boolean;
  readonly seed: number;
  readonly threads: number;
  readonly backend: BackendOption;
  readonly resume: boolean;
  readonly checkpointEvery: number;
  readonly validateEvery: number;
  readonly dryRun: boolean;
}

/** Where an option's value comes from. */
export type ValueSource = 'typed' | 'preset' | 'default';

export interface Resolved<T> {
  readonly options: T;
  /** By option name in code. */
  readonly sources: ReadonlyMap<string, ValueSource>;
}

/** A parser of names separated by commas. */
export const names = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/**
 * A command's options with its preset's values where none was typed. Learning rates of a preset are for its own batch: for
 * another they change in proportion, as the official recipe's (1e-3 x batch / 256).
 */
export function resolveOptions<T extends CommonOptions>(command: Command): Resolved<T> {
  const typed = command.opts<T>();
  const preset = presetOf(command.name() as Preset['command'], typed.preset);
  const sources = new Map<string, ValueSource>();
  const options: Record<string, unknown> = { ...(typed as object) };
  for (const name of Object.keys(typed)) {
    sources.set(name, command.getOptionValueSource(name) === 'cli' ? 'typed' : 'default');
  }
  for (const [name, value] of Object.entries(preset.values)) {
    if (sources.get(name) === 'typed') continue;
    options[name] = value;
    sources.set(name, 'preset');
  }
  const factor = Number(options['batch']) / Number(preset.values['batch']);
  for (const name of ['lr', 'floor']) {
    if (sources.get(name) === 'preset') options[name] = Number(options[name]) * factor;
  }
  return { options: options as unknown as T, sources };
}

function presetOf(command: Preset['command'], name: string): Preset {
  const preset = presets.find((one) => one.command === command && one.name === name);
  if (preset === undefined) {
    throw new Problem(
      'unsupported-file',
      `--preset ${name} is not known; wanted one of ${presetNames(command).join(', ')}.`,
    );
  }
  return preset;
}

/** Adds the shared options to a command; defaults are the nano preset's, which fills the rest. */
export function addCommonOptions(command: Command, kind: Preset['command']): Command {
  const about = presets
    .filter((preset) => preset.command === kind)
    .map((preset) => `  ${preset.name.padEnd(13)} ${preset.about}`);
  command.addHelpText(
    'after',
    `\nPresets, for options marked "preset" that are not typed:\n${about.join('\n')}`,
  );
  return command
    .requiredOption('--data <dir...>', 'folders that prepare has written; several are one set')
    .requiredOption('--out <dir>', 'folder of the run: checkpoints, log, curves; for example runs/nano')
    .addOption(
      new Option('--preset <name>', 'a recipe: see below').choices(presetNames(kind)).default('nano'),
    )
    .addOption(
      new Option('--size <name>', 'architecture; preset').choices(Object.keys(sizes)).default('nano'),
    )
    .option(
      '--from <path>',
      'start from these weights: a run, a model folder, .safetensors or .pth (default: fresh)',
    )
    .option(
      '--fold <number>',
      "fold held out from training, 1 to 1000 (default: the corpus' own split)",
      whole(1, 1000),
    )
    .option(
      '--valid-share <share>',
      'share of people held out where a corpus has neither folds nor a split, 0..1',
      number(0, 0.9),
      0.1,
    )
    .option('--epochs <count>', 'times that every sample is seen, 1 to 100000; preset', whole(1, 100_000), 30)
    .addOption(
      new Option(
        '--minutes <minutes>',
        'end after this much time, and the schedule with it; such a run cannot be repeated bit for bit',
      )
        .argParser(number(0, 1e6))
        .default(Infinity, 'no limit'),
    )
    .option('--batch <count>', 'samples of an optimizer step, 1 to 65536; preset', whole(1, 65_536), 64)
    .option(
      '--part-size <count>',
      "samples that a thread holds at a time, 1 to 4096; a step's parts are accumulated. Pre-training contrasts samples within a part; preset",
      whole(1, 4096),
      32,
    )
    .option(
      '--lr <rate>',
      "highest learning rate, 0..1 (default: the preset's, in proportion to --batch)",
      number(0, 1),
    )
    .option('--floor <rate>', 'learning rate at the end, 0..1 (default: likewise)', number(0, 1))
    .option(
      '--warmup-epochs <count>',
      'epochs of linear warm-up from 0, may be a fraction; preset',
      number(0, 10_000),
      1,
    )
    .option('--beta2 <factor>', "decay of AdamW's second moment, 0..1; preset", number(0, 0.99999), 0.999)
    .option('--weight-decay <factor>', 'weight decay of matrices, 0..10; preset', number(0, 10), 0.05)
    .option(
      '--average <share>',
      'share of the running average of the weights kept at each step, 0..1; 0: no average; preset',
      number(0, 0.99999),
      0,
    )
    .option(
      '--frame-step <count>',
      'frames of a video (25 a second) from one frame of a clip to the next, 1 to 1000; preset',
      whole(1, 1000),
      4,
    )
    .addOption(
      new Option(
        '--color <how>',
        "how frames become numbers: ImageNet's normalization, or gray and standardized by clip",
      )
        .choices(['rgb', 'gray', 'gray-standardized'])
        .default('rgb'),
    )
    .option(
      '--band-limit <hz>',
      'mel bins above this frequency are silenced, 0 to 8000; 0: none are',
      number(0, 8000),
      0,
    )
    .addOption(
      new Option(
        '--short-sound <how>',
        'official: zero rows stand behind the spectrogram of a sound shorter than 2.56 s; silence: it is put in the middle of silence; speech: likewise, and without the pauses around what is said; preset',
      )
        .choices(['official', 'silence', 'speech'])
        .default('official'),
    )
    .addOption(
      new Option(
        '--augment <how>',
        "the official code's augmentation of faces, our milder one of faces and sound, or none; preset",
      )
        .choices(['official', 'mild', 'none'])
        .default('official'),
    )
    .option(
      '--freeze <prefixes>',
      'parameters that stay as they are, by the beginnings of their official names, separated by commas: encoder_audio,encoder_fusion',
      names,
      [],
    )
    .option(
      '--recompute',
      'compute blocks again in the backward pass: a fraction of the memory for a little more time; preset',
      false,
    )
    .option('--no-recompute', 'keep them')
    .option('--seed <number>', 'decides everything random, 0 to 2147483648; preset', whole(0, 2 ** 31), 0)
    .option('--threads <count>', 'worker threads, 1 to 64', whole(1, 64), Math.min(2, availableParallelism()))
    .addOption(backendOption())
    .option('--resume', 'go on from the checkpoint in --out', false)
    .option(
      '--checkpoint-every <minutes>',
      'minutes between checkpoints, 0 to 1000000; 0: after every step',
      number(0, 1e6),
      3,
    )
    .option(
      '--validate-every <epochs>',
      'epochs between validations, may be a fraction',
      number(1e-6, 100_000),
      1,
    )
    .option(
      '--dry-run',
      'print the resolved plan with parameters, memory and time, and train nothing',
      false,
    );
}

/** Where a run is, what computes it and how often it is looked at or saved may change between its sessions; the rest may not. */
const free = new Set([
  'out',
  'resume',
  'checkpointEvery',
  'validateEvery',
  'minutes',
  'backend',
  'dryRun',
  'folds',
  'pictures',
]);

/** What a resumed run must share with its beginning. */
export function identityOf(options: object): RunOptions {
  const entries = Object.entries(options) as [string, unknown][];
  return Object.fromEntries(
    entries.flatMap(([name, value]) => {
      if (free.has(name) || value === undefined) return [];
      // Infinity is none of JSON's numbers.
      if (typeof value === 'number' && !Number.isFinite(value)) return [[name, String(value)]];
      const plain = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string';
      return [[name, plain ? value : JSON.stringify(value)]];
    }),
  );
}

/** Ctrl-C: the first asks the loop to end, a second ends at once. */
export function stopOnInterrupt(say: (line: string) => void): () => boolean {
  let stop = false;
  process.once('SIGINT', () => {
    stop = true;
    say('Stopping after this step; once more to stop at once.');
    process.once('SIGINT', () => process.exit(130));
  });
  return () => stop;
}
