// The demo source in a real browser: the detector that the live path uses must see its face in every phase.
import { afterEach, describe, expect, it } from 'vitest';
import { openDemo } from './demo.ts';
import { demoHeightPx, demoWidthPx, drawBackdrop, drawDemoFace } from './demo-face.ts';
import { demoFeelings, expressionAt, phaseMs } from './demo-script.ts';
import { openFaceTracker } from '../capture/face-client.ts';
import type { FaceTracker } from '../capture/face-client.ts';
import type { Source } from '../capture/source.ts';

/**
 * The detector wants 0.6. Its score moves by 0.05 with a few pixels of position, for any face: the drawn one reads
 * 0.72 at worst and 0.87 in the mean.
 */
const leastScore = 0.65;
const leastMeanScore = 0.82;

let opened: (Source | FaceTracker)[] = [];
afterEach(() => {
  for (const thing of opened) thing.close();
  opened = [];
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function nextFrame(source: Source): Promise<{ bitmap: ImageBitmap; timeMs: number }> {
  for (;;) {
    const frame = await source.grabFrame();
    if (frame !== null) return frame;
    await sleep(5);
  }
}

function pixels(bitmap: ImageBitmap): Uint8ClampedArray {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext('2d');
  if (pen === null) throw new Error('no 2-D context');
  pen.drawImage(bitmap, 0, 0);
  return pen.getImageData(0, 0, bitmap.width, bitmap.height).data;
}

/** Vitest's own comparison of a million numbers takes seconds. */
const same = (a: Uint8ClampedArray, b: Uint8ClampedArray): boolean => a.every((value, i) => value === b[i]);

describe('demo face', () => {
  it('is the one face that the detector finds, surely and in its place, all through the script', async () => {
    const tracker = await openFaceTracker({ assetsUrl: '/vendor/mediapipe/', cropPx: 96 });
    opened.push(tracker);
    const canvas = new OffscreenCanvas(demoWidthPx, demoHeightPx);
    const pen = canvas.getContext('2d', { alpha: false });
    if (pen === null) throw new Error('no 2-D context');
    const backdrop = drawBackdrop();
    const scores: number[] = [];
    for (let timeMs = 0; timeMs < phaseMs * demoFeelings.length; timeMs += 470) {
      drawDemoFace(pen, backdrop, expressionAt(timeMs));
      const faces = await tracker.detect(await createImageBitmap(canvas));
      expect(faces.length, `faces at ${String(timeMs)} ms`).toBe(1);
      const [face] = faces;
      if (!face) continue;
      scores.push(face.score);
      expect(face.score, `score at ${String(timeMs)} ms`).toBeGreaterThan(leastScore);
      const { rightEye, leftEye, mouth } = face.points;
      const eyesPx = (leftEye.x - rightEye.x) * demoWidthPx;
      expect(eyesPx, `eye distance at ${String(timeMs)} ms`).toBeGreaterThan(75);
      expect(eyesPx).toBeLessThan(125);
      const mouthPx = (mouth.y - (leftEye.y + rightEye.y) / 2) * demoHeightPx;
      expect(mouthPx, `eyes to mouth at ${String(timeMs)} ms`).toBeGreaterThan(75);
      expect(mouthPx).toBeLessThan(150);
    }
    expect(scores.reduce((sum, score) => sum + score, 0) / scores.length).toBeGreaterThan(leastMeanScore);
  });
});

describe('demo source', () => {
  it('starts its clock at zero and hands out new pictures of moving time, at most every 60 ms', async () => {
    const source = await openDemo();
    opened.push(source);
    expect(source.kind).toBe('demo');
    expect(source.nowMs()).toBeLessThan(5000);
    expect(source.soundProblem).toBeNull();
    const first = await nextFrame(source);
    expect([first.bitmap.width, first.bitmap.height]).toEqual([demoWidthPx, demoHeightPx]);
    expect(await source.grabFrame()).toBeNull();
    let last = first;
    for (let i = 0; i < 5; i++) {
      const frame = await nextFrame(source);
      expect(frame.timeMs - last.timeMs).toBeGreaterThanOrEqual(60);
      expect(frame.timeMs).toBeLessThanOrEqual(source.nowMs());
      expect(same(pixels(frame.bitmap), pixels(last.bitmap))).toBe(false);
      last.bitmap.close();
      last = frame;
    }
    last.bitmap.close();
  });

  it('has as much sound as its clock has run', async () => {
    const source = await openDemo();
    opened.push(source);
    await sleep(100);
    const nowMs = source.nowMs();
    expect(source.sound?.read(nowMs, 10_000).length).toBe(Math.round(nowMs * 16));
  });

  it('hands out nothing and draws no more once closed', async () => {
    const source = await openDemo();
    const frame = await nextFrame(source);
    frame.bitmap.close();
    source.close();
    source.close();
    const view = source.view as HTMLCanvasElement;
    const before = pixels(await createImageBitmap(view));
    await sleep(300);
    expect(await source.grabFrame()).toBeNull();
    expect(same(pixels(await createImageBitmap(view)), before)).toBe(true);
  });
});
