// Face points of training stills, found by the live path's own detector in a headless Chromium, so that training faces
// are aligned exactly as live ones.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { createServer } from 'vite';
import { withTimeout } from '../base/timeout.ts';
import type { FacePoints } from '../clip/face.ts';
import { chromiumArgs, requireChromium } from './chromium.ts';
import { staticFolders } from './static-folders.ts';

/** Stills of one size. */
export interface Stills {
  /** Interleaved pixels, 0..255; shape [count, height, width, channels]. */
  readonly data: Uint8Array;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** The page's side is capture/still-points.ts, loaded there by its URL; these are its terms. */
type FlatPoints = readonly [number, number, number, number, number, number];
interface StillBatch extends Omit<Stills, 'data'> {
  readonly base64: string;
}
interface StillFinder {
  find(batch: StillBatch): Promise<(FlatPoints | null)[]>;
}

/** One round trip to the page: about half a megabyte of 48 x 48 gray faces. */
const batchSize = 200;

/** Far more than a batch ever took (about 3 s). */
const batchLimitMs = 180_000;

/**
 * The face points of each still, in fractions of the still (they may lie a little outside it); null where the detector
 * saw no face. Tens of seconds for thousands of stills: keep the result.
 * @param onProgress how many are done
 * @throws when no Chromium is found, or the detector fails
 */
export async function findFacePoints(
  stills: Stills,
  onProgress?: (done: number, total: number) => void,
): Promise<(FacePoints | null)[]> {
  const executablePath = requireChromium();
  const { count, width, height, channels } = stills;
  const size = width * height * channels;
  if (stills.data.length !== count * size) {
    throw new Error(
      `internal: ${String(stills.data.length)} bytes for ${String(count)} stills of ${String(size)}`,
    );
  }
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const cacheDir = await mkdtemp(join(tmpdir(), 'face-points-'));
    closers.push(() => rm(cacheDir, { recursive: true, force: true }));
    const server = await createServer({
      root,
      configFile: false,
      plugins: [staticFolders()],
      cacheDir,
      logLevel: 'error',
      // Nothing is bundled in advance: the few modules that are needed are served as they are.
      optimizeDeps: { noDiscovery: true },
      server: { host: '127.0.0.1', port: 0, hmr: false, watch: null },
    });
    closers.push(() => server.close());
    await server.listen();
    const url = server.resolvedUrls?.local[0];
    if (url === undefined) throw new Error('internal: the server for aligning faces has no address');
    const browser = await chromium.launch({ executablePath, args: [...chromiumArgs] });
    closers.push(() => browser.close());
    const page = await browser.newPage();
    // A page of the server's origin that loads nothing by itself.
    await page.route('**/face-points-blank', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }),
    );
    await page.goto(`${url}face-points-blank`);
    const opening = page.evaluateHandle<StillFinder>(
      `import('/src/capture/still-points.ts').then((module) => module.openStillFinder('/vendor/mediapipe/'))`,
    );
    const finder = await withTimeout(opening, batchLimitMs, 'The face detector did not load: start again');
    const found: (FacePoints | null)[] = [];
    for (let start = 0; start < count; start += batchSize) {
      const batchCount = Math.min(batchSize, count - start);
      const bytes = stills.data.subarray(start * size, (start + batchCount) * size);
      const batch: StillBatch = {
        base64: Buffer.from(bytes).toString('base64'),
        count: batchCount,
        width,
        height,
        channels,
      };
      const asked = finder.evaluate((opened, sent) => opened.find(sent), batch);
      const points = await withTimeout(asked, batchLimitMs, 'The face detector stalled: start again');
      found.push(...points.map((flat) => flat && toFacePoints(flat)));
      onProgress?.(found.length, count);
    }
    return found;
  } finally {
    for (const close of closers.reverse()) await close().catch(() => undefined);
  }
}

function toFacePoints([rightX, rightY, leftX, leftY, mouthX, mouthY]: FlatPoints): FacePoints {
  return {
    rightEye: { x: rightX, y: rightY },
    leftEye: { x: leftX, y: leftY },
    mouth: { x: mouthX, y: mouthY },
  };
}
