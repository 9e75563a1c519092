// The demo source: a drawn, talking person, for whoever has no camera or would rather not switch it on.
import { defined } from '../base/assert.ts';
import { demoHeightPx, demoWidthPx, drawBackdrop, drawDemoFace } from './demo-face.ts';
import { expressionAt } from './demo-script.ts';
import { createDemoVoice } from './demo-voice.ts';
import type { Source } from '../capture/source.ts';

/** Pictures are drawn for the eye at most this often, and handed out about half as often. */
const drawIntervalMs = 33;
const grabIntervalMs = 60;

/** A source that needs no device and no permission; it goes on for ever, repeating itself after 35 s. */
export function openDemo(): Promise<Source> {
  const canvas = document.createElement('canvas');
  canvas.width = demoWidthPx;
  canvas.height = demoHeightPx;
  // Read back for every crop: drawing on the CPU (a few milliseconds) is cheaper than fetching it from the GPU.
  const pen = defined(
    canvas.getContext('2d', { alpha: false, willReadFrequently: true }),
    "the demo's 2-D context",
  );
  const backdrop = drawBackdrop();
  const startMs = performance.now();
  const nowMs = (): number => performance.now() - startMs;
  let drawnMs = -Infinity;
  let grabbedMs = -Infinity;
  let closed = false;
  let animation = 0;

  const draw = (): void => {
    drawnMs = nowMs();
    drawDemoFace(pen, backdrop, expressionAt(drawnMs));
  };
  // A little slack, so that a 60 Hz display draws every second frame.
  const animate = (): void => {
    if (nowMs() - drawnMs > drawIntervalMs - 4) draw();
    animation = requestAnimationFrame(animate);
  };
  draw();
  animation = requestAnimationFrame(animate);

  return Promise.resolve({
    kind: 'demo',
    view: canvas,
    sound: createDemoVoice(),
    soundProblem: null,
    nowMs,
    async grabFrame() {
      if (closed) return null;
      // A hidden page gets no animation frames: draw on demand.
      if (nowMs() - drawnMs > 2 * drawIntervalMs) draw();
      if (drawnMs - grabbedMs < grabIntervalMs) return null;
      grabbedMs = drawnMs;
      const timeMs = drawnMs;
      return { bitmap: await createImageBitmap(canvas), timeMs };
    },
    ended: new Promise(() => undefined),
    durationMs: null,
    step: null,
    close() {
      closed = true;
      cancelAnimationFrame(animation);
    },
  });
}
