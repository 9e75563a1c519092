// `import`: a PyTorch checkpoint of the official code, or a safetensors file, as a folder of this project's.
import { basename, join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { HicmaeConfig } from '../../model/config.ts';
import type { Dtype } from '../../weights/safetensors.ts';
import { writeWhole } from '../base/cache.ts';
import { whole } from '../base/options.ts';
import { ofModel, readWeights } from '../weights/read-weights.ts';
import type { Weights, WeightsAbout } from '../weights/read-weights.ts';
import { weightFiles, withLabels } from '../weights/weight-files.ts';

export interface ImportOptions {
  readonly out: string;
  /** In the order of the head's outputs. */
  /** A model folder whose clips, labels and missing modalities hold here too. */
  readonly like?: string;
  readonly labels?: readonly string[];
  /** Default the file's, else classes. */
  readonly outputs?: 'classes' | 'dimensions';
  /** Default F32. */
  readonly dtype?: Dtype;
  readonly headActivation?: HicmaeConfig['headActivation'];
  readonly heads?: number;
  readonly decoderHeads?: number;
  readonly levels?: readonly number[];
  readonly frames?: number;
  readonly crop?: number;
  readonly soundFrames?: number;
  readonly mel?: number;
}

/**
 * Writes a fine-tuned checkpoint as a model folder, or a pre-trained one as a folder with model.safetensors.
 * @throws Problem as readWeights and weightFiles
 */
export async function importFile(
  path: string,
  options: ImportOptions,
  say: (line: string) => void,
): Promise<void> {
  const { headActivation, heads, decoderHeads, levels, frames, crop, soundFrames, mel } = options;
  const hints = {
    ...(headActivation !== undefined && { headActivation }),
    ...(heads !== undefined && { heads }),
    ...(decoderHeads !== undefined && { decoderHeads }),
    ...(levels !== undefined && { levels }),
    ...(frames !== undefined && { frameCount: frames }),
    ...(crop !== undefined && { cropPx: crop }),
    ...(soundFrames !== undefined && { soundFrames }),
    ...(mel !== undefined && { melBins: mel }),
  };
  const found = await readWeights(path, hints);
  const read = options.like === undefined ? found : likeModel(found, (await ofModel(options.like)).about);
  const named = options.labels === undefined ? read : withLabels(read, options.labels);
  const weights = {
    ...named,
    about: {
      ...named.about,
      outputs: options.outputs ?? named.about.outputs,
      provenance: { ...named.about.provenance, imported: basename(path) },
    },
  };
  say(describe(weights));
  if (weights.kind === 'finetune' && weights.about.labels === null) {
    say(
      "The file does not name its classes: they are called output 1, output 2, ...; give --labels in the head's order.",
    );
  }
  const name = basename(resolve(options.out));
  for (const file of await weightFiles(weights, name, 'safetensors', options.dtype ?? 'F32')) {
    writeWhole(join(options.out, file.path), file.bytes);
    say(`${join(options.out, file.path)}: ${String(file.bytes.length)} bytes`);
  }
}

/** What a file from elsewhere does not say of itself is as with the model that it comes from. */
function likeModel(weights: Weights, like: WeightsAbout): Weights {
  const { about } = weights;
  return {
    ...weights,
    about: {
      ...about,
      labels: about.labels ?? like.labels,
      clip: about.clip ?? like.clip,
      missingModalities: about.missingModalities ?? like.missingModalities,
      outputs: about.outputs ?? like.outputs,
    },
  };
}

/** What was found, in a line. */
function describe({ kind, config, tensors }: Weights): string {
  const { width, heads, encoderDepth, fusionDepth, video, audio } = config;
  const parameters = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
  const rest =
    kind === 'finetune'
      ? `${String(config.classCount)} outputs, head activation ${config.headActivation}`
      : `decoder width ${String(config.decoderWidth)}, ${String(config.decoderHeads)} heads, ${String(config.decoderDepth)} blocks, levels ${config.levels.join(', ')}`;
  return (
    `${kind === 'finetune' ? 'Fine-tuned' : 'Pre-trained'} HiCMAE, ${String(parameters)} parameters: width ${String(width)}, ${String(heads)} heads, ` +
    `${String(encoderDepth)} blocks, ${String(fusionDepth)} fusion layers; ${String(video.frameCount)} frames of ${String(video.cropPx)} px, ` +
    `sound ${String(audio.frameCount)} x ${String(audio.melBins)}; ${rest}`
  );
}

const list = (text: string): string[] => text.split(',').map((part) => part.trim());

function levelList(text: string): number[] {
  const levels = list(text).map(Number);
  if (levels.some((level, i) => !Number.isInteger(level) || level < 0 || level <= (levels[i - 1] ?? -1))) {
    throw new InvalidArgumentError('Wanted ascending block numbers from 0, such as 3,6,9.');
  }
  return levels;
}

export function importCommand(say: (line: string) => void): Command {
  return new Command('import')
    .description(
      'Read a checkpoint of the official code (.pth, zip or legacy; nothing in it is executed) or a .safetensors file with its parameter names. ' +
        'A fine-tuned one becomes a model folder, a pre-trained one a folder for pretrain --from and finetune --from. ' +
        'Sizes follow from shapes; what shapes do not tell is taken from the file, then from the known size of the same shapes, then from the official input.',
    )
    .argument('<file>', 'the checkpoint, for example checkpoint-best.pth')
    .requiredOption('--out <dir>', 'folder to write; its last part names the model, for example models/mine')
    .option(
      '--like <dir>',
      'model folder that this was trained further from: its frame spacing, color, labels and missing modalities hold here too, where the file does not tell',
    )
    .option('--labels <names>', "classes in the order of the head's outputs, separated by commas", list)
    .addOption(
      new Option(
        '--outputs <kind>',
        "whether the head gives logits of classes or values of dimensions such as valence (default: the file's, else classes)",
      ).choices(['classes', 'dimensions']),
    )
    .addOption(
      new Option(
        '--dtype <type>',
        'how numbers are stored: F32 bit for bit, F16, or I8 (rows of matrices in 255 steps) (default: F32)',
      ).choices(['F32', 'F16', 'I8']),
    )
    .addOption(
      new Option('--head-activation <name>', "after the head (default: the file's, else none)").choices([
        'none',
        'sigmoid',
        'relu',
        'tanh',
      ]),
    )
    .option(
      '--heads <n>',
      'attention heads, 1 to 64 (default: of the known size of that width)',
      whole(1, 64),
    )
    .option(
      '--decoder-heads <n>',
      "of a pre-trained model's decoder, 1 to 64 (default: as above)",
      whole(1, 64),
    )
    .option(
      '--levels <blocks>',
      'of a pre-trained model: encoder blocks (from 0) that decoders read, such as 3,6,9',
      levelList,
    )
    .option('--frames <n>', 'video frames of a clip, 1 to 256 (default: as above)', whole(1, 256))
    .option('--crop <px>', 'side of the face crop in pixels, 8 to 1024 (default: as above)', whole(8, 1024))
    .option(
      '--sound-frames <n>',
      'spectrogram frames of a clip, 10 ms each, 8 to 4096 (default: as above)',
      whole(8, 4096),
    )
    .option('--mel <n>', 'mel bins, 8 to 512 (default: as above)', whole(8, 512))
    .action((file: string, options: ImportOptions) => importFile(file, options, say));
}
