// Small films and sounds of every wanted kind, and broken ones, through the real decoder.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDecoders } from './decode.ts';
import type { Decoder, FramesAsked } from './decode.ts';
import { readImage, resampled } from './images.ts';

const media = join(import.meta.dirname, '../../../testing/media');
const tone = join(import.meta.dirname, '../../../testing/tone.opus');
let decoder: Decoder;
let folder: string;
beforeAll(async () => {
  decoder = (await openDecoders(1, 60_000))[0]!;
  folder = mkdtempSync(join(tmpdir(), 'decode-'));
});
afterAll(async () => {
  await decoder.close();
  rmSync(folder, { recursive: true, force: true });
});

const file = (name: string): string => join(media, name);
const all = (path: string): FramesAsked => ({ path, fps: 25, maxSeconds: 60 });

async function framesOf(asked: FramesAsked) {
  const frames: Uint8Array[] = [];
  let size = '';
  const reply = await decoder.frames(asked, ({ data, count, width, height }) => {
    size = `${String(width)}x${String(height)}`;
    for (let i = 0; i < count; i++)
      frames.push(data.slice(i * width * height * 3, (i + 1) * width * height * 3));
    return Promise.resolve();
  });
  return { reply, frames, size };
}
async function soundOf(path: string, part: { startMs?: number; endMs?: number } = {}) {
  const reply = await decoder.sound({ path, maxSeconds: 60, ...part });
  if (reply.kind !== 'sound') throw new Error('no sound');
  return reply;
}
/** Zero crossings a second. */
function pitchHz(samples: Float32Array): number {
  let crossings = 0;
  for (let i = 1; i < samples.length; i++) crossings += Number(samples[i - 1]! < 0 !== samples[i]! < 0);
  return (crossings / 2 / samples.length) * 16_000;
}
const level = (samples: Float32Array): number =>
  Math.sqrt(samples.reduce((s, x) => s + x * x, 0) / samples.length);
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing failed',
    (error: unknown) => (error as Error).message,
  );

describe('films', () => {
  it.each(['bars.flv', 'bars.avi', 'bars.mpg', 'bars.webm'])(
    '%s: 15 frames at 25 a second, and a tone',
    async (name) => {
      const { reply, frames, size } = await framesOf(all(file(name)));
      expect(reply).toMatchObject({ kind: 'frames', frameRateHz: 25, damage: null });
      expect(size).toBe('64x48');
      expect(frames.length).toBeGreaterThanOrEqual(15);
      expect(frames.length).toBeLessThanOrEqual(17);
      // The test picture's bars: many colors, and not gray.
      const [first] = frames;
      expect(new Set(first).size).toBeGreaterThan(50);
      const { samples, damage } = await soundOf(file(name));
      expect(damage).toBeNull();
      expect(samples.length / 16_000).toBeGreaterThan(0.55);
      expect(samples.length / 16_000).toBeLessThan(0.75);
      expect(Math.abs(pitchHz(samples.subarray(2000, 8000)) - 440)).toBeLessThan(10);
    },
  );

  it('are cut, resampled and cropped', async () => {
    const whole = await framesOf(all(file('face.mp4')));
    expect(whole.frames.length).toBe(25);
    const part = await framesOf({ ...all(file('face.mp4')), startMs: 200, endMs: 600 });
    expect(part.frames.length).toBe(10);
    expect(part.frames[0]).toEqual(whole.frames[5]);
    expect((await framesOf({ ...all(file('face.mp4')), fps: 10 })).frames.length).toBe(10);
    expect((await framesOf({ ...all(file('face.mp4')), fps: 'source' })).reply).toMatchObject({
      frameRateHz: 25,
    });
    expect((await framesOf({ ...all(file('face.mp4')), maxSeconds: 0.4 })).frames.length).toBe(10);
    const region = { x: 0.5, y: 0, width: 0.5, height: 1 };
    const right = await framesOf({ ...all(file('face.mp4')), region });
    expect(right.size).toBe('160x240');
    // The tone begins at half a second.
    const { samples } = await soundOf(file('face.mp4'), { startMs: 250, endMs: 750 });
    expect(samples.length / 16_000).toBeCloseTo(0.5, 1);
    expect(level(samples.subarray(0, 3000))).toBeLessThan(0.01);
    expect(level(samples.subarray(5000, 7800))).toBeGreaterThan(0.05);
  });

  it('of more frames than fit at once come whole, at the reader’s pace', async () => {
    // 25 frames blown up: more than the two slots on the way hold.
    const asked = { ...all(file('face.mp4')), region: { x: 0, y: 0, width: 1, height: 1 }, fps: 240 };
    let count = 0;
    let sum = 0;
    const reply = await decoder.frames(asked, async (chunk) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      count += chunk.count;
      sum += chunk.data[0] ?? 0;
    });
    expect(reply).toMatchObject({ frameCount: 240 });
    expect(count).toBe(240);
    expect(sum).toBeGreaterThan(0);
  });
});

describe('sounds', () => {
  it.each([file('tone.flac'), file('tone.mp3'), file('tone.ogg'), tone])('%s', async (path) => {
    expect((await framesOf(all(path))).reply.kind).toBe('none');
    const { samples, damage } = await soundOf(path);
    expect(damage).toBeNull();
    expect(level(samples.subarray(2000, 8000))).toBeGreaterThan(0.01);
  });
});

describe('broken files', () => {
  it('are refused with a reason, and the next one is decoded', async () => {
    const make = (name: string, bytes: Uint8Array): string => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const mp4 = readFileSync(file('face.mp4'));
    expect(await failure(framesOf(all(make('empty.mp4', new Uint8Array(0)))))).toMatch(
      /empty\.mp4 .* it is empty/,
    );
    expect(await failure(framesOf(all(make('text.mp4', Buffer.from('not a film')))))).toMatch(/Invalid data/);
    const head = make('head.mp4', mp4.subarray(0, 200));
    expect(await failure(soundOf(head))).toMatch(/head\.mp4 cannot be decoded: it holds neither/);
    expect(await failure(framesOf(all(join(folder, 'none.mp4'))))).toMatch(/none\.mp4 .* cannot be opened/);
    expect(await failure(framesOf(all(folder)))).toMatch(/not a file/);
    const webm = readFileSync(file('bars.webm'));
    const half = await framesOf(all(make('half.webm', webm.subarray(0, webm.length / 2))));
    expect(half.reply).toMatchObject({ damage: expect.stringMatching(/./) as string });
    expect((await framesOf(all(file('bars.webm')))).reply).toMatchObject({ damage: null });
  });

  it('that never answer are given up', async () => {
    const [hasty] = await openDecoders(1, 1);
    try {
      expect(await failure(hasty!.sound({ path: tone, maxSeconds: 60 }))).toMatch(/nothing came out of it/);
    } finally {
      await hasty!.close();
    }
  });
});

describe('images', () => {
  it('are read upright, of any kind, or refused', async () => {
    const pixels = Uint8Array.from({ length: 12 * 8 * 3 }, (_, i) => (i * 5) % 256);
    const png = join(folder, 'x.png');
    await sharp(pixels, { raw: { width: 12, height: 8, channels: 3 } })
      .png()
      .toFile(png);
    const frame = await readImage(png, decoder);
    expect(frame).toMatchObject({ width: 12, height: 8, channels: 3 });
    expect([...frame.data]).toEqual([...pixels]);
    const turned = join(folder, 'turned.jpg');
    await sharp(png).withMetadata({ orientation: 6 }).jpeg().toFile(turned);
    expect(await readImage(turned, decoder)).toMatchObject({ width: 8, height: 12 });
    expect(await readImage(file('bars.bmp'), decoder)).toMatchObject({ width: 32, height: 24, channels: 3 });
    writeFileSync(join(folder, 'cut.png'), readFileSync(png).subarray(0, 60));
    expect(await failure(readImage(join(folder, 'cut.png'), decoder))).toMatch(/cut\.png cannot be decoded/);
    expect(await failure(readImage(join(folder, 'none.png'), decoder))).toMatch(
      /none\.png cannot be decoded/,
    );
  });

  it('of a film are taken at another rate', () => {
    expect(resampled(6, 30, 'source')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(resampled(6, 50, 25)).toEqual([0, 2, 4]);
    expect(resampled(3, 12.5, 25)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(resampled(1, 0, 25)).toEqual([0]);
  });
});
