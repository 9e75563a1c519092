// Weights from wherever they are: PyTorch checkpoints, safetensors files, model folders and runs, told apart by content.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/errors.ts';
import type { ClipSpec } from '../../clip/spec.ts';
import type { ModelCalibration } from '../../weights/calibration.ts';
import { parseManifest } from '../../weights/manifest.ts';
import type { Manifest } from '../../weights/manifest.ts';
import { PickleObject } from '../../weights/pickle.ts';
import { openTorch } from '../../weights/pytorch-read.ts';
import { recognize, shapesOf } from '../../weights/recognize.ts';
import type { Recognized, RecognizeHints } from '../../weights/recognize.ts';
import { parseSafetensors } from '../../weights/safetensors.ts';
import type { Tensor, TensorMap } from '../../weights/safetensors.ts';
import { TorchTensor } from '../../weights/torch-globals.ts';
import type { ByteSource } from '../../weights/zip.ts';
import { withFile } from './byte-source.ts';
import { checkpointPath, readBest, readCheckpoint } from '../trainer/checkpoint.ts';
import { slotsOf } from '../trainer/flat-params.ts';
import { loadModel } from './model-folder.ts';

/** What is known of weights beyond their shapes; null and empty where the file does not tell. */
export interface WeightsAbout {
  /** In the order of the head's outputs. */
  readonly labels: readonly string[] | null;
  /** What the head's outputs are. */
  readonly outputs: 'classes' | 'dimensions' | null;
  readonly clip: ClipSpec | null;
  /** Milliseconds between frames, of official checkpoints; null where `clip` says it or nothing does. */
  readonly frameIntervalMs: number | null;
  readonly missingModalities: boolean | null;
  /** Of exactly these weights. */
  readonly calibration: ModelCalibration | null;
  readonly provenance: Readonly<Record<string, string>>;
}

/** A fine-tuned or pre-trained model: its sizes, and all of its parameters in the official order, finite. */
export type Weights = Recognized & { readonly tensors: TensorMap; readonly about: WeightsAbout };

/** Which of a run's parameters. */
export type RunWeights = 'average' | 'last' | 'best';

const unknown: WeightsAbout = {
  labels: null,
  outputs: null,
  clip: null,
  frameIntervalMs: null,
  missingModalities: null,
  calibration: null,
  provenance: {},
};

/**
 * The weights at a path: a file of torch.save (zip or legacy; entry "model", else "module", else the whole), a .safetensors
 * file, a model folder, a folder that `import` or `export` made of a pre-trained model, or a run's folder (its running average).
 * @param hints what the shapes do not tell and the file does not say
 * @throws Problem: nothing there, damaged, would have to be executed, no HiCMAE, or values that are no numbers
 */
export async function readWeights(path: string, hints: RecognizeHints = {}): Promise<Weights> {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  if (isFolder === undefined) {
    throw new Problem(
      'unsupported-file',
      `${path} does not exist; wanted a .pth or .safetensors file, a model folder, or a run's folder`,
    );
  }
  if (!isFolder) return withFile(path, (source) => ofFile(source, hints));
  if (existsSync(join(path, 'manifest.json'))) return ofModel(path);
  if (existsSync(checkpointPath(path))) return ofRun(path, 'average');
  const single = join(path, 'model.safetensors');
  if (existsSync(single)) return withFile(single, (source) => ofFile(source, hints));
  throw new Problem(
    'unsupported-file',
    `${path} holds no manifest.json, model.safetensors or checkpoint.bin; wanted a model folder or a run's folder`,
  );
}

/** A model folder's weights. @throws Problem as loadWeights */
export async function ofModel(folder: string): Promise<Weights> {
  const { manifest, tensors } = await loadModel(folder);
  return { kind: 'finetune', config: manifest.config, tensors, about: ofManifest(manifest) };
}

function ofManifest(manifest: Manifest): WeightsAbout {
  const { labels, outputs, clip, missingModalities, calibration, provenance } = manifest;
  return {
    labels,
    outputs: outputs ?? 'classes',
    clip,
    frameIntervalMs: null,
    missingModalities,
    calibration: calibration ?? null,
    provenance,
  };
}

/** A run's weights. @throws Problem when it has no checkpoint */
export function ofRun(run: string, which: RunWeights): Weights {
  const { state, flat } = runParameters(run, which);
  const { model } = state;
  const tensors = Object.fromEntries(
    slotsOf(state.parameters).slots.map(({ name, shape, offset, length }) => [
      name,
      { shape, data: flat.slice(offset, offset + length) },
    ]),
  );
  const words = { average: 'running average', last: 'last step', best: 'best validation' } as const;
  const provenance = {
    ...state.provenance,
    command: withoutFolders(state.provenance['command'] ?? ''),
    steps: String(which === 'best' ? (state.best?.step ?? state.step) : state.step),
    trainingMinutes: state.minutes.toFixed(1),
    weights: words[which],
  };
  const about = { ...unknown, clip: state.clip, provenance };
  if (model.kind === 'pretrain') return { kind: 'pretrain', config: model.config, tensors, about };
  const { config, labels, outputs, missingModalities } = model;
  return { kind: 'finetune', config, tensors, about: { ...about, labels, outputs, missingModalities } };
}

function runParameters(run: string, which: RunWeights) {
  if (which === 'best') {
    const { state, params } = readBest(run);
    return { state, flat: params };
  }
  const { state, arrays } = readCheckpoint(run);
  return { state, flat: which === 'average' ? arrays.average : arrays.params };
}

/** A training command without its folders: where the data lay on the trainer's machine is nobody's business. */
export function withoutFolders(command: string): string {
  return command.replace(/--(data|faces|voices|out|from|widen) .+?(?= --| && |$)/g, '--$1 DIR');
}

async function ofFile(source: ByteSource, hints: RecognizeHints): Promise<Weights> {
  // A safetensors header is JSON behind its eight bytes of length; no file of torch.save has a brace there.
  const head = await source.read(0, Math.min(9, source.size));
  return head[8] === 0x7b ? ofSafetensors(source, hints) : ofTorch(source, hints);
}

async function ofSafetensors(source: ByteSource, hints: RecognizeHints): Promise<Weights> {
  const bytes = await source.read(0, source.size);
  const { tensors, metadata } = parseSafetensors(bytes, source.name);
  const shapes = new Map(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
  const said = aboutOf(metadata['about'], source.name);
  const recognized = recognize(shapes, { ...said.hints, ...hints }, source.name);
  return fit(recognized, new Map(Object.entries(tensors)), said.about, source.name);
}

async function ofTorch(source: ByteSource, hints: RecognizeHints): Promise<Weights> {
  const file = await openTorch(source);
  const { root } = file;
  if (!(root instanceof Map)) {
    const what =
      root instanceof PickleObject ? `a ${root.type}` : root instanceof TorchTensor ? 'a tensor' : 'no';
    throw new Problem(
      'unsupported-file',
      `${source.name} holds ${what} dictionary at its root; wanted a state_dict, or a dictionary with one under "model"`,
    );
  }
  const top = root as ReadonlyMap<unknown, unknown>;
  const entry = ['model', 'module'].map((key) => top.get(key)).find((value) => value instanceof Map);
  const found = namedTensors((entry as ReadonlyMap<unknown, unknown> | undefined) ?? top);
  const said = aboutOf(top.get('about'), source.name);
  const official = officialArgs(top.get('args'));
  const shapes = new Map([...found].map(([name, { shape }]) => [name, shape]));
  const recognized = recognize(shapes, { ...official.hints, ...said.hints, ...hints }, source.name);
  const tensors = new Map<string, Tensor>();
  for (const { name } of shapesOf(recognized)) {
    const tensor = found.get(name);
    if (tensor) tensors.set(name, { shape: tensor.shape, data: await file.read(tensor) });
  }
  const epoch = top.get('epoch');
  const about = {
    ...said.about,
    labels: said.about.labels ?? official.labels,
    frameIntervalMs: official.frameIntervalMs,
    provenance: {
      ...official.provenance,
      ...((typeof epoch === 'number' || typeof epoch === 'string') && { epoch: String(epoch) }),
      ...said.about.provenance,
    },
  };
  return fit(recognized, tensors, about, source.name);
}

/** The tensors of a state_dict; a prefix `module.` of all, as a wrapped model's are saved, is left out. */
function namedTensors(entries: ReadonlyMap<unknown, unknown>): Map<string, TorchTensor> {
  const tensors = [...entries].filter(
    (entry): entry is [string, TorchTensor] =>
      typeof entry[0] === 'string' && entry[1] instanceof TorchTensor,
  );
  const wrapped = tensors.length > 0 && tensors.every(([name]) => name.startsWith('module.'));
  return new Map(tensors.map(([name, tensor]) => [wrapped ? name.slice('module.'.length) : name, tensor]));
}

/** In the official order, every value a number. */
function fit(
  recognized: Recognized,
  found: ReadonlyMap<string, Tensor>,
  about: WeightsAbout,
  fileName: string,
): Weights {
  const tensors: Record<string, Tensor> = {};
  for (const { name } of shapesOf(recognized)) {
    const tensor = found.get(name);
    if (!tensor?.data.every((value) => Number.isFinite(value))) {
      throw new Problem(
        'unsupported-file',
        `${fileName}: tensor ${name} holds values that are no numbers; wanted finite ones: the training had failed`,
      );
    }
    tensors[name] = tensor;
  }
  return { ...recognized, tensors, about };
}

interface Said {
  readonly hints: RecognizeHints;
  readonly about: WeightsAbout;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What our own exports say of themselves, as {@link sayAbout} writes it. @throws Problem when it makes no sense */
function aboutOf(text: unknown, fileName: string): Said {
  if (typeof text !== 'string') return { hints: {}, about: unknown };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = null;
  }
  const config = isObject(json) ? json['config'] : undefined;
  if (!isObject(json) || !isObject(config)) {
    throw new Problem(
      'unsupported-file',
      `${fileName}: its entry "about" is none of ours; wanted JSON with a config`,
    );
  }
  const { video, audio } = config;
  const levels = Array.isArray(config['levels']) ? config['levels'].map(Number) : undefined;
  const hints = {
    ...counts({ heads: config['heads'], decoderHeads: config['decoderHeads'] }),
    ...(isObject(video) && counts({ frameCount: video['frameCount'], cropPx: video['cropPx'] })),
    ...(isObject(audio) && counts({ soundFrames: audio['frameCount'], melBins: audio['melBins'] })),
    ...(levels && { levels }),
  };
  if (json['kind'] === 'pretrain') {
    const provenance = Object.entries(isObject(json['provenance']) ? json['provenance'] : {});
    const texts = provenance.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    return { hints, about: { ...unknown, provenance: Object.fromEntries(texts) } };
  }
  const files = [{ path: 'model.safetensors', bytes: 1, sha256: '0'.repeat(64) }];
  const manifest = parseManifest({ ...json, format: 'hicmae-1', name: 'about', files }, fileName);
  return {
    hints: { ...hints, headActivation: manifest.config.headActivation },
    about: ofManifest(manifest),
  };
}

/** What {@link readWeights} will know of an exported file, beyond its tensors. */
export function sayAbout(model: Recognized, about: Partial<Manifest>): string {
  return JSON.stringify({ kind: model.kind, config: model.config, ...about });
}

function counts(values: Readonly<Record<string, unknown>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(values).filter(
      (entry): entry is [string, number] => Number.isSafeInteger(entry[1]) && (entry[1] as number) > 0,
    ),
  );
}

/** Classes by the official code's data sets, where their order is known. */
const officialLabels: Readonly<Record<string, readonly string[]>> = {
  'CREMA-D': ['angry', 'disgust', 'fear', 'happy', 'neutral', 'sad'],
};

/** What the official code's `args` say of the model. */
function officialArgs(args: unknown): {
  readonly hints: RecognizeHints;
  readonly labels: readonly string[] | null;
  readonly frameIntervalMs: number | null;
  readonly provenance: Readonly<Record<string, string>>;
} {
  const fields = args instanceof PickleObject ? args.fields : new Map<string, unknown>();
  const activation = fields.get('head_activation_func');
  const rate = fields.get('sampling_rate');
  const set = fields.get('data_set');
  const levels = fields.get('return_intermediate_features');
  return {
    hints: {
      ...counts({
        frameCount: fields.get('num_frames'),
        cropPx: fields.get('input_size'),
        soundFrames: fields.get('input_size_audio'),
        melBins: fields.get('num_mel_bins'),
      }),
      ...((activation === 'sigmoid' || activation === 'relu' || activation === 'tanh') && {
        headActivation: activation,
      }),
      ...(Array.isArray(levels) && levels.every((level) => Number.isSafeInteger(level)) && { levels }),
    },
    labels:
      typeof set === 'string' && Object.hasOwn(officialLabels, set) ? (officialLabels[set] ?? null) : null,
    // The official code counts every n-th frame of 25 a second.
    frameIntervalMs: typeof rate === 'number' && rate > 0 ? rate * 40 : null,
    provenance: typeof set === 'string' ? { data: set } : {},
  };
}
