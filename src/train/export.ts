// `export`: weights of a run, a model folder or a file as a model folder that the page loads and a PyTorch user can read, as
// a .pth that the official code loads, or as an ONNX file for other runtimes.
import { basename, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Command, Option } from 'commander';
import { random } from '../base/random.ts';
import type { Dtype } from '../weights/safetensors.ts';
import { writeWhole } from './cache.ts';
import { widened } from './run/widen.ts';
import { ofModel, ofRun, readWeights } from './weights/read-weights.ts';
import type { RunWeights, Weights } from './weights/read-weights.ts';
import { weightFiles } from './weights/weight-files.ts';
import type { WeightFormat } from './weights/weight-files.ts';

export interface ExportOptions {
  /** Folder of a run; exactly one of `run`, `model` and `from` is given. */
  readonly run?: string;
  /** A model folder. */
  readonly model?: string;
  /** A .pth or .safetensors file, or any folder that readWeights takes. */
  readonly from?: string;
  /** Folder; with format pth also a file's path that ends in .pth. */
  readonly out: string;
  /** Default safetensors. */
  readonly format?: WeightFormat;
  /** How numbers are held; default F16, of pth F32. ONNX files hold float32. */
  readonly dtype?: Dtype;
  /** Which of a run's weights; default average. */
  readonly weights?: RunWeights;
  /** Weights of the same model, or of the narrower one that it was widened from: the mean of both is written (a model soup). */
  readonly averageWith?: string;
}

/** @throws Problem or Error when the options do not fit each other, or the weights cannot be read or written */
export async function exportRun(options: ExportOptions, say: (line: string) => void): Promise<void> {
  const { out, format = 'safetensors' } = options;
  if (format === 'onnx' && options.dtype !== undefined) {
    throw new Error(
      `--dtype ${options.dtype} is for safetensors and pth; an ONNX file holds float32: leave it out.`,
    );
  }
  const isFile = format === 'pth' && out.endsWith('.pth');
  const name = basename(resolve(out), '.pth');
  const dtype = options.dtype ?? (format === 'pth' ? 'F32' : 'F16');
  const source = await readSource(options);
  const weights =
    options.averageWith === undefined ? source : meanOf(source, await readWeights(options.averageWith));
  for (const { path, bytes } of await weightFiles(weights, name, format, dtype)) {
    const target = isFile ? out : join(out, path);
    writeWhole(target, bytes);
    say(`${target}: ${String(bytes.length)} bytes`);
  }
}

async function readSource({ run, model, from, weights }: ExportOptions): Promise<Weights> {
  const given = Object.entries({ run, model, from }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`],
  );
  if (given.length !== 1) {
    throw new Error(
      `Got ${given.length === 0 ? 'neither --run nor --model nor --from' : `both ${given.join(' and ')}`}, wanted one: ` +
        '--run runs/nano for a run of pretrain or finetune, --model models/nano for a model folder, or --from FILE for a .pth or .safetensors file.',
    );
  }
  if (run !== undefined) return ofRun(run, weights ?? 'average');
  if (weights !== undefined) {
    throw new Error(
      `--weights ${weights} is for --run; a model folder or file holds one set of weights: leave it out.`,
    );
  }
  return model === undefined ? readWeights(from ?? '') : ofModel(model);
}

/**
 * The mean of two models' weights, with what is known of the first. It is a model where one was fine-tuned from the other
 * (Wortsman et al. 2022, arXiv 2109.01903 and 2203.05482). A narrower one is first widened, as the run's beginning was.
 * @throws Error when they are not of one size, or do not read the same
 */
function meanOf(weights: Weights, other: Weights): Weights {
  const widen =
    weights.kind === 'finetune' && other.kind === 'finetune' && other.config.width < weights.config.width;
  const same = (of: (each: Weights) => unknown): boolean => isDeepStrictEqual(of(weights), of(other));
  if (
    !same(({ about }) => about.labels) ||
    !(widen || same(({ kind, config, about }) => [kind, config, about.clip]))
  )
    throw new Error('--average-with: wanted weights of the same size, labels and clip.');
  const seed = Number(weights.about.provenance['seed'] ?? 1);
  const valuesOf = widen
    ? widened(other.tensors, other.config, weights.config, random(seed))
    : (name: string) => other.tensors[name]!.data;
  const tensors = Object.entries(weights.tensors).map(([name, { shape, data }]) => {
    const others = valuesOf(name, shape);
    return [name, { shape, data: data.map((value, i) => (value + others[i]!) / 2) }] as const;
  });
  const { provenance } = weights.about;
  const averagedWith = other.about.provenance['command'] ?? 'unknown';
  const began = provenance['command']?.startsWith(averagedWith);
  const about = {
    ...weights.about,
    // That was of other weights.
    calibration: null,
    provenance: {
      ...provenance,
      weights: `mean of the ${provenance['weights'] ?? 'weights'} and of ${began ? 'the weights that the last command began with' : 'those of averagedWith'}`,
      ...(began !== true && { averagedWith }),
    },
  };
  return { ...weights, tensors: Object.fromEntries(tensors), about };
}

export function exportCommand(say: (line: string) => void): Command {
  return new Command('export')
    .description(
      'Write weights of a run, a model folder or a file: as a model folder (manifest.json and model.safetensors; of a pre-trained model model.safetensors alone), as model.pth for the official code, or as model.onnx.',
    )
    .option('--run <dir>', 'folder of a pretrain or finetune run')
    .option('--model <dir>', 'model folder to export again, instead of a run')
    .option('--from <path>', '.pth or .safetensors file, instead of a run')
    .requiredOption(
      '--out <dir>',
      'folder to write; its last part names the model, for example models/nano; of pth also a file: x.pth',
    )
    .addOption(
      new Option(
        '--format <format>',
        'a model folder for the page, a file that torch.load and the official code open, or an ONNX file for other runtimes (default: safetensors)',
      ).choices(['safetensors', 'pth', 'onnx']),
    )
    .addOption(
      new Option(
        '--dtype <type>',
        'how numbers are held: F32; F16, half the size; I8 (safetensors only), a quarter: matrices in 255 steps a row (default: F16, of pth F32)',
      ).choices(['F32', 'F16', 'I8']),
    )
    .addOption(
      new Option(
        '--weights <which>',
        "of a run: the weights' running average, the last step's, or those of the best validation (default: average)",
      ).choices(['average', 'last', 'best']),
    )
    .option(
      '--average-with <path>',
      'write the mean of the weights and of these, which they were fine-tuned or widened from: a run, a model folder, .safetensors or .pth',
    )
    .action((options: ExportOptions) => exportRun(options, say));
}
