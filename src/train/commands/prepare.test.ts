// A small corpus through the whole of prepare: decoder, the page's face detector, shards; in parts, stopped, and again.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { canonicalPoints } from '../../clip/face-alignment.ts';
import { corpusNamed } from '../data/corpora/all.ts';
import { openFaceFinder } from '../../face-points/face-points.ts';
import { prepare } from '../data/media/prepare-run.ts';
import type { PrepareOptions } from '../data/media/prepare-run.ts';
import { openSamples } from '../data/shards/read.ts';

const media = join(import.meta.dirname, '../../testing/media');
let folder: string;
let corpusFolder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'prepare-'));
  corpusFolder = join(folder, 'corpus');
  mkdirSync(corpusFolder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const usual: Omit<PrepareOptions, 'out'> = {
  part: { index: 1, count: 1 },
  ...{ cropPx: 64, fps: 25, frames: 'png', align: 'detect', faceless: 'drop', only: 'both', lookMs: 0 },
  ...{ maxSeconds: 60, jobs: 1, shardMb: 256, shardSamples: 3, patience: 60, corpusOptions: {} },
};
const said: string[] = [];
const run = (options: Partial<PrepareOptions> & { out: string }, stop = new AbortController().signal) =>
  prepare(corpusNamed('media'), corpusFolder, { ...usual, ...options }, (line) => said.push(line), stop);
const bytesOf = (path: string): Record<string, string> =>
  Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'base64')]));

it('cuts the face out of a film where the live path would, with the sound beside it', async () => {
  copyFileSync(join(media, 'face.mp4'), join(corpusFolder, 'face.mp4'));
  copyFileSync(join(media, 'bars.webm'), join(corpusFolder, 'bars.webm'));
  writeFileSync(join(corpusFolder, 'broken.avi'), 'not a film');
  const out = join(folder, 'out');
  const account = await run({ out });
  expect(account?.counts).toMatchObject({
    items: 3,
    samples: 1,
    withFace: 1,
    withSound: 1,
    frames: 25,
    found: 25,
  });
  expect(account?.leftOut.map(({ source }) => source).sort()).toEqual(['bars.webm', 'broken.avi']);
  expect(account?.leftOut.find(({ source }) => source === 'bars.webm')?.why).toMatch(/^no face was found/);
  expect(readdirSync(out)).toEqual(['dataset.json', 'shard-000000.tar']);

  const set = await openSamples([out]);
  expect(set.samples[0]).toMatchObject({ key: 'face', frameCount: 25, cropPx: 64, frameRateHz: 25 });
  const sound = await set.sound(0);
  expect(Math.abs((sound?.length ?? 0) / 16_000 - 1)).toBeLessThan(0.15);
  // In the crop the face lies where every crop has it: the detector finds eyes and mouth there.
  const [crop] = await set.frames(0, [12]);
  const finder = await openFaceFinder(1);
  try {
    const [points] = await finder.lanes[0]!.find(
      { data: new Uint8Array(crop!), count: 1, width: 64, height: 64, channels: 3 },
      null,
    );
    for (const name of ['rightEye', 'leftEye', 'mouth'] as const) {
      expect(Math.abs(points![name].x - canonicalPoints[name].x)).toBeLessThan(0.08);
      expect(Math.abs(points![name].y - canonicalPoints[name].y)).toBeLessThan(0.08);
    }
  } finally {
    await finder.close();
  }

  said.length = 0;
  expect(await run({ out })).toEqual(account);
  expect(said.join()).toMatch(/nothing is to be done/);
  await expect(run({ out, cropPx: 96 })).rejects.toThrow('cropPx 64 there, 96 now');
  copyFileSync(join(media, 'face.mp4'), join(corpusFolder, 'second.mp4'));
  await expect(run({ out })).rejects.toThrow('has changed');
});

/** Stills as they are need no browser: quick. */
function makeStills(count: number): void {
  for (let i = 0; i < count; i++)
    copyFileSync(join(media, 'bars.bmp'), join(corpusFolder, `x-${String(3 * i)}.bmp`));
  copyFileSync(join(media, 'tone.mp3'), join(corpusFolder, 'voice.mp3'));
  writeFileSync(join(corpusFolder, 'empty.wav'), '');
}

it('stopped anywhere and run again gives the bytes of one run', async () => {
  makeStills(7);
  const whole = join(folder, 'whole');
  const account = await run({ out: whole, align: 'as-is', jobs: 2 });
  expect(account?.counts).toMatchObject({ items: 9, samples: 8, withFace: 7, withSound: 1 });
  expect(account?.shards.length).toBe(3);

  const again = join(folder, 'again');
  const stop = new AbortController();
  const stopping = run({ out: again, align: 'as-is' }, stop.signal);
  const journal = join(again, 'journal.jsonl');
  const lines = (): number => {
    try {
      return readFileSync(journal, 'utf8').split('\n').length - 2;
    } catch {
      return 0;
    }
  };
  while (lines() < 4) await new Promise((resolve) => setTimeout(resolve, 2));
  stop.abort();
  expect(await stopping).toBeNull();
  await expect(openSamples([again])).rejects.toThrow('not wholly prepared');
  // As a kill may leave it: half a line, and a half-written sample after the last one noted.
  writeFileSync(journal, '{"source":"x', { flag: 'a' });
  for (const name of readdirSync(again).filter((each) => each.endsWith('.part')))
    writeFileSync(join(again, name), 'half of a sample', { flag: 'a' });
  await expect(run({ out: again, align: 'as-is', cropPx: 32 })).rejects.toThrow('other options');
  await run({ out: again, align: 'as-is' });
  expect(bytesOf(again)).toEqual(bytesOf(whole));
});

it('in parts gives every sample once, and is read only when all parts are there', async () => {
  makeStills(6);
  const out = join(folder, 'out');
  const part = (index: number) => run({ out, align: 'as-is', part: { index, count: 3 } });
  await part(3);
  await part(1);
  await expect(openSamples([out])).rejects.toThrow('lacks part 2 of 3');
  await part(2);
  const set = await openSamples([out]);
  const keys = set.samples.map(({ key }) => key).sort();
  expect(keys).toEqual(['voice', ...Array.from({ length: 6 }, (_, i) => `x-${String(3 * i)}`)].sort());
  expect(readdirSync(out)).toContain('shard-0002-of-0003-000000.tar');
  await expect(run({ out, align: 'as-is' })).rejects.toThrow('parts 3 there, 1 now');
});

it('says so when nothing can be prepared', async () => {
  writeFileSync(join(corpusFolder, 'empty.wav'), '');
  said.length = 0;
  const out = join(folder, 'out');
  await expect(run({ out, align: 'as-is' })).rejects.toThrow('None of 1 samples');
  expect(said.join()).toMatch(/empty\.wav: cannot be decoded: it is empty/);
  expect(readdirSync(out)).toEqual([]);
});
