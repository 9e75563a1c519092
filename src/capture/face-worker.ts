// The face worker: detection, following one face, and its aligned crop, away from the page's main thread.
import { assert } from '../base/assert.ts';
import { toProblem } from '../base/errors.ts';
import { alignFace } from '../clip/face-alignment.ts';
import { openFaceFinder } from './face-detector.ts';
import type { FaceFinder } from './face-detector.ts';
import type { FaceObservation, FaceReply, FaceRequest } from './face-protocol.ts';
import { chooseFace, steadyPoints } from './face-tracker.ts';
import type { TrackedFace } from './face-tracker.ts';

/** Larger pictures are shrunk to this before their pixels are read: a crop needs no more. */
const longestSidePx = 960;

const scope = self as unknown as DedicatedWorkerGlobalScope;

let finder: FaceFinder | null = null;
let cropPx = 0;
let tracked: TrackedFace | null = null;
let canvas: OffscreenCanvas | null = null;

scope.addEventListener('message', (event: MessageEvent<FaceRequest>) => {
  const request = event.data;
  answer(request).then(
    (reply) => {
      const seen = reply.type === 'tracked' ? reply.observation : null;
      scope.postMessage(
        reply,
        seen ? [seen.crop.buffer, ...(seen.otherCrops ?? []).map(({ buffer }) => buffer)] : [],
      );
    },
    (error: unknown) => {
      const { kind, message } = toProblem(error);
      scope.postMessage({ type: 'failed', id: request.id, kind, message } satisfies FaceReply);
    },
  );
});

async function answer(request: FaceRequest): Promise<FaceReply> {
  const { id } = request;
  switch (request.type) {
    case 'open':
      assert(finder === null, 'the face worker is opened twice');
      finder = await openFaceFinder(request.assetsUrl, request.finder);
      cropPx = request.cropPx;
      return { type: 'opened', id };
    case 'track':
      try {
        return {
          type: 'tracked',
          id,
          observation: track(request.bitmap, request.timeMs, request.cropSizesPx),
        };
      } finally {
        request.bitmap.close();
      }
    case 'detect':
      try {
        return { type: 'detected', id, faces: opened().find(request.bitmap) };
      } finally {
        request.bitmap.close();
      }
  }
}

function opened(): FaceFinder {
  assert(finder !== null, 'the face worker is not open yet');
  return finder;
}

function track(
  bitmap: ImageBitmap,
  timeMs: number,
  [first = cropPx, ...others]: readonly number[] = [],
): FaceObservation | null {
  const face = chooseFace(tracked, opened().find(bitmap), timeMs);
  if (!face) return null;
  const points = steadyPoints(tracked, face.points, timeMs);
  tracked = { box: face.box, points, seenMs: timeMs };
  const { data, width, height } = readPixels(bitmap);
  const picture = { data, width, height, channels: 4 } as const;
  const crop = alignFace(picture, points, first);
  const otherCrops = others.map((sidePx) => alignFace(picture, points, sidePx));
  return { timeMs, box: face.box, points, score: face.score, crop, otherCrops };
}

function readPixels(bitmap: ImageBitmap): ImageData {
  const scale = Math.min(1, longestSidePx / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  if (canvas?.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  assert(context !== null, 'no 2d context in the face worker');
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}
