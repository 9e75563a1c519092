// The real detector on the demo's drawn face.
import { expect, it } from 'vitest';
import { demoHeightPx, demoWidthPx, drawBackdrop, drawDemoFace } from '../demo/demo-face.ts';
import { expressionAt } from '../demo/demo-script.ts';
import { openFaceTracker } from './face-client.ts';

const blank = (): Promise<ImageBitmap> => createImageBitmap(new ImageData(320, 240));

const assetsUrl = '/vendor/mediapipe/';

function drawnFace(): OffscreenCanvas {
  const canvas = document.createElement('canvas');
  canvas.width = demoWidthPx;
  canvas.height = demoHeightPx;
  const pen = canvas.getContext('2d');
  if (!pen) throw new Error('no 2d context');
  drawDemoFace(pen, drawBackdrop(), expressionAt(0));
  const copy = new OffscreenCanvas(demoWidthPx, demoHeightPx);
  copy.getContext('2d')?.drawImage(canvas, 0, 0);
  return copy;
}

it('finds, follows and crops a face, and says when there is none', async () => {
  const tracker = await openFaceTracker({ assetsUrl, cropPx: 48 });
  try {
    const picture = drawnFace();
    const face = await tracker.track(await createImageBitmap(picture), 40);
    expect(face?.timeMs).toBe(40);
    expect(face?.score).toBeGreaterThan(0.6);
    expect(face?.crop.length).toBe(48 * 48 * 3);
    const { rightEye, leftEye, mouth } = face!.points;
    expect(rightEye.x).toBeLessThan(leftEye.x);
    expect(mouth.y).toBeGreaterThan(leftEye.y);
    expect(new Set(face!.crop).size).toBeGreaterThan(20);
    const twice = await tracker.track(await createImageBitmap(picture), 60, [32, 48]);
    expect(twice?.crop.length).toBe(32 * 32 * 3);
    expect(twice?.otherCrops?.map(({ length }) => length)).toEqual([48 * 48 * 3]);
    // The picture is the same, and so is the face in it.
    expect(twice?.otherCrops?.[0]).toEqual(face?.crop);
    expect((await tracker.detect(await createImageBitmap(picture))).length).toBe(1);
    expect(await tracker.track(await blank(), 80)).toBeNull();
  } finally {
    tracker.close();
  }
  await expect(tracker.track(await blank(), 0)).rejects.toMatchObject({
    kind: 'face-detector-failed',
  });
});

it('rejects waiting calls when it is closed', async () => {
  const tracker = await openFaceTracker({ assetsUrl, cropPx: 48 });
  const waiting = tracker.track(await createImageBitmap(drawnFace()), 0);
  tracker.close();
  await expect(waiting).rejects.toMatchObject({ kind: 'face-detector-failed' });
});

it('says which files are missing', async () => {
  await expect(openFaceTracker({ assetsUrl: '/nowhere/', cropPx: 48 })).rejects.toMatchObject({
    kind: 'face-detector-failed',
    message: expect.stringContaining('/nowhere/') as string,
  });
});
