// evaluate on prepared samples, and its report: a made data set, a random model.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dispose } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { mirrorFrames } from '../../clip/frames.ts';
import { officialClipSpec } from '../../clip/spec.ts';
import { sizes } from '../../model/config.ts';
import { audioPatches, videoPatches } from '../../model/embed.ts';
import { parameterShapes } from '../../model/params.ts';
import { predict } from '../../model/predict.ts';
import { writeMadeSamples } from '../../testing/made-samples.ts';
import type { Manifest } from '../../weights/manifest.ts';
import { packWeights } from '../../weights/pack.ts';
import { startBackend } from '../base/backend.ts';
import { testViews } from '../views/clip-views.ts';
import { evaluate, evaluateCommand } from './evaluate.ts';
import type { EvaluateOptions } from './evaluate.ts';
import { scoreShards } from '../scores/evaluate-shards.ts';
import type { ClassEvaluation, DimensionEvaluation } from '../scores/evaluation.ts';
import { slotsOf, tensorsOf } from '../trainer/flat-params.ts';
import { meanOfRows } from '../scores/metrics.ts';
import { readModel } from '../weights/model-folder.ts';
import { parseSelection } from '../scores/scored.ts';
import type { SampleMeta } from '../data/sample.ts';
import { openSamples } from '../data/shards/read.ts';
import { openShardWriter } from '../data/shards/write.ts';
import type { Equalizing } from '../data/stills/equalize.ts';

const root = mkdtempSync(join(tmpdir(), 'evaluate-'));
const data = join(root, 'data');
const other = join(root, 'other');
const silent = (): void => undefined;
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A model of random weights. */
async function writeModel(name: string, about: Partial<Manifest>): Promise<string> {
  const labels = about.labels ?? ['sad', 'happy', 'angry'];
  const config = { ...sizes.micro, classCount: labels.length };
  const stream = random(11);
  const tensors = Object.fromEntries(
    parameterShapes(config).map(({ name: key, shape }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return [key, { shape, data: Float32Array.from({ length }, () => 0.2 * stream.normal()) }];
    }),
  );
  const { files } = await packWeights(tensors, 'F32', {
    name,
    config,
    labels,
    clip: { ...officialClipSpec, frameCount: 4, cropPx: 32 },
    missingModalities: true,
    provenance: { command: 'none' },
    ...about,
  });
  const folder = join(root, name);
  mkdirSync(folder);
  for (const { path, bytes } of files) writeFileSync(join(folder, path), bytes);
  return folder;
}

let model: string;
let strict: string;
let regression: string;
beforeAll(async () => {
  await writeMadeSamples(data, { pairs: 16, faces: 3, voices: 4 });
  await writeMadeSamples(other, { pairs: 8, corpus: 'other', frameCount: 8 });
  model = await writeModel('classes', {});
  strict = await writeModel('strict', { missingModalities: false, labels: ['sad', 'angry'] });
  regression = await writeModel('regression', { labels: ['valence', 'arousal'], outputs: 'dimensions' });
});

const options = (more: Partial<EvaluateOptions>): EvaluateOptions => ({
  model,
  data: [data],
  pairs: false,
  seed: 1,
  threads: 1,
  align: 'as-is',
  backend: 'wasm',
  ...more,
});
const withoutPictures = (page: string): string => page.replace(/base64,[^"]*/g, '');
const classes = async (more: Partial<EvaluateOptions>): Promise<ClassEvaluation> =>
  (await evaluate(options(more), silent)) as ClassEvaluation;

it.each([false, true])(
  'averages the probabilities of the official views; mirror view: %s',
  async (mirrorView) => {
    const { manifest, flat } = await readModel(model);
    const { config } = manifest;
    const clip = { ...manifest.clip, mirrorView };
    const shards = {
      data: [data],
      modality: 'both',
      frameStep: 4,
      rollSeed: null,
      equalize: 'usual',
    } as const;
    const reader = { config, clip, params: flat, backend: 'wasm', threads: 1 } as const;
    const everything = { split: null, folds: null, data: null };
    const scored = await scoreShards(shards, everything, manifest, reader, silent);
    const { rows } = await scored.predict();
    expect(rows).toHaveLength(23);
    await startBackend();
    const params = tensorsOf(flat, slotsOf(parameterShapes(config)).slots);
    const set = await openSamples([data]);
    for (const i of [0, 5, 16, 20]) {
      const views = await testViews(set, i, {
        config,
        color: clip.color,
        bandLimitHz: null,
        frameStep: 4,
        equalizers: null,
        shortSound: clip.shortSound,
        augment: 'none',
        roll: false,
      });
      const alone: number[][] = [];
      for (const { frames, mel } of views) {
        const faces = frames && mirrorView ? [frames, mirrorFrames(frames, config.video.cropPx)] : [frames];
        for (const face of faces) {
          const patches = {
            video: face && videoPatches(face, config),
            audio: mel && audioPatches(mel, config),
          };
          const [row] = await predict(params, config, [patches]);
          alone.push([...row!]);
        }
      }
      meanOfRows(alone).forEach((p, c) => {
        expect(rows[i]![c]).toBeCloseTo(p, 5);
      });
    }
    const picture = await scored.picture(0);
    expect(picture.face?.sidePx).toBe(32);
    expect(picture.mel?.data).toHaveLength(picture.mel!.frames * picture.mel!.bins);
    await set.close();
    await scored.close();
    dispose(params);

    // Gains of sound move the probabilities.
    const other = { ...shards, modality: 'voice', rollSeed: 2 } as const;
    const loud = await scoreShards(other, everything, manifest, reader, silent);
    const again = await loud.predict();
    expect(loud.context.dropped).toEqual({ 'no voice': 3 });
    expect(again.rows).toHaveLength(20);
    const quiet = await scoreShards({ ...other, rollSeed: null }, everything, manifest, reader, silent);
    const soft = await quiet.predict();
    expect(soft.rows[19]).toEqual(rows[22]);
    expect(again.rows[19]).not.toEqual(rows[22]);
  },
  60_000,
);

/** Voices alone, three for each of two speakers, of which the second is recorded softer. */
function writeVoices(folder: string, gains: readonly [number, number]): void {
  const writer = openShardWriter(folder, 'shard');
  const none = { votes: null, dimensions: null, fold: null, split: null, groups: {} };
  for (let i = 0; i < 6; i++) {
    const stream = random(i);
    const gain = gains[i % 2]! * [0.5, 1, 2][i >> 1]!;
    // Syllables and pauses, as the level of speech is found by them.
    const sound = Float32Array.from(
      { length: 32_000 },
      (_, n) => gain * (n % 6400 < 3200 ? 0.05 : 0.0005) * stream.normal(),
    );
    const meta: SampleMeta = {
      ...{ key: `v${String(i)}`, corpus: 'made', source: `v${String(i)}.wav`, label: 'sad', ...none },
      ...{ identity: `person-${String(i % 2)}`, frameCount: 0, frameRateHz: 0, cropPx: 0, foundCount: 0 },
      sampleCount: sound.length,
    };
    writer.add({ meta, frames: [], frameFormat: 'png', sound });
  }
  writer.finish();
}

it('equalizes voices for a model that names a usual voice, so that a gain of the recording changes nothing', async () => {
  const { manifest, flat } = await readModel(model);
  const { melBins } = manifest.config.audio;
  const clip = { ...manifest.clip, usualSpectrum: new Array<number>(melBins).fill(-7) };
  const reader = { config: manifest.config, clip, params: flat, backend: 'wasm', threads: 1 } as const;
  writeVoices(join(root, 'loud'), [1, 1]);
  writeVoices(join(root, 'soft'), [1, 0.1]);
  const rowsOf = async (
    name: string,
    equalize: Equalizing,
  ): Promise<{ rows: readonly (readonly number[])[]; protocol: string }> => {
    const shards = {
      data: [join(root, name)],
      modality: 'voice',
      frameStep: null,
      rollSeed: null,
      equalize,
    } as const;
    const everything = { split: null, folds: null, data: null };
    const scored = await scoreShards(shards, everything, { ...manifest, clip }, reader, silent);
    const { rows } = await scored.predict();
    await scored.close();
    return { rows, protocol: scored.context.protocol };
  };
  const far = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number =>
    Math.max(...a.flatMap((row, i) => row.map((p, c) => Math.abs(p - b[i]![c]!))));
  const [loud, soft] = [await rowsOf('loud', 'usual'), await rowsOf('soft', 'usual')];
  expect(loud.protocol).toContain("Each speaker's usual voice");
  expect(far(loud.rows, soft.rows)).toBeLessThan(1e-3);
  const recorded = [await rowsOf('loud', 'as-is'), await rowsOf('soft', 'as-is')] as const;
  const unleveled = far(recorded[0].rows, recorded[1].rows);
  expect(unleveled).toBeGreaterThan(0.01);
  // By itself each clip is as loud as every other.
  const own = await rowsOf('loud', 'own');
  expect(far(own.rows, loud.rows)).toBeGreaterThan(1e-3);
}, 60_000);

it('scores what was asked for and says what it left out', async () => {
  const all = await classes({});
  expect(all.n).toBe(23);
  expect(all.missingLabels).toEqual(['angry']);
  expect(all.intervalMethod).toMatchObject({ by: 'identity', clusters: 6 });
  expect(all.groups.map(({ group, value }) => `${group} ${value}`)).toEqual(['sex female', 'sex male']);
  expect(all.protocol).toContain('3 samples are read by their face alone');
  const needy = await classes({ model: strict });
  expect(needy.dropped).toEqual({
    'label happy, which the model lacks': 12,
    'no face, which the model needs': 2,
    'no voice, which the model needs': 1,
  });
  expect(needy.n).toBe(8);
}, 60_000);

it('scores parts together that were read by models of their own', async () => {
  const parts = [await classes({ fold: 1 }), await classes({ fold: 2 })];
  const html = join(root, 'together.html');
  const together = await classes({ model: [model, model], folds: [1, 2], html });
  const whole = await classes({});
  expect(together.n).toBe(parts[0]!.n + parts[1]!.n);
  expect(together.confusion).toEqual(whole.confusion);
  expect(together.intervalMethod).toEqual(whole.intervalMethod);
  expect(together.undetectedFaces).toBe(whole.undetectedFaces);
  expect(together.data['folds']).toBe('1, 2');
  expect(readFileSync(html, 'utf8')).toContain('Worst errors');
  const dimensions = (await evaluate(
    options({ model: [regression, regression], folds: [1, 2] }),
    silent,
  )) as DimensionEvaluation;
  const alone = (await evaluate(options({ model: regression }), silent)) as DimensionEvaluation;
  expect(dimensions.scores.ccc.mean).toBeCloseTo(alone.scores.ccc.mean, 10);
  const other = [model, regression];
  await expect(classes({ model: other, folds: [1, 2] })).rejects.toThrow('read the same');
  await expect(classes({ model: other, folds: [1] })).rejects.toThrow('2 models and 1 folds');
  await expect(classes({ model: other })).rejects.toThrow('2 models and 0 folds');
}, 60_000);

it('fits a temperature on other samples only', async () => {
  await expect(classes({ calibrateOn: ['fold:2'] })).rejects.toThrow('that are scored');
  await expect(classes({ fold: 1, calibrateOn: [`data:${data}`, 'fold:1'] })).rejects.toThrow(
    'that are scored',
  );
  await expect(classes({ calibrateOn: ['half'] })).rejects.toThrow('wanted split:NAME');
  await expect(evaluate(options({ model: regression, calibrateOn: ['fold:2'] }), silent)).rejects.toThrow(
    'is for classes',
  );
  const elsewhere = await classes({ folds: [2], calibrateOn: [`data:${other}`] });
  expect(elsewhere.n).toBe(11);
  expect(elsewhere.calibration.fitted?.n).toBe(8);
  expect(parseSelection(['fold:1', 'data:a:b', 'fold:3', 'split:test'])).toEqual({
    split: 'test',
    folds: [1, 3],
    data: ['a:b'],
  });
}, 60_000);

it('scores dimensions', async () => {
  const json = join(root, 'regression.json');
  const html = join(root, 'regression.html');
  const result = (await evaluate(options({ model: regression, json, html }), silent)) as DimensionEvaluation;
  expect(result.kind).toBe('dimensions');
  expect(result.dimensions).toEqual(['valence', 'arousal']);
  expect(result.scores.ccc.perDimension).toHaveLength(2);
  expect(result.intervals['ccc arousal']).not.toBeNull();
  expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual(result);
  const page = readFileSync(html, 'utf8');
  expect(page.includes('Concordance of each dimension')).toBe(true);
  expect(withoutPictures(page).match(/NaN|undefined/)).toBeNull();
});

it('writes a report that asks nothing of anyone', async () => {
  const html = join(root, 'report.html');
  const command = 'evaluate --model "<a & b>"';
  const wish = options({ html, fold: 1, calibrateOn: ['fold:2'], pictures: 3 });
  const told = (await evaluate(wish, silent, command)) as ClassEvaluation;
  expect(told.calibration.fitted).toMatchObject({ on: 'fold 2 (6 people are in both)', n: 11 });
  const whole = readFileSync(html, 'utf8');
  const page = withoutPictures(whole);
  expect(page.match(/NaN|undefined|Infinity/)).toBeNull();
  expect(page.match(/(src|href)="(?!data:)/)).toBeNull();
  expect(page.match(/url\((?!#)|@import|<script/)).toBeNull();
  expect(page.replaceAll('http://www.w3.org/2000/svg', '').match(/https?:/)).toBeNull();
  for (const words of [
    'evaluate --model &quot;&lt;a &amp; b&gt;&quot;',
    'prefers-color-scheme:dark',
    'at temperature',
  ])
    expect(page.includes(words), words).toBe(true);
  for (const heading of ['Confusion', 'Recall of each label', 'Reliability', 'By group', 'Worst errors'])
    expect(page.includes(`<h2>${heading}</h2>`), heading).toBe(true);
  expect(whole.match(/data:image\/jpeg;base64,\/9j/g)?.length).toBeGreaterThan(0);
  expect(whole.match(/data:image\/png;base64,iVBOR/g)?.length).toBeGreaterThan(0);
  // Every element that is opened is closed, in the charts too.
  for (const tag of ['svg', 'g', 'text', 'section', 'figure', 'div', 'dl', 'table', 'details']) {
    const opened = page.match(new RegExp(`<${tag}[ >]`, 'g'))?.length ?? 0;
    expect(page.match(new RegExp(`</${tag}>`, 'g'))?.length ?? 0, tag).toBe(opened);
  }
});

it('explains wrong wishes', async () => {
  await expect(classes({ fold: 9 })).rejects.toThrow('the folds 1, 2');
  await expect(classes({ equalize: 'own' })).rejects.toThrow('names no usual voice');
  await expect(classes({ split: 'test' })).rejects.toThrow('the splits none');
  await expect(classes({ fold: 1, folds: [2] })).rejects.toThrow('give one of them');
  await expect(classes({ faces: root })).rejects.toThrow('one at a time');
  await expect(classes({ data: [root] })).rejects.toThrow('holds no shard');
  const { data: none, ...rest } = options({});
  expect(none).toEqual([data]);
  await expect(evaluate({ ...rest, voices: root, modality: 'voice' }, silent)).rejects.toThrow(
    'is for --data',
  );
  const help = evaluateCommand(silent).helpInformation();
  for (const option of ['--calibrate-on', '--html', '--modality', '--folds']) expect(help).toContain(option);
});
