// `export`: weights of a run, a model folder or a file as a model folder that the page loads and a PyTorch user can read, as
// a .pth that the official code loads, or as an ONNX file for other runtimes.
import { basename, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Dtype } from '../../weights/safetensors.ts';
import { writeWhole } from '../base/cache.ts';
import { ofModel, ofRun, readWeights } from '../weights/read-weights.ts';
import type { RunWeights, Weights } from '../weights/read-weights.ts';
import { weightFiles } from '../weights/weight-files.ts';
import type { WeightFormat } from '../weights/weight-files.ts';

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
  const weights = await readSource(options);
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
    .action((options: ExportOptions) => exportRun(options, say));
}
