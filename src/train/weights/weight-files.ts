// Weights as the files of a format: what `export` and `import` both write.
import { Problem } from '../../base/errors.ts';
import { officialClipSpec } from '../../clip/spec.ts';
import type { Manifest } from '../../weights/manifest.ts';
import { packWeights } from '../../weights/pack.ts';
import type { PackedFile } from '../../weights/pack.ts';
import { writeTorch } from '../../weights/pytorch-write.ts';
import type { TorchValue } from '../../weights/pytorch-write.ts';
import { writeSafetensors } from '../../weights/safetensors.ts';
import type { Dtype } from '../../weights/safetensors.ts';
import { onnxModel } from './onnx.ts';
import { sayAbout } from './read-weights.ts';
import type { Weights } from './read-weights.ts';

export type WeightFormat = 'safetensors' | 'pth' | 'onnx';

/** All of a fine-tuned model's manifest but what packing decides. */
type About = Omit<Manifest, 'format' | 'files' | 'name'>;

type Finetuned = Weights & { readonly kind: 'finetune' };

/** What stands for labels that nobody told. */
export function placeholderLabels(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `output ${String(i + 1)}`);
}

function aboutOf({ config, about }: Finetuned): About {
  const { video, audio } = config;
  const clip = about.clip ?? {
    ...officialClipSpec,
    frameCount: video.frameCount,
    cropPx: video.cropPx,
    frameIntervalMs: about.frameIntervalMs ?? officialClipSpec.frameIntervalMs,
    // A spectrogram's frames are 10 ms apart.
    soundMs: audio.frameCount * 10,
  };
  return {
    config,
    labels: about.labels ?? placeholderLabels(config.classCount),
    ...(about.outputs === 'dimensions' && { outputs: about.outputs }),
    clip,
    // The official fine-tuning always shows both.
    missingModalities: about.missingModalities ?? false,
    ...(about.calibration !== null && { calibration: about.calibration }),
    provenance: about.provenance,
  };
}

/**
 * The files of a folder: manifest.json and model.safetensors of a fine-tuned model, model.safetensors alone of a pre-trained one,
 * model.pth or model.onnx.
 * @throws Problem when values or labels do not fit; Error for what a format cannot hold
 */
export async function weightFiles(
  weights: Weights,
  name: string,
  format: WeightFormat,
  dtype: Dtype,
): Promise<readonly PackedFile[]> {
  if (format === 'pth') return [{ path: 'model.pth', bytes: toTorch(weights, dtype) }];
  if (weights.kind === 'finetune') {
    if (format === 'onnx') return [{ path: 'model.onnx', bytes: toOnnx(name, weights) }];
    return (await packWeights(weights.tensors, dtype, { name, ...aboutOf(weights) })).files;
  }
  if (format === 'onnx') {
    throw new Error(
      '--format onnx is for fine-tuned models: a pre-trained one has no head; export it as safetensors or pth.',
    );
  }
  const { provenance } = weights.about;
  const metadata = { format: 'pt', model: name, about: sayAbout(weights, { provenance }) };
  return [{ path: 'model.safetensors', bytes: writeSafetensors(weights.tensors, dtype, metadata) }];
}

/** What the official code loads: its entry `model`; the epoch as it names it, and what we know besides, as one text. */
function toTorch(weights: Weights, dtype: Dtype): Uint8Array {
  if (dtype === 'I8')
    throw new Error('--dtype I8 is for safetensors: PyTorch has no such weights; choose F32 or F16.');
  const { provenance } = weights.about;
  const epoch = provenance['epoch'] ?? '';
  const about = sayAbout(weights, weights.kind === 'finetune' ? aboutOf(weights) : { provenance });
  const root = new Map<string, TorchValue>([
    ['model', new Map(Object.entries(weights.tensors))],
    ['epoch', /^\d+$/.test(epoch) ? Number(epoch) : epoch === '' ? 0 : epoch],
    ['about', about],
  ]);
  return writeTorch(root, dtype);
}

/** The metadata tell a reader of the file alone what goes in and what comes out. */
function toOnnx(name: string, weights: Finetuned): Uint8Array {
  const { config, labels, clip, calibration, provenance } = aboutOf(weights);
  const metadata = {
    labels: JSON.stringify(labels),
    config: JSON.stringify(config),
    clip: JSON.stringify(clip),
    ...(calibration && { calibration: JSON.stringify(calibration) }),
    provenance: JSON.stringify(provenance),
  };
  return onnxModel(config, weights.tensors, { name, metadata });
}

/** The same weights with other labels. @throws Problem when they are not as many as the head's outputs, or repeat */
export function withLabels(weights: Weights, labels: readonly string[]): Weights {
  if (weights.kind === 'pretrain')
    throw new Error('--labels is for fine-tuned models: a pre-trained one has no head.');
  const { classCount } = weights.config;
  if (labels.length !== classCount || new Set(labels).size !== labels.length || labels.includes('')) {
    throw new Problem(
      'unsupported-file',
      `--labels has ${String(labels.length)} names (${labels.join(', ')}); wanted ${String(classCount)} different ones, in the order of the head's outputs`,
    );
  }
  return { ...weights, about: { ...weights.about, labels } };
}
