// `export`: a run's weights, or a model folder's, as a model folder that the page loads and a PyTorch user can read, or
// as an ONNX file for other runtimes.
import { basename, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { emotions } from '../model/labels.ts';
import { parameterShapes } from '../model/params.ts';
import type { Manifest } from '../weights/manifest.ts';
import { packWeights } from '../weights/pack.ts';
import type { TensorMap } from '../weights/safetensors.ts';
import { writeWhole } from './cache.ts';
import { readCheckpoint } from './checkpoint.ts';
import { slotsOf } from './flat-params.ts';
import { readModel } from './model-folder.ts';
import { onnxModel } from './onnx.ts';

export interface ExportOptions {
  /** Folder of a finetune run; exactly one of `run` and `model` is given. */
  readonly run?: string;
  /** A model folder. */
  readonly model?: string;
  readonly out: string;
  /** Default safetensors. */
  readonly format?: 'safetensors' | 'onnx';
  /** How safetensors hold numbers; default F16. ONNX files hold float32. */
  readonly dtype?: 'F16' | 'F32';
  /** Which of a run's weights; default average. */
  readonly weights?: 'average' | 'last';
}

/** What is exported: all of a manifest but the name and what the packing decides. */
interface Source {
  readonly about: Omit<Manifest, 'format' | 'files' | 'name'>;
  readonly tensors: TensorMap;
}

/** A finetune command without its folders: where the data lay on the trainer's machine is nobody's business. */
export function withoutFolders(command: string): string {
  return command.replace(/--(faces|voices|out) .+?(?= --| && |$)/g, '--$1 DIR');
}

export async function exportRun(options: ExportOptions, say: (line: string) => void): Promise<void> {
  const name = basename(resolve(options.out));
  if (options.format === 'onnx' && options.dtype !== undefined) {
    throw new Error(`--dtype ${options.dtype} is for safetensors; an ONNX file holds float32: leave it out.`);
  }
  const { about, tensors } = await readSource(options);
  const files =
    options.format === 'onnx'
      ? [{ path: 'model.onnx', bytes: toOnnx(name, about, tensors) }]
      : (await packWeights(tensors, options.dtype ?? 'F16', { name, ...about })).files;
  for (const { path, bytes } of files) {
    writeWhole(join(options.out, path), bytes);
    say(`${join(options.out, path)}: ${String(bytes.length)} bytes`);
  }
}

async function readSource({ run, model, weights }: ExportOptions): Promise<Source> {
  if ((run === undefined) === (model === undefined)) {
    throw new Error(
      `Got ${run === undefined ? 'neither --run nor --model' : 'both --run and --model'}, wanted one: --run runs/nano for a run of finetune, or --model models/nano for a model folder.`,
    );
  }
  if (run !== undefined) return ofRun(run, weights ?? 'average');
  if (weights !== undefined) {
    throw new Error(
      `--weights ${weights} is for --run; a model folder holds one set of weights: leave it out.`,
    );
  }
  const { manifest, flat } = await readModel(model ?? '');
  const { config, labels, clip, missingModalities, provenance } = manifest;
  return {
    about: { config, labels, clip, missingModalities, provenance },
    tensors: tensorsOf(manifest.config, flat),
  };
}

function ofRun(run: string, weights: 'average' | 'last'): Source {
  const { state, arrays } = readCheckpoint(run);
  return {
    about: {
      config: state.config,
      labels: [...emotions],
      clip: state.clip,
      missingModalities: true,
      provenance: {
        ...state.provenance,
        command: withoutFolders(state.provenance['command'] ?? ''),
        steps: String(state.step),
        trainingMinutes: state.minutes.toFixed(1),
        weights: weights === 'average' ? 'running average' : 'last step',
      },
    },
    tensors: tensorsOf(state.config, weights === 'average' ? arrays.average : arrays.params),
  };
}

function tensorsOf(config: Manifest['config'], flat: Float32Array): TensorMap {
  return Object.fromEntries(
    slotsOf(parameterShapes(config)).slots.map(({ name, shape, offset, length }) => [
      name,
      { shape, data: flat.slice(offset, offset + length) },
    ]),
  );
}

/** The metadata tell a reader of the file alone what goes in and what comes out. */
function toOnnx(name: string, about: Source['about'], tensors: TensorMap): Uint8Array {
  const { config, labels, clip, provenance } = about;
  const metadata = {
    labels: JSON.stringify(labels),
    config: JSON.stringify(config),
    clip: JSON.stringify(clip),
    provenance: JSON.stringify(provenance),
  };
  return onnxModel(config, tensors, { name, metadata });
}

export function exportCommand(say: (line: string) => void): Command {
  return new Command('export')
    .description(
      'Write weights as a model folder (manifest.json and model.safetensors) or as model.onnx, from a run or a model folder.',
    )
    .option('--run <dir>', 'folder of a finetune run')
    .option('--model <dir>', 'model folder to export again, instead of a run')
    .requiredOption('--out <dir>', 'folder to write; its last part names the model, for example models/nano')
    .addOption(
      new Option(
        '--format <format>',
        'a model folder for the page, or an ONNX file for other runtimes (default: safetensors)',
      ).choices(['safetensors', 'onnx']),
    )
    .addOption(
      new Option(
        '--dtype <type>',
        'how safetensors hold numbers; F16 halves the download (default: F16)',
      ).choices(['F16', 'F32']),
    )
    .addOption(
      new Option(
        '--weights <which>',
        "of a run: the weights' running average or the last step's (default: average)",
      ).choices(['average', 'last']),
    )
    .action((options: ExportOptions) => exportRun(options, say));
}
