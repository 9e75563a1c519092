// models/<name>/manifest.json: what the weights are, how to feed them, and how to know they arrived whole.
import type { ClipSpec } from '../clip/spec.ts';
import { Problem } from '../base/errors.ts';
import type { HicmaeConfig } from '../model/config.ts';
import { uncertainLabel } from './calibration.ts';
import type { InputKind, ModelCalibration } from './calibration.ts';

export interface WeightFile {
  /** Relative to the manifest. */
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

export interface Manifest {
  readonly format: 'hicmae-1';
  readonly name: string;
  readonly config: HicmaeConfig;
  /** Classes, or dimensions, in the order of the head's outputs; as many as config.classCount. */
  readonly labels: readonly string[];
  /** What the head's outputs are: logits of classes (default), or values of dimensions such as valence and arousal. */
  readonly outputs?: 'classes' | 'dimensions';
  readonly clip: ClipSpec;
  /** Trained with modality dropout: a face alone or a voice alone can be read. */
  readonly missingModalities: boolean;
  /** Of classes; absent: the probabilities are as the head gives them, and no reading is uncertain. */
  readonly calibration?: ModelCalibration;
  readonly files: readonly WeightFile[];
  /** Data, command, commit, seed, time, scores: free text by key. */
  readonly provenance: Readonly<Record<string, string>>;
}

/** What is wrong with one value: where, what was got, what was wanted. */
class Mismatch extends Error {}

type Fields = Readonly<Record<string, unknown>>;

/** @param got a value from JSON */
function mismatch(path: string, got: unknown, wanted: string): never {
  const text = got === undefined ? 'nothing' : JSON.stringify(got);
  throw new Mismatch(`${path} is ${text.length > 60 ? `${text.slice(0, 57)}...` : text}, wanted ${wanted}`);
}

function object(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) mismatch(path, value, 'an object');
  return value as Fields;
}

function list(value: unknown, path: string): readonly unknown[] {
  return Array.isArray(value) ? value : mismatch(path, value, 'a list');
}

function text(value: unknown, path: string): string {
  return typeof value === 'string' && value !== '' ? value : mismatch(path, value, 'a text');
}

function flag(value: unknown, path: string): boolean {
  return typeof value === 'boolean' ? value : mismatch(path, value, 'true or false');
}

function positive(value: unknown, path: string): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
    ? value
    : mismatch(path, value, 'a number above 0');
}

/** ln of the energy of every mel bin, or null. */
function spectrum(value: unknown, melBins: number): number[] | null {
  if (value === null) return null;
  const path = 'clip.usualSpectrum';
  const wanted = `${String(melBins)} numbers from -50 to 50 (config.audio.melBins), or null`;
  const values = list(value, path).map((each) =>
    typeof each === 'number' && Math.abs(each) <= 50 ? each : mismatch(path, each, wanted),
  );
  return values.length === melBins ? values : mismatch(path, values.length, wanted);
}

function count(value: unknown, path: string): number {
  return Number.isSafeInteger(value) && (value as number) > 0
    ? (value as number)
    : mismatch(path, value, 'a whole number above 0');
}

function oneOf<T extends string>(value: unknown, path: string, choices: readonly T[]): T {
  return choices.find((choice) => choice === value) ?? mismatch(path, value, choices.join(' or '));
}

/** Parts that divide a whole, so that tokens and heads come out even. */
function divides(part: number, whole: number, path: string, wholePath: string): void {
  if (whole % part !== 0) mismatch(path, part, `a divisor of ${wholePath} = ${String(whole)}`);
}

function parseConfig(value: unknown): HicmaeConfig {
  const fields = object(value, 'config');
  const videoFields = object(fields['video'], 'config.video');
  const audioFields = object(fields['audio'], 'config.audio');
  const number = (key: string): number => count(fields[key], `config.${key}`);
  const videoNumber = (key: string): number => count(videoFields[key], `config.video.${key}`);
  const audioNumber = (key: string): number => count(audioFields[key], `config.audio.${key}`);
  const config: HicmaeConfig = {
    width: number('width'),
    heads: number('heads'),
    encoderDepth: number('encoderDepth'),
    fusionDepth: number('fusionDepth'),
    video: {
      frameCount: videoNumber('frameCount'),
      cropPx: videoNumber('cropPx'),
      tubeletFrames: videoNumber('tubeletFrames'),
      patchPx: videoNumber('patchPx'),
    },
    audio: {
      frameCount: audioNumber('frameCount'),
      melBins: audioNumber('melBins'),
      patchSize: audioNumber('patchSize'),
    },
    classCount: number('classCount'),
    headActivation: oneOf(fields['headActivation'], 'config.headActivation', [
      'none',
      'sigmoid',
      'relu',
      'tanh',
    ]),
  };
  const { video, audio } = config;
  divides(config.heads, config.width, 'config.heads', 'config.width');
  divides(video.tubeletFrames, video.frameCount, 'config.video.tubeletFrames', 'config.video.frameCount');
  divides(video.patchPx, video.cropPx, 'config.video.patchPx', 'config.video.cropPx');
  divides(audio.patchSize, audio.frameCount, 'config.audio.patchSize', 'config.audio.frameCount');
  divides(audio.patchSize, audio.melBins, 'config.audio.patchSize', 'config.audio.melBins');
  return config;
}

function parseClip(value: unknown, config: HicmaeConfig): ClipSpec {
  const fields = object(value, 'clip');
  const number = (key: string): number => count(fields[key], `clip.${key}`);
  const limit = fields['bandLimitHz'];
  const clip: ClipSpec = {
    frameCount: number('frameCount'),
    frameIntervalMs: positive(fields['frameIntervalMs'], 'clip.frameIntervalMs'),
    cropPx: number('cropPx'),
    color: oneOf(fields['color'], 'clip.color', ['rgb', 'gray', 'gray-standardized']),
    sampleRateHz: number('sampleRateHz'),
    soundMs: positive(fields['soundMs'], 'clip.soundMs'),
    bandLimitHz: limit === null ? null : positive(limit, 'clip.bandLimitHz'),
    // Manifests before there was one are of models that hear voices as they are.
    usualSpectrum: spectrum(fields['usualSpectrum'] ?? null, config.audio.melBins),
    // Manifests before there was a choice are of models trained so.
    shortSound: oneOf(fields['shortSound'] ?? 'silence', 'clip.shortSound', [
      'official',
      'silence',
      'speech',
    ]),
    // Manifests before there was a choice are of models that are read once.
    mirrorView: flag(fields['mirrorView'] ?? false, 'clip.mirrorView'),
  };
  const same = (key: 'frameCount' | 'cropPx'): void => {
    if (clip[key] !== config.video[key])
      mismatch(`clip.${key}`, clip[key], `config.video.${key} = ${String(config.video[key])}`);
  };
  same('frameCount');
  same('cropPx');
  if (clip.sampleRateHz !== 16000) mismatch('clip.sampleRateHz', clip.sampleRateHz, '16000');
  return clip;
}

function parseCalibration(value: unknown, labels: readonly string[]): ModelCalibration {
  const fields = object(value, 'calibration');
  const temperatures = object(fields['temperature'], 'calibration.temperature');
  const temperature = (kind: InputKind): number =>
    positive(temperatures[kind], `calibration.temperature.${kind}`);
  const least = fields['uncertainBelow'];
  if (typeof least !== 'number' || !(least >= 0 && least <= 1))
    mismatch('calibration.uncertainBelow', least, 'a number from 0 to 1');
  if (labels.includes(uncertainLabel))
    mismatch('labels', labels, `none named ${uncertainLabel} beside a calibration`);
  return {
    temperature: { face: temperature('face'), voice: temperature('voice'), both: temperature('both') },
    uncertainBelow: least,
  };
}

function parseFile(value: unknown, path: string): WeightFile {
  const fields = object(value, path);
  const name = text(fields['path'], `${path}.path`);
  // A manifest must not make the loader read anything outside its own folder.
  if (!/^[\w][\w.-]*(\/[\w][\w.-]*)*$/.test(name)) {
    mismatch(`${path}.path`, name, 'a path inside the model folder');
  }
  const hash = text(fields['sha256'], `${path}.sha256`);
  if (!/^[0-9a-f]{64}$/.test(hash)) mismatch(`${path}.sha256`, hash, '64 lower-case hexadecimal digits');
  return { path: name, bytes: count(fields['bytes'], `${path}.bytes`), sha256: hash };
}

function parseFields(json: unknown): Manifest {
  const fields = object(json, 'it');
  const format = oneOf(fields['format'], 'format', ['hicmae-1']);
  const config = parseConfig(fields['config']);
  const labels = list(fields['labels'], 'labels').map((label, i) => text(label, `labels[${String(i)}]`));
  if (labels.length !== config.classCount || new Set(labels).size !== labels.length) {
    mismatch('labels', labels, `${String(config.classCount)} different ones (config.classCount)`);
  }
  const files = list(fields['files'], 'files').map((file, i) => parseFile(file, `files[${String(i)}]`));
  if (files.length === 0) mismatch('files', files, 'at least one');
  const provenance = Object.entries(object(fields['provenance'], 'provenance'));
  const { outputs, calibration } = fields;
  if (calibration !== undefined && outputs === 'dimensions')
    mismatch('calibration', calibration, 'none for outputs that are dimensions');
  return {
    format,
    name: text(fields['name'], 'name'),
    config,
    labels,
    ...(outputs === undefined ? {} : { outputs: oneOf(outputs, 'outputs', ['classes', 'dimensions']) }),
    clip: parseClip(fields['clip'], config),
    missingModalities: flag(fields['missingModalities'], 'missingModalities'),
    ...(calibration === undefined ? {} : { calibration: parseCalibration(calibration, labels) }),
    files,
    provenance: Object.fromEntries(
      provenance.map(([key, value]) => [
        key,
        typeof value === 'string' ? value : mismatch(`provenance.${key}`, value, 'a text'),
      ]),
    ),
  };
}

/**
 * A manifest from its JSON, every field checked; fields it does not know are dropped.
 * @param fileName for the error message
 * @throws Problem `model-invalid`, one sentence: the first field that does not fit, what it holds and what was wanted
 */
export function parseManifest(json: unknown, fileName = 'manifest.json'): Manifest {
  try {
    return parseFields(json);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new Problem('model-invalid', `${fileName}: ${error.message}: export the model again`, {
      cause: error,
    });
  }
}
