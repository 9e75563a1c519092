// `export`: a run's weights as a model folder that the page loads and a PyTorch user can read.
import { basename, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { emotions } from '../model/labels.ts';
import { packWeights } from '../weights/pack.ts';
import type { TensorMap } from '../weights/safetensors.ts';
import { writeWhole } from './cache.ts';
import { readCheckpoint } from './checkpoint.ts';
import { slotsOf } from './flat-params.ts';

export interface ExportOptions {
  readonly run: string;
  readonly out: string;
  readonly dtype: 'F16' | 'F32';
  readonly weights: 'average' | 'last';
}

/** A finetune command without its folders: where the data lay on the trainer's machine is nobody's business. */
export function withoutFolders(command: string): string {
  return command.replace(/--(faces|voices|out) .+?(?= --| && |$)/g, '--$1 DIR');
}

export async function exportRun(options: ExportOptions, say: (line: string) => void): Promise<void> {
  const { state, arrays } = readCheckpoint(options.run);
  const flat = options.weights === 'average' ? arrays.average : arrays.params;
  const tensors: TensorMap = Object.fromEntries(
    slotsOf(state.config).slots.map(({ name, shape, offset, length }) => [
      name,
      { shape, data: flat.slice(offset, offset + length) },
    ]),
  );
  const packed = await packWeights(tensors, options.dtype, {
    name: basename(resolve(options.out)),
    config: state.config,
    labels: [...emotions],
    clip: state.clip,
    missingModalities: true,
    provenance: {
      ...state.provenance,
      command: withoutFolders(state.provenance['command'] ?? ''),
      steps: String(state.step),
      trainingMinutes: state.minutes.toFixed(1),
      weights: options.weights === 'average' ? 'running average' : 'last step',
    },
  });
  for (const { path, bytes } of packed.files) {
    writeWhole(join(options.out, path), bytes);
    say(`${join(options.out, path)}: ${String(bytes.length)} bytes`);
  }
}

export function exportCommand(say: (line: string) => void): Command {
  return new Command('export')
    .description("Write a run's weights as a model folder: manifest.json and model.safetensors.")
    .requiredOption('--run <dir>', 'folder of a finetune run')
    .requiredOption(
      '--out <dir>',
      'model folder to write; its last part names the model, for example models/nano',
    )
    .addOption(
      new Option('--dtype <type>', 'how numbers are stored; F16 halves the download')
        .choices(['F16', 'F32'])
        .default('F16'),
    )
    .addOption(
      new Option('--weights <which>', "the weights' running average or the last step's")
        .choices(['average', 'last'])
        .default('average'),
    )
    .action((options: ExportOptions) => exportRun(options, say));
}
