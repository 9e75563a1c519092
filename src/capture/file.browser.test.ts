// Files are recorded here: a canvas whose gray tells the time, and a tone.
import { beforeAll, describe, expect, it } from 'vitest';
import { openFile } from './file.ts';
import type { Source } from './source.ts';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** About 1.6 s: dark for 0.8 s, then bright; a tone of 440 Hz all along. */
async function record({ pictures, sound }: { pictures: boolean; sound: boolean }): Promise<Blob> {
  const stream = new MediaStream();
  const canvas = document.createElement('canvas');
  canvas.width = 64;
  canvas.height = 48;
  const pen = canvas.getContext('2d');
  if (!pen) throw new Error('no 2d context');
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 440 });
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  if (pictures) for (const track of canvas.captureStream(25).getTracks()) stream.addTrack(track);
  if (sound) for (const track of out.stream.getTracks()) stream.addTrack(track);
  const recorder = new MediaRecorder(stream, { mimeType: pictures ? 'video/webm' : 'audio/webm' });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => {
    recorder.onstop = resolve;
  });
  recorder.start();
  for (let i = 0; i < 40; i++) {
    pen.fillStyle = i < 20 ? '#101010' : '#f0f0f0';
    pen.fillRect(0, 0, 64, 48);
    await sleep(40);
  }
  recorder.stop();
  await stopped;
  for (const track of stream.getTracks()) track.stop();
  await context.close();
  return new Blob(parts, { type: recorder.mimeType });
}

async function grayAt(source: Source, timeMs: number): Promise<number> {
  await source.step?.(timeMs);
  const frame = await source.grabFrame();
  if (!frame) return NaN;
  const canvas = new OffscreenCanvas(frame.bitmap.width, frame.bitmap.height);
  const pen = canvas.getContext('2d');
  pen?.drawImage(frame.bitmap, 0, 0);
  frame.bitmap.close();
  return pen?.getImageData(32, 24, 1, 1).data[0] ?? NaN;
}

function rms(samples: Float32Array = new Float32Array(0)): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}

describe('openFile', () => {
  let film: Blob;
  beforeAll(async () => {
    film = await record({ pictures: true, sound: true });
  });

  it('steps to any picture, the same each time, and holds the whole sound', async () => {
    const runs: number[][] = [];
    for (let run = 0; run < 2; run++) {
      const source = await openFile(film, { pace: 'stepped' });
      try {
        expect(source.durationMs).toBeGreaterThan(1000);
        expect(source.durationMs).toBeLessThan(10_000);
        const grays: number[] = [];
        for (const fraction of [0, 0.1, 0.2, 0.9, 0.3, 0.8]) {
          grays.push(await grayAt(source, fraction * (source.durationMs ?? 0)));
          expect(source.nowMs()).toBeCloseTo(fraction * (source.durationMs ?? 0), 3);
        }
        expect(await source.grabFrame()).toBeNull();
        runs.push(grays);
        expect(source.soundProblem).toBeNull();
        expect(rms(source.sound?.read(1000, 500))).toBeGreaterThan(0.3);
        await source.step?.(source.durationMs ?? 0);
        expect(await source.ended).toBeNull();
      } finally {
        source.close();
        source.close();
      }
    }
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]?.map((gray) => gray > 128)).toEqual([false, false, false, true, false, true]);
  });

  it('plays in real time to the end', async () => {
    const source = await openFile(film, { pace: 'realtime' });
    try {
      const times: number[] = [];
      const over = source.ended.then(() => 'over');
      while ((await Promise.race([over, sleep(10)])) !== 'over') {
        const frame = await source.grabFrame();
        if (frame) times.push(frame.timeMs);
        frame?.bitmap.close();
      }
      expect(await source.ended).toBeNull();
      expect(times.length).toBeGreaterThan(3);
      expect([...times].sort((a, b) => a - b)).toEqual(times);
      expect(source.step).toBeNull();
    } finally {
      source.close();
    }
  });

  it('does without sound, and without pictures, and says so', async () => {
    const silent = await openFile(await record({ pictures: true, sound: false }), { pace: 'stepped' });
    expect(silent.sound).toBeNull();
    expect(silent.soundProblem?.message).toContain('no sound');
    expect(await grayAt(silent, 100)).toBeLessThan(128);
    silent.close();
    const voice = await openFile(await record({ pictures: false, sound: true }), { pace: 'stepped' });
    expect(voice.pictureProblem?.message).toContain('no pictures');
    expect(await grayAt(voice, 500)).toBeNaN();
    expect(rms(voice.sound?.read(1000, 500))).toBeGreaterThan(0.3);
    voice.close();
  });

  it('refuses what is no media file', async () => {
    const note = new File(['hello'], 'note.txt', { type: 'text/plain' });
    await expect(openFile(note, { pace: 'stepped' })).rejects.toMatchObject({
      kind: 'unsupported-file',
      message: expect.stringMatching(/note\.txt.*text\/plain.*MP4/) as string,
    });
    await expect(openFile(new Blob([]), { pace: 'realtime' })).rejects.toMatchObject({
      kind: 'unsupported-file',
    });
  });
});
