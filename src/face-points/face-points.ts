// Face points of training pictures, found by the live path's own detector in a headless Chromium, so that training faces
// are aligned exactly as live ones. The page is the built one: nothing of a development server is needed.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium } from 'playwright';
import { Problem } from '../base/errors.ts';
import { withTimeout } from '../base/timeout.ts';
import type { FacePoints } from '../clip/face.ts';
import { chromiumArgs, requireChromium } from '../site/chromium.ts';
import { buildIfNeeded, servePage } from '../site/page-server.ts';
import type { FlatPoints, PictureFinder } from './protocol.ts';

/** Pictures of one size. */
export interface Pictures {
  /** Interleaved pixels, 0..255; shape [count, height, width, channels]. */
  readonly data: Uint8Array;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** A detector that follows one film at a time. */
export interface FaceLane {
  /**
   * The face points of each picture, in fractions of it (they may lie a little outside); null where no face was seen.
   * @param timesMs when the pictures follow each other in a film: their times in it, milliseconds. A film goes on from
   *   call to call; it is another one when time does not rise. Null: single pictures.
   * @throws Problem when the detector fails
   */
  find(pictures: Pictures, timesMs: readonly number[] | null): Promise<(FacePoints | null)[]>;
}

export interface FaceFinder {
  /** As many as were asked for; they work side by side. */
  readonly lanes: readonly FaceLane[];
  close(): Promise<void>;
}

/** Far more than a batch ever took (about 3 s). */
const batchLimitMs = 180_000;

/**
 * Opens the built page's face detector, in one headless Chromium.
 * @param count how many lanes
 * @throws Problem when no Chromium is found, or the detector does not load
 */
export async function openFaceFinder(count: number): Promise<FaceFinder> {
  const executablePath = requireChromium();
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each().catch(() => undefined);
  };
  try {
    await buildIfNeeded();
    const server = await servePage(0);
    closers.push(() => server.close());
    const pixels = await servePixels(server.url);
    closers.push(() => pixels.close());
    // An interrupted run ends in its own order, and closes the browser itself.
    const browser = await chromium.launch({
      executablePath,
      args: [...chromiumArgs],
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    });
    closers.push(() => browser.close());
    const page = await browser.newPage();
    await page.goto(pixels.url);
    const lanes: FaceLane[] = [];
    for (let i = 0; i < count; i++) {
      const opening = page.evaluateHandle<PictureFinder>(
        `import('/face-points.js').then((module) => module.openPictureFinder('/vendor/mediapipe/'))`,
      );
      const finder = await withTimeout(opening, batchLimitMs, 'The face detector did not load: start again');
      lanes.push({
        async find({ data, ...sizes }, timesMs) {
          const { url, forget } = pixels.offer(data);
          try {
            const asked = finder.evaluate((opened, sent) => opened.find(sent), { url, timesMs, ...sizes });
            const points = await withTimeout(asked, batchLimitMs, 'The face detector stalled: start again');
            return points.map((flat) => flat && toFacePoints(flat));
          } catch (error) {
            throw inPlainWords(error);
          } finally {
            forget();
          }
        },
      });
    }
    return { lanes, close };
  } catch (error) {
    await close();
    throw inPlainWords(error);
  }
}

/** What the page threw, without the name of the call that brought it here and the page's stack. */
function inPlainWords(error: unknown): Error {
  if (error instanceof Problem) return error;
  const [message = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return new Problem('face-detector-failed', message.replace(/^\w+\.evaluate(Handle)?: (\w*: )?/, ''), {
    cause: error,
  });
}

interface PixelServer {
  /** Ends in a slash. */
  readonly url: string;
  /** @returns an address that only this program's page knows; there until it is forgotten */
  offer(data: Uint8Array): { readonly url: string; readonly forget: () => void };
  close(): Promise<void>;
}

/**
 * A server of one origin: an empty page at `/`, pixels as they are (many times faster than as text through the browser's
 * remote control), and all else from the built page's server. A page may not fetch from another server of this machine.
 */
async function servePixels(pageUrl: string): Promise<PixelServer> {
  const offered = new Map<string, Uint8Array>();
  const answer = async (path: string): Promise<{ status: number; type: string; body: Uint8Array }> => {
    if (path === '/') return { status: 200, type: 'text/html', body: Buffer.from('<!doctype html>') };
    const pixels = offered.get(path);
    if (pixels) return { status: 200, type: 'application/octet-stream', body: pixels };
    const file = await fetch(new URL(path.slice(1), pageUrl));
    const body = new Uint8Array(await file.arrayBuffer());
    return { status: file.status, type: file.headers.get('content-type') ?? '', body };
  };
  const server = createServer((request, response) => {
    answer(request.url ?? '/').then(
      ({ status, type, body }) => {
        response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length });
        response.end(body);
      },
      () => {
        response.writeHead(502);
        response.end();
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/`,
    offer(data) {
      const path = `/${randomUUID()}`;
      offered.set(path, data);
      return { url: path, forget: () => offered.delete(path) };
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** One round trip to the page: about half a megabyte of 48 x 48 gray faces. */
const stillBatch = 200;

/**
 * The face points of each still; otherwise like FaceLane.find. Tens of seconds for thousands of stills: keep the result.
 * @param onProgress how many are done
 * @throws Problem when no Chromium is found, or the detector fails
 */
export async function findFacePoints(
  stills: Pictures,
  onProgress?: (done: number, total: number) => void,
): Promise<(FacePoints | null)[]> {
  const { count, width, height, channels } = stills;
  const size = width * height * channels;
  if (stills.data.length !== count * size) {
    throw new Problem(
      'internal',
      `internal: ${String(stills.data.length)} bytes for ${String(count)} stills of ${String(size)}`,
    );
  }
  const finder = await openFaceFinder(1);
  try {
    const found: (FacePoints | null)[] = [];
    for (let start = 0; start < count; start += stillBatch) {
      const batchCount = Math.min(stillBatch, count - start);
      const data = stills.data.subarray(start * size, (start + batchCount) * size);
      const batch = { data, count: batchCount, width, height, channels };
      found.push(...((await finder.lanes[0]?.find(batch, null)) ?? []));
      onProgress?.(found.length, count);
    }
    return found;
  } finally {
    await finder.close();
  }
}

function toFacePoints([rightX, rightY, leftX, leftY, mouthX, mouthY]: FlatPoints): FacePoints {
  return {
    rightEye: { x: rightX, y: rightY },
    leftEye: { x: leftX, y: leftY },
    mouth: { x: mouthX, y: mouthY },
  };
}
