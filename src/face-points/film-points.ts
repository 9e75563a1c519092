// Face points of pictures that the trainer decoded: by the live path's own detector, and followed through a film as the
// live path follows them, so that training faces are aligned exactly as live ones. Loaded by a headless page.
import { Problem } from '../base/errors.ts';
import { openFaceTracker } from '../capture/face-client.ts';
import type { FaceTracker } from '../capture/face-client.ts';
import type { DetectedFace } from '../capture/face-protocol.ts';
import { chooseFace, steadyPoints } from '../capture/face-tracker.ts';
import type { TrackedFace } from '../capture/face-tracker.ts';
import { flatten, openStillFinder, stillAsImage } from './still-points.ts';
import type { Picture, StillFinder } from './still-points.ts';
import type { FlatPoints, PictureFinder } from './protocol.ts';

/** Single pictures up to this side are taken for faces cut out already, which the still finder is for. */
const cutOutPx = 128;

/**
 * A finder that follows one film at a time; several work side by side. Detectors are loaded when they are first needed.
 * @param assetsUrl folder with MediaPipe's wasm and the face models, ending in a slash
 */
export function openPictureFinder(assetsUrl: string): PictureFinder {
  let films: FaceTracker | undefined;
  let stills: StillFinder | undefined;
  let tracked: TrackedFace | null = null;
  let lastMs = Infinity;

  const detect = async (picture: Picture): Promise<readonly DetectedFace[]> => {
    films ??= await openFaceTracker({ assetsUrl, cropPx: 1 });
    return films.detect(await createImageBitmap(stillAsImage(picture)));
  };
  const inFilm = async (picture: Picture, timeMs: number): Promise<FlatPoints | null> => {
    if (timeMs <= lastMs) tracked = null;
    lastMs = timeMs;
    const face = chooseFace(tracked, await detect(picture), timeMs);
    if (face === null) return null;
    const points = steadyPoints(tracked, face.points, timeMs);
    tracked = { box: face.box, points, seenMs: timeMs };
    return flatten(points);
  };
  const single = async (picture: Picture): Promise<FlatPoints | null> => {
    if (Math.max(picture.width, picture.height) > cutOutPx) {
      const face = chooseFace(null, await detect(picture), 0);
      if (face !== null) return flatten(face.points);
    }
    // A face that fills its picture has no room around it, which the detector expects: the still finder gives it some.
    stills ??= await openStillFinder(assetsUrl);
    return stills.find(picture);
  };
  return {
    async find({ url, count, width, height, channels, timesMs }) {
      const response = await fetch(url);
      if (!response.ok)
        throw new Problem('internal', `internal: pictures answered ${String(response.status)}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      const size = width * height * channels;
      if (bytes.length !== count * size) {
        throw new Problem(
          'internal',
          `internal: ${String(bytes.length)} bytes for ${String(count)} pictures`,
        );
      }
      const found: (FlatPoints | null)[] = [];
      for (let i = 0; i < count; i++) {
        const picture = { data: bytes.subarray(i * size, (i + 1) * size), width, height, channels };
        const timeMs = timesMs?.[i];
        found.push(timeMs === undefined ? await single(picture) : await inFilm(picture, timeMs));
      }
      return found;
    },
    close() {
      films?.close();
      stills?.close();
    },
  };
}
