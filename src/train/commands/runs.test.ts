// Pre-training and fine-tuning on a made data set: losses fall, killed and resumed runs equal uninterrupted ones.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../base/random.ts';
import { writeMadeSamples } from '../../testing/made-samples.ts';
import { readBest, readCheckpoint } from '../trainer/checkpoint.ts';
import { finetune } from './finetune.ts';
import type { FinetuneOptions } from './finetune.ts';
import { slotsOf } from '../trainer/flat-params.ts';
import { pretrain } from './pretrain.ts';
import type { PretrainOptions } from './pretrain.ts';
import type { CommonOptions } from '../recipe/run-options.ts';

const root = mkdtempSync(join(tmpdir(), 'runs-'));
const data = join(root, 'data');
beforeAll(() => writeMadeSamples(data, { pairs: 16, faces: 6, voices: 6 }));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const common: Omit<CommonOptions, 'out'> = {
  data: [data],
  preset: 'nano',
  size: 'micro',
  validShare: 0.1,
  epochs: 8,
  minutes: Infinity,
  batch: 8,
  partSize: 2,
  lr: 3e-3,
  floor: 1e-5,
  warmupEpochs: 1,
  beta2: 0.999,
  weightDecay: 0.05,
  average: 0.5,
  frameStep: 4,
  color: 'rgb',
  bandLimit: 0,
  shortSound: 'official',
  augment: 'none',
  freeze: [],
  recompute: false,
  seed: 3,
  threads: 2,
  backend: 'wasm',
  resume: false,
  checkpointEvery: 1000,
  validateEvery: 2,
  dryRun: false,
};

const finetuning: Omit<FinetuneOptions, 'out'> = {
  ...common,
  fold: 1,
  task: 'classes',
  folds: [],
  loss: 'mse',
  headActivation: 'none',
  equalize: false,
  mix: true,
  smoothing: 0.1,
  softLabels: false,
  classWeights: 'balanced',
  modalityDropout: 0.3,
  layerDecay: 1,
  dropPath: 0.1,
  patience: Infinity,
};

const pretraining: Omit<PretrainOptions, 'out'> = {
  ...common,
  epochs: 8,
  lr: 1e-3,
  average: 0,
  read: 'both',
  maskFaces: 0.75,
  maskVoices: 0.8,
  contrastWeight: 0.0025,
  skips: true,
  pictures: 1,
};

const silent = (): void => undefined;
const resolved = <T>(options: T): { options: T; sources: Map<string, 'typed'> } => ({
  options,
  sources: new Map(),
});

type LogLine = Readonly<Record<string, number | string>>;

function logOf(run: string, event: string): LogLine[] {
  return readFileSync(join(run, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine)
    .filter((line) => line['event'] === event);
}

const mean = (lines: readonly LogLine[], key: string): number => {
  const values = lines.map((line) => line[key]).filter((value) => typeof value === 'number');
  return values.reduce((a, b) => a + b, 0) / values.length;
};

function expectSame(a: string, b: string): void {
  const [one, other] = [readCheckpoint(a), readCheckpoint(b)];
  expect(other.state.step).toBe(one.state.step);
  for (const name of ['params', 'moment1', 'moment2', 'average'] as const)
    expect(Buffer.from(other.arrays[name].buffer).equals(Buffer.from(one.arrays[name].buffer))).toBe(true);
}

describe('finetune', () => {
  it('learns from pairs, faces and voices, keeps the best, and goes on where it was stopped', async () => {
    const whole = join(root, 'whole');
    await finetune(resolved({ ...finetuning, out: whole }), silent);
    const steps = logOf(whole, 'step');
    expect(mean(steps.slice(-3), 'loss')).toBeLessThan(mean(steps.slice(0, 3), 'loss'));
    for (const key of ['pair', 'face', 'voice'])
      expect(
        steps.some((line) => typeof line[key] === 'number'),
        key,
      ).toBe(true);
    const looks = logOf(whole, 'validation');
    expect(looks.length).toBeGreaterThan(2);
    const best = readBest(whole).state.best;
    expect(best?.score).toBe(Math.max(...looks.map((line) => Number(line['war']))));
    expect(best?.score).toBeGreaterThan(0.7);
    expect(readdirSync(join(whole, 'tensorboard'))).toHaveLength(1);
    expect(readCheckpoint(whole).state.model).toMatchObject({
      kind: 'finetune',
      labels: ['happy', 'sad'],
      missingModalities: true,
    });

    const parts = join(root, 'parts');
    let asked = 0;
    await finetune(resolved({ ...finetuning, out: parts }), silent, () => ++asked > 3);
    await expect(finetune(resolved({ ...finetuning, out: parts }), silent)).rejects.toThrow('--resume');
    await expect(
      finetune(resolved({ ...finetuning, out: parts, dropPath: 0, resume: true }), silent),
    ).rejects.toThrow('dropPath 0 instead of 0.1');
    await finetune(resolved({ ...finetuning, out: parts, resume: true }), silent);
    expectSame(whole, parts);
    const clock = ['time', 'stepMs', 'prepareMs', 'computeMs', 'minutes', 'leftMinutes'];
    const without = (line: LogLine): LogLine =>
      Object.fromEntries(Object.entries(line).filter(([key]) => !clock.includes(key)));
    expect(logOf(parts, 'step').map(without)).toEqual(steps.map(without));
  }, 200_000);

  it('recomputes blocks to the same losses, and leaves frozen parameters', async () => {
    const run = join(root, 'frozen');
    const from = join(root, 'whole');
    const few = { ...finetuning, from, epochs: 3, freeze: ['encoder.', 'fc_norm'] };
    const lines: string[] = [];
    await finetune(resolved({ ...few, out: run }), (line) => lines.push(line));
    await finetune(resolved({ ...few, recompute: true, out: `${run}-again` }), silent);
    expect(lines.join('\n')).toMatch(/from .*whole: \d+ parameters taken over, 0 begin fresh/);
    const [a, b] = [logOf(run, 'step'), logOf(`${run}-again`, 'step')];
    a.forEach((line, i) => expect(Number(b[i]?.['loss'])).toBeCloseTo(Number(line['loss']), 4));
    const start = readCheckpoint(from).arrays.average;
    const end = readCheckpoint(run);
    for (const { name, offset, length } of slotsOf(end.state.parameters).slots) {
      const same = Buffer.from(start.slice(offset, offset + length).buffer).equals(
        Buffer.from(end.arrays.params.slice(offset, offset + length).buffer),
      );
      if (name.startsWith('encoder.') || name.startsWith('fc_norm')) expect(same, name).toBe(true);
    }
    expect(end.arrays.params).not.toEqual(start);
  }, 100_000);

  it('hears voices of any gain alike when it is to equalize them', async () => {
    const gains = { one: [1, 0.5], other: [0.5, 1] } as const;
    const firstLoss = async (name: keyof typeof gains, equalize: boolean): Promise<number> => {
      // The same voices in two corpora, one of which was recorded softer.
      const data = [0, 1].map((i) => join(root, `voices-${name}-${String(i)}`));
      for (const [i, folder] of data.entries()) {
        const made = { pairs: 0, voices: 12, corpus: `made-${String(i)}`, soundGain: gains[name][i]! };
        if (!existsSync(folder)) await writeMadeSamples(folder, made);
      }
      const out = join(root, `${name}-${String(equalize)}`);
      await finetune(resolved({ ...finetuning, data, epochs: 1, out, equalize }), silent);
      expect(readCheckpoint(out).state.clip.usualSpectrum?.length).toBe(equalize ? 32 : undefined);
      return Number(logOf(out, 'step')[0]?.['loss']);
    };
    const [one, other] = [await firstLoss('one', true), await firstLoss('other', true)];
    expect(Math.abs(other - one)).toBeLessThan(1e-3);
    expect(Math.abs((await firstLoss('one', false)) - (await firstLoss('other', false)))).toBeGreaterThan(
      5e-3,
    );
  }, 100_000);

  it('learns dimensions by error and by concordance, each fold in turn, and ends when nothing gets better', async () => {
    for (const loss of ['mse', 'ccc'] as const) {
      const out = join(root, loss);
      const options = {
        ...finetuning,
        out,
        task: 'dimensions',
        loss,
        dimensions: ['valence'],
        mix: false,
      } as const;
      await finetune(resolved({ ...options, epochs: 8, lr: 1e-3, partSize: 4 }), silent);
      const steps = logOf(out, 'step');
      expect(mean(steps.slice(-3), 'loss')).toBeLessThan(mean(steps.slice(0, 3), 'loss'));
      expect(logOf(out, 'validation').every((line) => typeof line['ccc'] === 'number')).toBe(true);
    }
    const { fold, ...foldless } = finetuning;
    expect(fold).toBe(1);
    const folds = join(root, 'folds');
    await finetune(
      resolved({
        ...foldless,
        folds: [1, 2],
        epochs: 1,
        out: folds,
      }),
      silent,
    );
    const { tests, means } = JSON.parse(readFileSync(join(folds, 'folds.json'), 'utf8')) as {
      tests: { fold: number; which: string; n: number; scores: { war: number } }[];
      means: { last: { war: number } };
    };
    expect(tests.map(({ fold, which, n }) => [fold, which, n])).toEqual([
      [1, 'last', 14],
      [1, 'best', 14],
      [2, 'last', 14],
      [2, 'best', 14],
    ]);
    expect(means.last.war).toBeCloseTo((tests[0]!.scores.war + tests[2]!.scores.war) / 2, 12);
    const patient = join(root, 'patient');
    const lines: string[] = [];
    await finetune(
      resolved({ ...finetuning, out: patient, lr: 0, floor: 0, epochs: 50, validateEvery: 1, patience: 2 }),
      (line) => lines.push(line),
    );
    expect(lines.at(-1)).toContain('no better score for long at step 3');
  }, 200_000);

  it('says what it would do, and what it cannot', async () => {
    const lines: string[] = [];
    const out = join(root, 'dry');
    await finetune(resolved({ ...finetuning, out, dryRun: true }), (line) => lines.push(line));
    expect(lines.join('\n')).toMatch(/samples: 14 trained, 14 held out/);
    expect(lines.join('\n')).toMatch(/steps: 8 \(1 an epoch of 8 samples/);
    expect(existsSync(out)).toBe(false);
    const refused = (changes: Partial<FinetuneOptions>, message: string | RegExp): Promise<void> =>
      expect(finetune(resolved({ ...finetuning, out, ...changes }), silent)).rejects.toThrow(message);
    await refused({ batch: 64 }, /14 samples to train on, fewer than a batch of 64/);
    await refused({ partSize: 3 }, /--batch 8 is no multiple of --part-size 3/);
    await refused({ data: [join(root, 'nothing')] }, /nothing/);
    await refused(
      { classes: ['angry', 'fear'] },
      /28 labeled .* which is no class of this run|labeled happy/,
    );
    await refused(
      { lr: 1e30, warmupEpochs: 0, out: join(root, 'broken') },
      /not finite at step \d+ .*The batch: /,
    );
  }, 100_000);
});

describe('pretrain', () => {
  it('learns to fill in what is hidden, of both, of a face alone, of a voice alone', async () => {
    const both = join(root, 'pre');
    await pretrain(resolved({ ...pretraining, out: both }), silent);
    const steps = logOf(both, 'step');
    for (const key of ['video', 'audio'])
      expect(mean(steps.slice(-4), key)).toBeLessThan(mean(steps.slice(0, 2), key));
    expect(steps.some((line) => typeof line['contrastive'] === 'number')).toBe(true);
    expect(readdirSync(join(both, 'pictures')).length).toBeGreaterThan(0);
    const face = join(root, 'pre-face');
    await pretrain(resolved({ ...pretraining, out: face, read: 'face', epochs: 1 }), silent);
    expect(logOf(face, 'step').every((line) => line['audio'] === undefined)).toBe(true);

    // What it learned is where fine-tuning begins (micro's fine-tuning model is less deep than its pre-training's).
    const lines: string[] = [];
    const tuned = { ...finetuning, from: both, epochs: 1, out: join(root, 'tuned') };
    await finetune(resolved(tuned), (line) => lines.push(line));
    expect(lines.join('\n')).toMatch(
      /from .*pre: \d+ parameters taken over, 6 begin fresh \(video_layer_weights/,
    );
  }, 200_000);
});

const tsx = createRequire(import.meta.url).resolve('tsx/cli');
const main = join(import.meta.dirname, '../main.ts');

/** Runs a command in a process of its own, killed outright after a while. @returns whether it ended by itself */
function runFor(args: readonly string[], ms: number): Promise<{ ended: boolean; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [tsx, main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const kill = setTimeout(() => {
      // tsx runs the program in a child of its own: the whole group is killed.
      process.kill(-child.pid!, 'SIGKILL');
    }, ms);
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(kill);
      resolve({ ended: code === 0, output });
    });
  });
}

describe('the command', () => {
  it('equals an uninterrupted run after being killed at any moment and resumed', async () => {
    const args = (out: string): string[] => [
      ...['pretrain', '--size', 'micro', '--data', data, '--out', out, '--epochs', '12', '--batch', '8'],
      ...[
        '--part-size',
        '4',
        '--mask-faces',
        '0.75',
        '--checkpoint-every',
        '0',
        '--backend',
        'wasm',
        '--seed',
        '9',
      ],
    ];
    const whole = join(root, 'unkilled');
    const begun = Date.now();
    const first = await runFor(args(whole), 120_000);
    expect(first.ended, first.output).toBe(true);
    const tookMs = Date.now() - begun;
    const killed = join(root, 'killed');
    // A failure is repeated with KILL_SEED=SEED in the environment.
    const seed = Number(process.env['KILL_SEED'] ?? Date.now());
    console.log(`kill times: KILL_SEED=${String(seed)}`);
    const stream = random(seed);
    let kills = 0;
    for (let ended = false; !ended;) {
      const resume = existsSync(join(killed, 'log.jsonl')) ? ['--resume'] : [];
      const ms = kills < 3 ? tookMs * (0.3 + 0.6 * stream.uniform()) : 120_000;
      const run = await runFor([...args(killed), ...resume], ms);
      ({ ended } = run);
      if (!ended) expect(kills++, run.output).toBeLessThan(3);
    }
    expect(kills).toBeGreaterThan(0);
    expectSame(whole, killed);
  }, 300_000);
});
