// Shards written, read back, continued and damaged; real files, real codecs.
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { extract, pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SampleMeta } from '../sample.ts';
import { encodeMeta } from './meta.ts';
import { openSamples } from './read.ts';
import { openShardWriter } from './write.ts';
import type { EncodedSample } from './write.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'shards-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const side = 16;
const meta = (key: string, frameCount: number, sampleCount: number): SampleMeta => ({
  key,
  corpus: 'made',
  source: `${key}.mp4`,
  label: 'happy',
  votes: null,
  dimensions: null,
  identity: 'p1',
  fold: 1,
  split: null,
  groups: { sex: 'female' },
  frameCount,
  frameRateHz: frameCount > 1 ? 25 : 0,
  cropPx: frameCount > 0 ? side : 0,
  foundCount: frameCount,
  sampleCount,
});

/** Pixels that tell frames and channels apart. */
const pixels = (frame: number): Uint8Array =>
  Uint8Array.from({ length: side * side * 3 }, (_, i) => (7 * i + 40 * frame) % 256);
const png = (frame: number): Promise<Uint8Array> =>
  sharp(pixels(frame), { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();
const voice = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.round(20000 * Math.sin(i / 5)) / 32768);

async function sample(key: string, frameCount: number, sampleCount: number): Promise<EncodedSample> {
  const frames = await Promise.all(Array.from({ length: frameCount }, (_, i) => png(i)));
  const sound = sampleCount > 0 ? voice(sampleCount) : null;
  return { meta: meta(key, frameCount, sampleCount), frames, frameFormat: 'png', sound };
}

const bytesOf = (path: string): Record<string, string> =>
  Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'base64')]));

describe('shards', () => {
  it('give back frames, sound and meta, several shards as one set', async () => {
    const writer = openShardWriter(folder, 'shard', { shardBytes: 1e9, shardSamples: 2 });
    writer.add(await sample('one', 3, 1600));
    writer.add(await sample('voice-only', 0, 1600));
    writer.add(await sample('still', 1, 0));
    expect(writer.finish()).toEqual(['shard-000000.tar', 'shard-000001.tar']);

    const set = await openSamples([folder]);
    expect(set.samples.map(({ key }) => key)).toEqual(['one', 'voice-only', 'still']);
    expect(set.samples[0]).toEqual(meta('one', 3, 1600));
    expect(set.classes).toEqual(['happy']);
    const frames = await set.frames(0, [2, 0, 2]);
    expect(frames.map((frame) => [...frame])).toEqual([2, 0, 2].map((i) => [...pixels(i)]));
    expect(await set.sound(1)).toEqual(voice(1600));
    expect(await set.sound(2)).toBeNull();
    expect(await set.frames(1, [])).toEqual([]);
    await expect(set.frames(0, [3])).rejects.toThrow('frame 3');
    await set.close();
    await expect(set.sound(1)).rejects.toThrow('internal');
  });

  it('are what other tar readers take, each sample together', async () => {
    const writer = openShardWriter(folder, 'shard');
    writer.add(await sample('b', 2, 100));
    writer.add(await sample('a', 0, 100));
    writer.finish();
    const names: string[] = [];
    const reader = extract();
    reader.end(readFileSync(join(folder, 'shard-000000.tar')));
    for await (const entry of reader) {
      names.push(entry.header.name);
      expect(entry.header.mtime.getTime()).toBe(0);
      entry.resume();
    }
    expect(names).toEqual(['b.json', 'b.0000.png', 'b.0001.png', 'b.wav', 'a.json', 'a.wav']);
  });

  it('taken up again after a kill have the bytes of an uninterrupted run', async () => {
    const samples = [await sample('a', 3, 50), await sample('b', 1, 50), await sample('c', 2, 50)];
    const limits = { shardBytes: 1e9, shardSamples: 2 };
    const whole = openShardWriter(join(folder, 'whole'), 'shard', limits);
    for (const each of samples) whole.add(each);
    whole.finish();

    const again = join(folder, 'again');
    const first = openShardWriter(again, 'shard', limits);
    const stood = first.add(samples[0]!);
    first.add(samples[1]!);
    first.close();
    // The second sample's last bytes never came, and nobody noted that it was there.
    const draft = join(again, 'shard-000000.tar.part');
    truncateSync(draft, readFileSync(draft).length - 700);
    const second = openShardWriter(again, 'shard', limits, stood);
    second.add(samples[1]!);
    second.add(samples[2]!);
    second.finish();
    expect(bytesOf(again)).toEqual(bytesOf(join(folder, 'whole')));
  });

  it('made by others are read, with long names and folders', async () => {
    const key = `${'long-'.repeat(30)}x`;
    const archive = pack();
    archive.entry({ name: `train/${key}.json` }, Buffer.from(encodeMeta(meta(key, 1, 0))));
    const gray = await sharp(new Uint8Array(side * side).fill(77), {
      raw: { width: side, height: side, channels: 1 },
    })
      .png()
      .toBuffer();
    archive.entry({ name: `train/${key}.0000.png` }, gray);
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    writeFileSync(join(folder, 'x.tar'), Buffer.concat(chunks));
    const set = await openSamples([folder]);
    const [frame] = await set.frames(0, [0]);
    expect(new Set(frame)).toEqual(new Set([77]));
    expect(frame?.length).toBe(side * side * 3);
  });

  it('that are damaged or incomplete are named, with what to do', async () => {
    const writer = openShardWriter(folder, 'shard');
    writer.add(await sample('a', 2, 100));
    writer.finish();
    const path = join(folder, 'shard-000000.tar');
    const good = readFileSync(path);
    const failure = async (bytes: Uint8Array): Promise<string> => {
      writeFileSync(path, bytes);
      return openSamples([folder]).then(
        () => 'opened',
        (error: unknown) => (error as Error).message,
      );
    };
    expect(await failure(good.subarray(0, good.length - 600))).toMatch(
      /shard-000000\.tar is cut short.*Copy it/s,
    );
    expect(await failure(good.subarray(0, 1200))).toMatch(/cut short/);
    expect(await failure(Buffer.alloc(5000, 65))).toMatch(/no tar header at byte 0/);
    const withoutFold = Buffer.from(good.toString('latin1').replace('"fold"', '"fool"'), 'latin1');
    expect(await failure(withoutFold)).toMatch(
      /a\.json: "fold" is nothing; wanted a whole number from 1 or null/,
    );
    expect(await failure(good)).toBe('opened');
    await expect(openSamples([folder, folder])).rejects.toThrow('made/a is in');
    await expect(openSamples([tmpdir() + '/nowhere-at-all'])).rejects.toThrow('nowhere-at-all');
  });

  it('hold frames of the size they say', async () => {
    const writer = openShardWriter(folder, 'shard');
    const one = await sample('a', 1, 0);
    writer.add({ ...one, meta: { ...one.meta, cropPx: 20 } });
    writer.finish();
    const set = await openSamples([folder]);
    await expect(set.frames(0, [0])).rejects.toThrow('16 x 16 pixels; its json says 20 x 20');
  });
});
