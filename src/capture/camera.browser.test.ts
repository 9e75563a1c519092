// With Chromium's fake camera and microphone (a moving picture and beeps).
import { expect, it } from 'vitest';
import { openCamera } from './camera.ts';
import type { Frame, Source } from './source.ts';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function grabFrames(source: Source, count: number): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let i = 0; i < 600 && frames.length < count; i++) {
    const frame = await source.grabFrame();
    if (frame) frames.push(frame);
    else await sleep(10);
  }
  return frames;
}

it('gives pictures and sound on one clock, and releases both devices', async () => {
  const source = await openCamera();
  try {
    expect(source.kind).toBe('camera');
    expect(source.soundProblem).toBeNull();
    const frames = await grabFrames(source, 5);
    expect(frames.length).toBe(5);
    for (const [i, frame] of frames.entries()) {
      expect(frame.bitmap.width).toBeGreaterThan(100);
      expect(frame.timeMs).toBeLessThanOrEqual(source.nowMs());
      if (i > 0) expect(frame.timeMs).toBeGreaterThan(frames[i - 1]?.timeMs ?? 0);
      frame.bitmap.close();
    }
    // The fake microphone beeps now and then: some of the sound is loud, and it goes on up to about now.
    let loudest = 0;
    let newest = 0;
    for (let i = 0; i < 100 && loudest < 0.1; i++) {
      await sleep(50);
      const samples = source.sound?.read(source.nowMs(), 1000) ?? new Float32Array(0);
      newest = samples.length;
      loudest = Math.max(loudest, ...samples);
    }
    expect(loudest).toBeGreaterThan(0.1);
    expect(newest).toBeGreaterThan(1600);
  } finally {
    const { srcObject } = source.view as HTMLVideoElement;
    const tracks = (srcObject as MediaStream).getTracks();
    expect(tracks.length).toBe(1);
    source.close();
    source.close();
    expect(tracks.map((track) => track.readyState)).toEqual(['ended']);
    expect(await source.grabFrame()).toBeNull();
  }
});
