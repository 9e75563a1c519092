// Image files and pixels in memory as frames.
import sharp from 'sharp';
import { Problem } from '../../../base/errors.ts';
import type { Decoder } from './decode.ts';
import type { Frame } from './crop.ts';

/** Larger pictures are shrunk to this longest side, as the live path does before it crops. */
const longestSidePx = 960;

export function shared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/**
 * An image as RGB, upright (its camera's orientation applied), transparency dropped.
 * @param decoder for kinds that sharp does not know (bmp and many old ones)
 * @throws Problem when it cannot be read
 */
export async function readImage(path: string, decoder: Decoder): Promise<Frame> {
  try {
    const { data, info } = await sharp(path, { failOn: 'error' })
      .rotate()
      .removeAlpha()
      .toColorspace('srgb')
      .resize({ width: longestSidePx, height: longestSidePx, fit: 'inside', withoutEnlargement: true })
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3 && info.channels !== 1)
      throw new Error(`it has ${String(info.channels)} channels`);
    return { data: shared(data), width: info.width, height: info.height, channels: info.channels };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (!why.includes('unsupported image format')) {
      throw new Problem('unsupported-file', `${path} cannot be decoded: ${why}`, { cause: error });
    }
  }
  const frames: Frame[] = [];
  const reply = await decoder.frames({ path, fps: 'source', maxSeconds: 1 }, ({ data, width, height }) => {
    if (frames.length === 0)
      frames.push({ data: shared(data.subarray(0, width * height * 3)), width, height, channels: 3 });
    return Promise.resolve();
  });
  const [first] = frames;
  if (reply.kind !== 'frames' || first === undefined) {
    throw new Problem('unsupported-file', `${path} cannot be decoded: it is not an image`);
  }
  return first;
}

/**
 * Which of `count` frames at one rate stand for the same film at another: the frame shown at each new one's time.
 * @returns frame numbers
 */
export function resampled(count: number, fromHz: number, toHz: number | 'source'): number[] {
  const same = toHz === 'source' || !(fromHz > 0) || fromHz === toHz || count === 1;
  const wanted = same ? count : Math.max(1, Math.round((count * toHz) / fromHz));
  return Array.from({ length: wanted }, (_, i) =>
    same ? i : Math.min(count - 1, Math.floor((i * fromHz) / toHz + 1e-6)),
  );
}
