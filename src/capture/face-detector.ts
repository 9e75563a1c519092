// MediaPipe's face detector behind our own terms; the only file that knows MediaPipe. Runs in a module worker.
import { FaceDetector, FilesetResolver } from '@mediapipe/tasks-vision';
import type { Detection } from '@mediapipe/tasks-vision';
import { Problem } from '../base/errors.ts';
import type { DetectedFace, FinderOptions } from './face-protocol.ts';

/** For cameras and films: better eye points on small faces. Noise scored up to 0.51 with it, real and drawn faces 0.9. */
const liveFinder: FinderOptions = { range: 'full', minScore: 0.6 };

/** MediaPipe's order of key points; right and left are the person's. */
const keypoint = { rightEye: 0, leftEye: 1, mouth: 3 } as const;

export interface FaceFinder {
  /** The picture's faces, surest first. */
  find(picture: ImageBitmap): readonly DetectedFace[];
}

/**
 * MediaPipe's detector on the CPU; it ends with its worker.
 * @param assetsUrl folder with `vision_wasm_module_internal.*` and the face models, ending in a slash
 * @throws Problem `face-detector-failed` when a file is missing or WebAssembly or WebGL is not to be had
 */
export async function openFaceFinder(
  assetsUrl: string,
  { range, minScore }: FinderOptions = liveFinder,
): Promise<FaceFinder> {
  const modelUrl = `${assetsUrl}face_detection_${range}_range.tflite`;
  quietChatter();
  try {
    const response = await fetch(modelUrl);
    if (!response.ok) throw new Error(`${modelUrl} answered ${String(response.status)}`);
    const modelAssetBuffer = new Uint8Array(await response.arrayBuffer());
    const files = await FilesetResolver.forVisionTasks(assetsUrl.replace(/\/$/, ''), true);
    const detector = await FaceDetector.createFromOptions(files, {
      baseOptions: { modelAssetBuffer, delegate: 'CPU' },
      runningMode: 'IMAGE',
      minDetectionConfidence: minScore,
    });
    return {
      find: (picture) =>
        detector
          .detect(picture)
          .detections.map((detection) => toFace(detection, picture.width, picture.height))
          .filter((face) => face !== null)
          .sort((a, b) => b.score - a.score),
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Problem(
      'face-detector-failed',
      `The face detector could not be loaded from ${assetsUrl} (${reason}). Reload the page; if that does not help, use a current browser.`,
      { cause: error },
    );
  }
}

/** MediaPipe tells of its start by lines such as "INFO: Created ..." or "W1122 12:44:56.940999 ..." */
const chatter = /^(INFO: |[IW]\d{4} |Graph (successfully|finished))/;

/** Keeps that chatter, some of it sent as errors, out of the page's console; all else goes through. */
function quietChatter(): void {
  for (const level of ['log', 'info', 'warn', 'error'] as const) {
    const write = console[level].bind(console);
    console[level] = (...values: unknown[]): void => {
      if (!(typeof values[0] === 'string' && chatter.test(values[0]))) write(...values);
    };
  }
}

function toFace(detection: Detection, widthPx: number, heightPx: number): DetectedFace | null {
  const { boundingBox, keypoints, categories } = detection;
  const rightEye = keypoints[keypoint.rightEye];
  const leftEye = keypoints[keypoint.leftEye];
  const mouth = keypoints[keypoint.mouth];
  if (!boundingBox || !rightEye || !leftEye || !mouth) return null;
  const x0 = clamp01(boundingBox.originX / widthPx);
  const y0 = clamp01(boundingBox.originY / heightPx);
  const x1 = clamp01((boundingBox.originX + boundingBox.width) / widthPx);
  const y1 = clamp01((boundingBox.originY + boundingBox.height) / heightPx);
  const point = ({ x, y }: { x: number; y: number }) => ({ x, y });
  return {
    box: { x: x0, y: y0, width: x1 - x0, height: y1 - y0 },
    points: { rightEye: point(rightEye), leftEye: point(leftEye), mouth: point(mouth) },
    score: categories[0]?.score ?? 0,
  };
}

function clamp01(value: number): number {
  return Math.min(1, Math.max(0, value));
}
