// What docs/past-one-machine.md promises: prepare as jobs of an array, shards and weights handed to PyTorch, weights back.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { random } from '../../base/random.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import { pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { writeTorch } from '../../weights/pytorch-write.ts';
import type { TensorMap } from '../../weights/safetensors.ts';
import { sha256 } from '../base/cache.ts';
import { exportRun } from './export.ts';
import { importFile } from './import.ts';
import { prepareCommand } from './prepare.ts';
import { readWeights } from '../weights/read-weights.ts';
import type { SampleSet } from '../data/sample.ts';
import { openSamples } from '../data/shards/read.ts';
import { encodeWav } from '../data/shards/wav.ts';

const root = mkdtempSync(join(tmpdir(), 'past-one-machine-'));
const at = (...names: readonly string[]): string => join(root, ...names);
const docs = join(import.meta.dirname, '../../../docs');
const nothing = (): void => undefined;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const side = 24;
const soundLength = 8000;

/** Six short films as folders of pictures, each with a voice and a label, two folds; and a row without its files. */
beforeAll(async () => {
  const draw = random(3);
  const rows = ['video,audio,label,fold,key'];
  for (let film = 0; film < 6; film++) {
    mkdirSync(at('corpus', `f${String(film)}`), { recursive: true });
    for (let frame = 0; frame < 3 + film; frame++) {
      const data = Uint8Array.from({ length: side * side * 3 }, () => draw.uniform() * 255);
      await sharp(data, { raw: { width: side, height: side, channels: 3 } })
        .png()
        .toFile(at('corpus', `f${String(film)}`, `${String(frame)}.png`));
    }
    const voice = Float32Array.from({ length: soundLength }, (_, i) => Math.sin(i / (20 + film)) / 3);
    writeFileSync(at('corpus', `f${String(film)}.wav`), encodeWav(voice));
    const label = ['happy', 'sad', 'angry'][film % 3];
    rows.push(
      `f${String(film)},f${String(film)}.wav,${String(label)},${String(1 + (film % 2))},k${String(film)}`,
    );
  }
  rows.push('missing,missing.wav,sad,1,k9');
  writeFileSync(at('corpus', 'labels.csv'), rows.join('\n'));
});

const arrayNames = [
  'SLURM_ARRAY_TASK_ID',
  'SLURM_ARRAY_TASK_COUNT',
  'JOB_COMPLETION_INDEX',
  'JOB_COMPLETIONS',
];

/** The command as a job runs it: told by its environment alone which part is its own. */
async function job(out: string, environment: Readonly<Record<string, string>>, more: string[] = []) {
  for (const name of arrayNames) vi.stubEnv(name, environment[name]);
  const said: string[] = [];
  try {
    const typed = [
      'csv',
      at('corpus'),
      '--out',
      out,
      '--align',
      'as-is',
      '--frames',
      'png',
      '--crop-px',
      String(side),
    ];
    const command = prepareCommand((line) => void said.push(line)).exitOverride();
    await command.parseAsync([...typed, '--fps', 'source', '--jobs', '1', ...more], { from: 'user' });
  } finally {
    vi.unstubAllEnvs();
  }
  return said.join('\n');
}

/** Everything that a set holds, by key. */
async function contents(set: SampleSet): Promise<Record<string, readonly unknown[]>> {
  const entries: [string, readonly unknown[]][] = [];
  for (const [i, meta] of set.samples.entries()) {
    const frames = await set.frames(i, [...Array(meta.frameCount).keys()]);
    const sound = await set.sound(i);
    entries.push([
      meta.key,
      [
        meta,
        frames.map((frame) => sha256(Uint8Array.from(frame))),
        sound && sha256(new Uint8Array(sound.buffer)),
      ],
    ]);
  }
  return Object.fromEntries(entries);
}

const slurm = (id: number) =>
  job(at('slurm'), { SLURM_ARRAY_TASK_ID: String(id), SLURM_ARRAY_TASK_COUNT: '2' });

describe('prepare as jobs of an array', () => {
  it('gives together what one job gives; a job that is done already does nothing', async () => {
    expect(await job(at('whole'), {})).toContain('6 of 6 samples');
    await slurm(1);
    await expect(openSamples([at('slurm')])).rejects.toThrow('lacks part 1 of 2');
    await slurm(0);
    expect(await slurm(1)).toContain('nothing is to be done');
    const [whole, parts] = [await openSamples([at('whole')]), await openSamples([at('slurm')])];
    expect(Object.keys(await contents(parts)).sort()).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5']);
    expect(await contents(parts)).toEqual(await contents(whole));
    expect(parts.classes).toEqual(whole.classes);
    await Promise.all([whole.close(), parts.close()]);

    await job(at('kubernetes'), { JOB_COMPLETION_INDEX: '1' }, ['--shard-count', '2']);
    for (const name of readdirSync(at('kubernetes')))
      expect(readFileSync(at('kubernetes', name)).equals(readFileSync(at('slurm', name)))).toBe(true);
  }, 60_000);
});

/** A Python that has these packages, or why there is none. */
function pythonWith(...packages: readonly string[]): {
  readonly python: string | null;
  readonly why: string;
} {
  const probe =
    'import sys; from importlib.util import find_spec; sys.exit(any(not find_spec(name) for name in sys.argv[1:]))';
  const python = ['python3', '/usr/bin/python3'].find(
    (path) => spawnSync(path, ['-c', probe, ...packages], { timeout: 60_000 }).status === 0,
  );
  return { python: python ?? null, why: `no python3 here has ${packages.join(', ')}` };
}

/** Runs a program given as text. @returns its standard output */
function run(python: string, program: string, args: readonly string[] = []): string {
  const { status, stdout, stderr } = spawnSync(python, ['-c', program, ...args], {
    timeout: 60_000,
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: docs, PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** As the official code saves (its save_model): tensors, the optimizer's state, an argparse.Namespace. */
const officialSave = `
import argparse, hashlib, json, sys, torch
from collections import OrderedDict
loaded = torch.load(sys.argv[1], map_location="cpu")
try:
    torch.load(sys.argv[1], weights_only=True)
    safely = True
except TypeError:
    safely = None
model = loaded["model"]
assert isinstance(model, OrderedDict), type(model)
bits = {name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in model.items()}
print(json.dumps({"bits": bits, "shapes": {name: list(value.shape) for name, value in model.items()}, "safely": safely}))
parameters = [torch.nn.Parameter(value + 1) for value in model.values()]
optimizer = torch.optim.AdamW(parameters, lr=1e-3)
sum((value * value).sum() for value in parameters).backward()
optimizer.step()
trained = OrderedDict((name, value.detach()) for name, value in zip(model, parameters))
torch.save({"model": trained, "optimizer": optimizer.state_dict(), "epoch": 7, "scaler": {"scale": 65536.0},
            "args": argparse.Namespace(model="micro", window_size=(8, 2, 2))}, sys.argv[2])
print(json.dumps({name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in trained.items()}))
`;

describe('weights to PyTorch and back', () => {
  it('torch.load reads what export wrote, import what the official code saves', async ({ skip }) => {
    const { python, why } = pythonWith('torch', 'numpy');
    if (python === null) skip(why);
    const config = pretrainSizes.micro;
    const draw = random(11);
    const tensors: TensorMap = Object.fromEntries(
      pretrainParameterShapes(config).map(({ name, shape }) => {
        const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw.normal() / 8);
        return [name, { shape, data }];
      }),
    );
    const model = new Map(Object.entries(tensors));
    writeFileSync(at('first.pth'), writeTorch(new Map([['model', model]]), 'F32'));
    await exportRun({ from: at('first.pth'), out: at('ours.pth'), format: 'pth' }, nothing);

    const [seen = '', trained = ''] = run(python!, officialSave, [
      at('ours.pth'),
      at('checkpoint-7.pth'),
    ]).split('\n');
    const bits = (of: TensorMap): Record<string, string> =>
      Object.fromEntries(
        Object.entries(of).map(([name, { data }]) => [
          name,
          sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
        ]),
      );
    const read = JSON.parse(seen) as { bits: unknown; shapes: unknown; safely: boolean | null };
    expect(read.bits).toEqual(bits(tensors));
    expect(read.shapes).toEqual(
      Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape])),
    );
    expect(read.safely).not.toBe(false);

    await importFile(at('checkpoint-7.pth'), { out: at('back') }, nothing);
    const back = await readWeights(at('back'));
    expect([back.kind, back.config]).toEqual(['pretrain', config]);
    expect(bits(back.tensors)).toEqual(JSON.parse(trained));
    expect(back.about.provenance).toMatchObject({ epoch: '7' });
  }, 60_000);
});

/** Stands for the official modules: what pretrain_on_shards.py uses of them, with draws that are fixed. */
const standIns = `
import sys, types
import numpy as np, torch
class VideoMAE(torch.utils.data.Dataset):
    def __init__(self, setting):
        self.clips = self._make_dataset(None, setting)
        self.num_segments, self.new_length, self.audio_sample_rate, self.norm_mean, self.norm_std = 1, 2, 16000, 1.0, 2.0
        self.transform = lambda pair: (torch.from_numpy(np.concatenate(pair[0], axis=2)).permute(2, 0, 1).float(), "mask")
        self.mask_generator_audio = lambda: "audio mask"
    def __len__(self): return len(self.clips)
    def _sample_train_indices(self, count): return np.array([2]), np.zeros(2, int)
    def _video_TSN_decord_batch_loader(self, directory, reader, count, offsets, skips):
        return list(reader.get_batch([1, 2]).asnumpy()), (1, 2)
    def _wav2fbank(self, sound, sr): return sound[:, :1] * 0 + sound.shape[1], 0
sys.modules["datasets_av"] = types.SimpleNamespace(VideoMAE=VideoMAE)
sys.modules["run_mae_pretraining_av"] = types.SimpleNamespace(utils=types.SimpleNamespace(get_world_size=lambda: 4))
import pretrain_on_shards
data = pretrain_on_shards.datasets_av.VideoMAE(sys.argv[1])
frames, mask, fbank, audio_mask = data[0]
sample = data.shards.frames(data.clips[0], [1, 2])
same = bool((frames.numpy().transpose(1, 2, 3, 0) == sample).all())
print([len(data), tuple(frames.shape), same, mask, float(fbank), audio_mask])
`;

const readAll = `
import hashlib, json, sys
from read_shards import Shards
shards = Shards(sys.argv[1])
sha = lambda array: hashlib.sha256(array.tobytes()).hexdigest()
print(json.dumps({meta["key"]: [meta, [sha(frame) for frame in shards.frames(i, range(meta["frameCount"]))], sha(shards.sound(i))]
                  for i, meta in enumerate(shards.samples)}))
print(len(shards.sound(0, 0.1, 0.2)))
`;

describe('shards in Python', () => {
  it('read_shards.py reads what we read, and unpacks it as the official lists want it', async ({ skip }) => {
    const { python, why } = pythonWith('numpy', 'PIL');
    if (python === null) skip(why);
    // One part of two, as the test before left it.
    expect(() => run(python!, readAll, [at('kubernetes')])).toThrow('not wholly prepared');
    const set = await openSamples([at('slurm')]);
    const [all = '', length] = run(python!, readAll, [at('slurm')]).split('\n');
    expect(JSON.parse(all)).toEqual(await contents(set));
    expect(length).toBe('1600');

    const script = join(docs, 'read_shards.py');
    const told = spawnSync(
      python!,
      [script, at('slurm'), at('unpacked'), '--classes', 'angry,happy,sad', '--fold', '1'],
      { encoding: 'utf8', timeout: 60_000 },
    );
    expect(told.stdout).toContain('3 train, 3 val, 3 test; 0 left out');
    const lines = (name: string): string[] =>
      readFileSync(at('unpacked', `${name}.csv`), 'utf8')
        .trim()
        .split('\n')
        .sort();
    expect(lines('val')).toEqual(lines('test'));
    const [video = '', audio = '', label] = lines('test')[0]?.split(' ') ?? [];
    const i = set.samples.findIndex(({ key }) => video.endsWith(`/frames/${key}`));
    expect([set.samples[i]?.key, set.samples[i]?.fold, label]).toEqual(['k0', 1, '1']);
    const last = await sharp(join(video, '0002.png')).raw().toBuffer();
    expect(sha256(last)).toBe(sha256(Uint8Array.from((await set.frames(i, [2]))[0]!)));
    expect(readFileSync(audio).equals(Buffer.from(encodeWav((await set.sound(i))!)))).toBe(true);
    await set.close();

    const torch = pythonWith('torch', 'numpy', 'PIL');
    if (torch.python === null) skip(`pretrain_on_shards.py was not tried: ${torch.why}`);
    // From the beginning of frame 1 to the end of frame 2 at 25 a second, cut down to 1279 samples as officially; four of the six for four processes.
    const said = run(torch.python!, standIns, [at('slurm')]).split('\n');
    expect(said.at(-2)).toBe("[4, (3, 2, 24, 24), True, 'mask', 319.5, 'audio mask']");
  }, 60_000);
});
