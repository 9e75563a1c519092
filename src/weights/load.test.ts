import { beforeAll, describe, expect, test } from 'vitest';
import { Problem } from '../base/errors.ts';
import { random } from '../base/random.ts';
import { officialClipSpec } from '../clip/spec.ts';
import { sizes } from '../model/config.ts';
import type { HicmaeConfig } from '../model/config.ts';
import { parameterShapes } from '../model/params.ts';
import { loadWeights } from './load.ts';
import type { WeightSource } from './load.ts';
import { parseManifest } from './manifest.ts';
import type { Manifest } from './manifest.ts';
import { packWeights } from './pack.ts';
import { writeSafetensors } from './safetensors.ts';
import type { Tensor, TensorMap } from './safetensors.ts';
import { sha256 } from './sha256.ts';

const config: HicmaeConfig = { ...sizes.micro, classCount: 3 };
const about: Omit<Manifest, 'format' | 'files'> = {
  name: 'test-micro',
  config,
  labels: ['angry', 'happy', 'sad'],
  clip: { ...officialClipSpec, frameCount: 4, cropPx: 32, bandLimitHz: 5500 },
  missingModalities: true,
  provenance: { command: 'none: random numbers' },
};

const calibration = { temperature: { face: 1.2, voice: 0.9, both: 1 }, uncertainBelow: 0.5 };

function randomTensors(): Record<string, Tensor> {
  const stream = random(1);
  return Object.fromEntries(
    parameterShapes(config).map(({ name, shape }) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => stream.normal());
      return [name, { shape, data }];
    }),
  );
}

type Files = Record<string, Uint8Array>;

function sourceOf(files: Files): WeightSource {
  return {
    location: 'models/test-micro/',
    readBytes: (path, onProgress) => {
      const bytes = files[path];
      if (bytes === undefined) return Promise.reject(new Problem('model-missing', `${path}: no such file`));
      onProgress(bytes.length);
      return Promise.resolve(bytes);
    },
  };
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** The files with other tensors under an honest manifest, which packWeights would not make. */
async function withTensors(manifest: Manifest, tensors: TensorMap): Promise<Files> {
  const bytes = writeSafetensors(tensors, 'F32');
  const files = [{ path: 'model.safetensors', bytes: bytes.length, sha256: await sha256(bytes) }];
  return { 'model.safetensors': bytes, 'manifest.json': json({ ...manifest, files }) };
}

async function problemOf(files: Files): Promise<Problem> {
  try {
    await loadWeights(sourceOf(files));
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a model folder', () => {
  const tensors = randomTensors();
  let manifest: Manifest;
  let good: Files;

  beforeAll(async () => {
    const packed = await packWeights(tensors, 'F32', about);
    manifest = packed.manifest;
    good = Object.fromEntries(packed.files.map(({ path, bytes }) => [path, bytes]));
  });

  test('comes back as it was packed, with progress from 0 to the total', async () => {
    const progress: [number, number][] = [];
    const loaded = await loadWeights(sourceOf(good), (...step) => progress.push(step));
    expect(loaded.manifest).toEqual({ ...about, format: 'hicmae-1', files: manifest.files });
    for (const [name, { shape, data }] of Object.entries(tensors)) {
      expect(loaded.tensors[name]!.shape).toEqual(shape);
      expect(data.every((x, i) => x === loaded.tensors[name]!.data[i])).toBe(true);
    }
    expect(Object.keys(loaded.tensors)).toEqual(parameterShapes(config).map(({ name }) => name));
    const total = manifest.files[0]!.bytes;
    expect(progress[0]).toEqual([0, total]);
    expect(progress.at(-1)).toEqual([total, total]);
  });

  test('keeps its calibration', async () => {
    expect((await packWeights(tensors, 'F32', { ...about, calibration })).manifest.calibration).toEqual(
      calibration,
    );
    expect(manifest).not.toHaveProperty('calibration');
  });

  test('in half precision comes back near', async () => {
    const packed = await packWeights(tensors, 'F16', about);
    const files = Object.fromEntries(packed.files.map(({ path, bytes }) => [path, bytes]));
    const loaded = await loadWeights(sourceOf(files));
    const name = 'head.weight';
    loaded.tensors[name]!.data.forEach((x, i) => {
      expect(Math.abs(x - tensors[name]!.data[i]!)).toBeLessThan(0.002);
    });
    expect(packed.manifest.files[0]!.bytes).toBeLessThan(manifest.files[0]!.bytes * 0.55);
  });

  test('an absent file is missing', async () => {
    const { kind, message } = await problemOf({ 'manifest.json': good['manifest.json']! });
    expect([kind, message]).toEqual(['model-missing', 'model.safetensors: no such file']);
  });

  test.each(['manifest.json', 'model.safetensors'])(
    'a web page instead of %s is a missing model',
    async (path) => {
      const page = new TextEncoder().encode('\n<!doctype html><html><head><title>App</title>');
      const { kind, message } = await problemOf({ ...good, [path]: page });
      expect(kind).toBe('model-missing');
      expect(message).toContain(`models/test-micro/${path}: got a web page`);
    },
  );

  test('a manifest that is no JSON', async () => {
    const { kind, message } = await problemOf({ ...good, 'manifest.json': Uint8Array.of(123, 34) });
    expect(kind).toBe('model-invalid');
    expect(message).toContain('no JSON');
  });

  test('a truncated file says both lengths', async () => {
    const whole = good['model.safetensors']!;
    const { kind, message } = await problemOf({ ...good, 'model.safetensors': whole.subarray(0, 1000) });
    expect(kind).toBe('model-invalid');
    expect(message).toContain(`got 1000 bytes, wanted ${String(whole.length)}`);
  });

  test('one flipped bit is a wrong hash', async () => {
    const bytes = good['model.safetensors']!.slice();
    bytes[bytes.length - 5]! ^= 1;
    const { kind, message } = await problemOf({ ...good, 'model.safetensors': bytes });
    expect(kind).toBe('model-invalid');
    expect(message).toContain('SHA-256');
  });

  test('a wrong shape, a missing name, a foreign name, a NaN: each is named', async () => {
    const bias = tensors['head.bias']!;
    const cases: [Record<string, Tensor>, string][] = [
      [
        { ...tensors, 'head.bias': { shape: [1, 3], data: bias.data } },
        'tensor head.bias has shape [1, 3], wanted [3]',
      ],
      [
        Object.fromEntries(Object.entries(tensors).filter(([name]) => name !== 'head.bias')),
        'head.bias is in no file',
      ],
      [{ ...tensors, 'decoder.bias': bias }, 'tensor decoder.bias is unknown'],
      [
        { ...tensors, 'head.bias': { shape: [3], data: Float32Array.of(1, NaN, 2) } },
        'tensor head.bias holds values that are no numbers',
      ],
    ];
    for (const [wrong, text] of cases) {
      const { kind, message } = await problemOf(await withTensors(manifest, wrong));
      expect(kind).toBe('model-invalid');
      expect(message).toContain(text);
      expect(message).toContain('models/test-micro/');
    }
  });

  test('is not packed when the tensors do not fit', async () => {
    const rest = Object.fromEntries(Object.entries(tensors).filter(([name]) => name !== 'head.bias'));
    await expect(packWeights(rest, 'F32', about)).rejects.toThrow('head.bias is in no file');
    await expect(packWeights(tensors, 'F32', { ...about, labels: ['angry', 'sad'] })).rejects.toThrow(
      'labels is',
    );
  });

  test.each([
    [{ format: 'hicmae-2' }, 'format is "hicmae-2", wanted hicmae-1'],
    [{ labels: ['a', 'a', 'b'] }, 'labels is ["a","a","b"], wanted 3 different ones'],
    [{ config: { ...config, heads: 5 } }, 'config.heads is 5, wanted a divisor of config.width = 64'],
    [{ config: { ...config, width: -1 } }, 'config.width is -1, wanted a whole number above 0'],
    [{ config: { ...config, video: undefined } }, 'config.video is nothing, wanted an object'],
    [{ clip: { ...about.clip, cropPx: 64 } }, 'clip.cropPx is 64, wanted config.video.cropPx = 32'],
    [{ clip: { ...about.clip, color: 'blue' } }, 'clip.color is "blue", wanted rgb or gray'],
    [{ clip: { ...about.clip, sampleRateHz: 8000 } }, 'clip.sampleRateHz is 8000, wanted 16000'],
    [{ missingModalities: 'yes' }, 'missingModalities is "yes", wanted true or false'],
    [{ files: [] }, 'files is [], wanted at least one'],
    [{ provenance: { seed: 1 } }, 'provenance.seed is 1, wanted a text'],
    [{ calibration: { uncertainBelow: 0.5 } }, 'calibration.temperature is nothing, wanted an object'],
    [
      { calibration: { ...calibration, temperature: { ...calibration.temperature, voice: 0 } } },
      'calibration.temperature.voice is 0, wanted a number above 0',
    ],
    [
      { calibration: { ...calibration, uncertainBelow: 1.1 } },
      'calibration.uncertainBelow is 1.1, wanted a number from 0 to 1',
    ],
    [
      { calibration, labels: ['a', 'b', 'uncertain'] },
      'labels is ["a","b","uncertain"], wanted none named uncertain',
    ],
    [{ calibration, outputs: 'dimensions' }, 'calibration is {'],
  ])('a manifest with %j is refused in one sentence', (change, sentence) => {
    expect(() => parseManifest({ ...manifest, ...change })).toThrow(`manifest.json: ${sentence}`);
  });

  test.each(['../secret', '/etc/passwd', 'https://example.org/x', 'a/../b', '.hidden', 'a//b', ''])(
    'a manifest cannot make the loader read %j',
    (path) => {
      const files = [{ ...manifest.files[0]!, path }];
      expect(() => parseManifest({ ...manifest, files })).toThrow('files[0].path is');
    },
  );
});
