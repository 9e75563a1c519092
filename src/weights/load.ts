// A model folder to verified tensors, wherever it is read from: the reader is passed in, so nothing here knows of fetch or files.
import { Problem, toProblem } from '../base/errors.ts';
import { parameterShapes } from '../model/params.ts';
import { parseManifest } from './manifest.ts';
import type { Manifest, WeightFile } from './manifest.ts';
import { parseSafetensors } from './safetensors.ts';
import type { Tensor, TensorMap } from './safetensors.ts';
import { sha256 } from './sha256.ts';

/** Where a model folder is and how to read from it. */
export interface WeightSource {
  /** The folder's URL or path, for messages; ends in a slash. */
  readonly location: string;
  /**
   * A whole file.
   * @param path relative to the folder
   * @param onProgress bytes of this file read so far; may never be called
   * @throws Problem `model-missing` when there is no such file
   */
  readBytes(path: string, onProgress: (loadedBytes: number) => void): Promise<Uint8Array>;
}

export interface LoadedWeights {
  readonly manifest: Manifest;
  /** Exactly the parameters of manifest.config, in their official order. */
  readonly tensors: TensorMap;
}

/**
 * Reads and verifies a model: manifest, byte counts, SHA-256, names, shapes, dtypes, and that every value is a number.
 * @param onProgress over all weight files; called from 0 to the total
 * @param onManifest called once, before the weight files are read
 * @throws Problem `model-missing` or `model-invalid`, one sentence: which file, what was got, wanted, what to do
 */
export async function loadWeights(
  source: WeightSource,
  onProgress: (loadedBytes: number, totalBytes: number) => void = () => undefined,
  onManifest: (manifest: Manifest) => void = () => undefined,
): Promise<LoadedWeights> {
  const manifest = await readManifest(source);
  onManifest(manifest);
  const totalBytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  let before = 0;
  onProgress(0, totalBytes);
  const found = new Map<string, Tensor>();
  for (const file of manifest.files) {
    const bytes = await source.readBytes(file.path, (loaded) => {
      onProgress(before + Math.min(loaded, file.bytes), totalBytes);
    });
    await verify(source.location + file.path, bytes, file);
    for (const [name, tensor] of Object.entries(
      parseSafetensors(bytes, source.location + file.path).tensors,
    )) {
      if (found.has(name)) {
        throw new Problem(
          'model-invalid',
          `${source.location}${file.path}: tensor ${name} is in an earlier file too; wanted each once: export the model again`,
        );
      }
      found.set(name, tensor);
    }
    before += file.bytes;
    onProgress(before, totalBytes);
  }
  return { manifest, tensors: fitTensors(found, manifest, source.location) };
}

/** The folder's manifest alone. @throws as {@link loadWeights} */
async function readManifest(source: WeightSource): Promise<Manifest> {
  const fileName = `${source.location}manifest.json`;
  const bytes = await source.readBytes('manifest.json', () => undefined);
  if (looksLikeHtml(bytes)) throw gotPage(fileName);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Problem(
      'model-invalid',
      `${fileName}: got ${String(bytes.length)} bytes that are no JSON, wanted a model's manifest: copy the model folder again`,
      { cause: error },
    );
  }
  return parseManifest(json, fileName);
}

/** Servers of single-page apps answer a missing file with their page and status 200. */
function looksLikeHtml(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, 200)).trimStart().toLowerCase();
  return /^<(!doctype|html|head|body|!--)/.test(start);
}

function gotPage(fileName: string): Problem {
  return new Problem(
    'model-missing',
    `${fileName}: got a web page instead of the file, so the model is not on this server: copy its folder there, or name another model`,
  );
}

async function verify(fileName: string, bytes: Uint8Array, file: WeightFile): Promise<void> {
  if (looksLikeHtml(bytes)) throw gotPage(fileName);
  const again = 'download or copy the model folder again';
  if (bytes.length !== file.bytes) {
    throw new Problem(
      'model-invalid',
      `${fileName}: got ${String(bytes.length)} bytes, wanted ${String(file.bytes)} by its manifest: ${again}`,
    );
  }
  const hash = await sha256(bytes);
  if (hash !== file.sha256) {
    throw new Problem(
      'model-invalid',
      `${fileName}: got SHA-256 ${hash.slice(0, 12)}..., wanted ${file.sha256.slice(0, 12)}... by its manifest: ${again}`,
    );
  }
}

function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

/** The found tensors held against the architecture. @throws Problem `model-invalid` */
export function fitTensors(
  found: ReadonlyMap<string, Tensor>,
  manifest: Manifest,
  location: string,
): TensorMap {
  const fail = (got: string, wanted: string): never => {
    throw new Problem(
      'model-invalid',
      `${location}: ${got}, wanted ${wanted} by the manifest's config: export the model again`,
    );
  };
  const wanted = parameterShapes(manifest.config);
  const missing = wanted.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    const more = missing.length > 1 ? ` (and ${String(missing.length - 1)} more)` : '';
    fail(`${missing[0] ?? ''}${more} is in no file`, `${String(wanted.length)} tensors`);
  }
  const known = new Set(wanted.map(({ name }) => name));
  const unknown = [...found.keys()].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    const more = unknown.length > 1 ? ` (and ${String(unknown.length - 1)} more)` : '';
    fail(`tensor ${unknown[0] ?? ''}${more} is unknown`, `only the ${String(wanted.length)} tensors`);
  }
  const fitted = wanted.map(({ name, shape }) => {
    const tensor = found.get(name);
    if (tensor === undefined) throw toProblem(new Error(`tensor ${name} vanished`));
    if (tensor.shape.join() !== shape.join()) {
      fail(`tensor ${name} has shape [${tensor.shape.join(', ')}]`, `[${shape.join(', ')}]`);
    }
    if (!allFinite(tensor.data)) fail(`tensor ${name} holds values that are no numbers`, 'finite ones');
    return [name, tensor] as const;
  });
  return Object.fromEntries(fitted);
}
