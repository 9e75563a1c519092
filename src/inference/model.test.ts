import '@tensorflow/tfjs-backend-cpu';
import { memory, setBackend } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { random } from '../base/random.ts';
import { mirrorFrames } from '../clip/frames.ts';
import { officialClipSpec } from '../clip/spec.ts';
import type { ClipSpec } from '../clip/spec.ts';
import { sizes } from '../model/config.ts';
import { constantCount } from '../ops/constant.ts';
import type { HicmaeConfig } from '../model/config.ts';
import { parameterShapes } from '../model/params.ts';
import type { LoadedWeights } from '../weights/load.ts';
import { blankClips, createModel, disposeModel, readClip, summarize } from './model.ts';

const config: HicmaeConfig = { ...sizes.micro, classCount: 4 };

function weights(
  changes: { clip?: Partial<ClipSpec>; config?: Partial<HicmaeConfig>; missing?: boolean } = {},
): LoadedWeights {
  const stream = random(2);
  const tensors = parameterShapes(config).map(({ name, shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, { shape, data: Float32Array.from({ length: size }, () => 0.2 * stream.normal()) }] as const;
  });
  return {
    manifest: {
      format: 'hicmae-1',
      name: 'test',
      config: { ...config, ...changes.config },
      labels: ['a', 'b', 'c', 'd'],
      clip: { ...officialClipSpec, frameCount: 4, cropPx: 32, ...changes.clip },
      missingModalities: changes.missing ?? true,
      files: [],
      provenance: {},
    },
    tensors: Object.fromEntries(tensors),
  };
}

const noise = random(3);
const frames = Uint8ClampedArray.from({ length: 4 * 32 * 32 * 3 }, () => noise.integer(256));
const samples = Float32Array.from({ length: 40960 }, () => 0.1 * noise.normal());
const clip = { endMs: 0, frames, samples, equalizer: null };

const read = async (loaded: LoadedWeights, given: Parameters<typeof readClip>[1]): Promise<number[]> => {
  const model = createModel(loaded);
  const { probabilities } = await readClip(model, given);
  disposeModel(model);
  return [...probabilities];
};

const ownTensors = (): number => memory().numTensors - constantCount();

describe('a loaded model', () => {
  beforeAll(async () => {
    await setBackend('cpu');
  });

  test('reading leaves no tensor behind, and disposing leaves none at all', async () => {
    const before = ownTensors();
    const model = createModel(weights());
    const loaded = ownTensors();
    expect(loaded - before).toBe(parameterShapes(config).length);
    await readClip(model, clip);
    for (const blank of blankClips(model.manifest)) await readClip(model, blank);
    await expect(readClip(model, { ...clip, frames: frames.subarray(3) })).rejects.toThrow(
      'internal: the clip',
    );
    expect(ownTensors()).toBe(loaded);
    disposeModel(model);
    expect(ownTensors()).toBe(before);
  });

  test('feeds the model as its clip specification says: color and band limit matter', async () => {
    const plain = await read(weights(), clip);
    expect(plain.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(await read(weights({ clip: { color: 'gray' } }), clip)).not.toEqual(plain);
    expect(await read(weights({ clip: { bandLimitHz: 2000 } }), clip)).not.toEqual(plain);
  });

  test('a calibration makes each kind of clip as sure as it says, and the order of its labels stays', async () => {
    const temperature = { face: 2, voice: 0.5, both: 4 };
    const loaded = weights();
    const calibrated = {
      ...loaded,
      manifest: { ...loaded.manifest, calibration: { temperature, uncertainBelow: 0.4 } },
    };
    const kinds = [
      [{ ...clip, samples: null }, temperature.face],
      [{ ...clip, frames: null }, temperature.voice],
      [clip, temperature.both],
    ] as const;
    for (const [given, t] of kinds) {
      const powers = (await read(loaded, given)).map((p) => p ** (1 / t));
      const sum = powers.reduce((a, b) => a + b);
      for (const [c, p] of (await read(calibrated, given)).entries())
        expect(p).toBeCloseTo(powers[c]! / sum, 5);
    }
    expect(summarize(calibrated.manifest).uncertainBelow).toBe(0.4);
    expect(summarize(loaded.manifest).uncertainBelow).toBe(0);
  });

  test('with the mirror view, probabilities are the mean of the face as seen and mirrored', async () => {
    const twice = weights({ clip: { mirrorView: true } });
    const bytes = mirrorFrames(Float32Array.from(frames), 32);
    const mirrored = { ...clip, frames: Uint8ClampedArray.from(bytes) };
    for (const part of [{}, { samples: null }]) {
      const [seen, turned] = [
        await read(weights(), { ...clip, ...part }),
        await read(weights(), { ...mirrored, ...part }),
      ];
      expect(turned).not.toEqual(seen);
      const both = await read(twice, { ...clip, ...part });
      both.forEach((p, c) => {
        expect(p).toBeCloseTo((seen[c]! + turned[c]!) / 2, 5);
      });
    }
    const voice = { ...clip, frames: null };
    expect(await read(twice, voice)).toEqual(await read(weights(), voice));
    const model = createModel(twice);
    const before = ownTensors();
    await readClip(model, clip);
    expect(ownTensors()).toBe(before);
    disposeModel(model);
  });

  test('of a longer sound the newest part counts', async () => {
    const longer = new Float32Array(50000);
    longer.set(samples, 50000 - samples.length);
    expect(await read(weights(), { ...clip, samples: longer })).toEqual(await read(weights(), clip));
  });

  test('warms up with each kind of clip that it reads', () => {
    const kinds = (missing: boolean): [boolean, boolean][] =>
      blankClips(weights({ missing }).manifest).map((blank) => [
        blank.frames !== null,
        blank.samples !== null,
      ]);
    expect(kinds(true)).toEqual([
      [true, true],
      [true, false],
      [false, true],
    ]);
    expect(kinds(false)).toEqual([[true, true]]);
  });

  test('a head that is no classifier is refused', () => {
    expect(() => createModel(weights({ config: { headActivation: 'tanh' } }))).toThrow('has a tanh head');
    const made = weights();
    const values = { ...made, manifest: { ...made.manifest, outputs: 'dimensions' } } as const;
    expect(() => createModel(values)).toThrow('reads a, b, c, d; wanted one trained to name emotions');
  });

  test('a clip without face and voice is our own bug', async () => {
    await expect(read(weights(), { endMs: 0, frames: null, samples: null, equalizer: null })).rejects.toThrow(
      'internal:',
    );
  });
});
