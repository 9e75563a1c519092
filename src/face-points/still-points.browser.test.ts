// The demo's drawn face, shrunk to a training face of 48 x 48 gray pixels, and stills without a face.
import { expect, it } from 'vitest';
import { demoHeightPx, demoWidthPx, drawBackdrop, drawDemoFace } from '../demo/demo-face.ts';
import { expressionAt } from '../demo/demo-script.ts';
import { openFaceTracker } from '../capture/face-client.ts';
import { openStillFinder } from './still-points.ts';

const assetsUrl = '/vendor/mediapipe/';
const side = 48;

function drawnPicture(): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = demoWidthPx;
  canvas.height = demoHeightPx;
  const pen = canvas.getContext('2d');
  if (!pen) throw new Error('no 2d context');
  drawDemoFace(pen, drawBackdrop(), expressionAt(0));
  return canvas;
}

it('finds the points of small gray faces, and nothing where there is none', async () => {
  const picture = drawnPicture();
  const tracker = await openFaceTracker({ assetsUrl, cropPx: 1 });
  const face = await tracker.track(await createImageBitmap(picture), 0);
  tracker.close();
  const { rightEye, leftEye, mouth } = face!.points;
  // The square around the face as training faces are cut: eyes and mouth about where FER2013 has them.
  const eyesPx = (leftEye.x - rightEye.x) * demoWidthPx;
  const squarePx = eyesPx / 0.38;
  const x0 = rightEye.x * demoWidthPx - 0.31 * squarePx;
  const y0 = rightEye.y * demoHeightPx - 0.375 * squarePx;
  const small = new OffscreenCanvas(side, side).getContext('2d');
  small?.drawImage(picture, x0, y0, squarePx, squarePx, 0, 0, side, side);
  const rgba = small!.getImageData(0, 0, side, side).data;
  const gray = Uint8Array.from({ length: side * side }, (_, i) => rgba[4 * i + 1] ?? 0);

  const finder = await openStillFinder(assetsUrl);
  try {
    const blank = new Uint8Array(side * side).fill(128);
    const asStill = (data: Uint8Array) => ({ data, width: side, height: side, channels: 1 as const });
    expect(await finder.find(asStill(blank))).toBeNull();
    const found = await finder.find(asStill(gray));
    expect(await finder.find(asStill(blank))).toBeNull();
    const wanted = [
      0.31,
      0.375,
      0.69,
      (leftEye.y * demoHeightPx - y0) / squarePx,
      (mouth.x * demoWidthPx - x0) / squarePx,
      (mouth.y * demoHeightPx - y0) / squarePx,
    ];
    for (const [i, value] of wanted.entries())
      expect(Math.abs((found?.[i] ?? NaN) - value)).toBeLessThan(0.06);
  } finally {
    finder.close();
  }
});
