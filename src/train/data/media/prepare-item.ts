// One sample of a corpus from its media: frames, faces found and cut out, sound.
import { Problem } from '../../../base/errors.ts';
import { canonicalPoints } from '../../../clip/face-alignment.ts';
import type { CorpusItem, PictureSource } from '../corpora/corpus.ts';
import type { FaceLane } from '../../../face-points/face-points.ts';
import type { EncodedSample } from '../shards/write.ts';
import type { Cropper, Frame } from './crop.ts';
import type { Decoder, FramesDecoded } from './decode.ts';
import { readImage, resampled, shared } from './images.ts';
import { createPlacer } from './placing.ts';

/** How samples are wanted. */
export interface ItemWish {
  /** The corpus' name. */
  readonly corpus: string;
  readonly cropPx: number;
  readonly fps: number | 'source';
  /** What the crops are packed as. */
  readonly frames: 'jpg' | 'png';
  /** `as-is`: pictures are canonical crops already and are only resized. */
  readonly align: 'detect' | 'as-is';
  /** When no face is found: the sample is left out; or its sound is kept, and a still as it is. */
  readonly faceless: 'drop' | 'keep';
  readonly only: 'both' | 'face' | 'voice';
  readonly maxSeconds: number;
  /** Time between two looks for the face in a film; 0: at every frame. */
  readonly lookMs: number;
}

/** What works on one sample at a time. */
export interface ItemTools {
  readonly decoder: Decoder;
  /** Null when none is needed: no pictures, or all of them as they are. */
  readonly lane: FaceLane | null;
  readonly cropper: Cropper;
}

/** A sample with remarks on it, or why there is none. */
export type PreparedItem =
  { readonly sample: EncodedSample; readonly notes: readonly string[] } | { readonly why: string };

/** Memory for frames that wait for a face. */
const waitingBytes = 512_000_000;
/** Images of a folder that go to the detector together. */
const imageBatch = 16;

interface Crops {
  readonly files: Uint8Array[];
  readonly foundCount: number;
  readonly frameRateHz: number;
}

/** Frames of one size on their way to the detector. */
interface FrameBatch extends Frame {
  /** Shape [count, height, width, channels]. */
  readonly data: Uint8Array<SharedArrayBuffer>;
  readonly count: number;
}

/** @throws Problem of another kind than `unsupported-file` and `timeout` when not the sample but a tool is at fault */
export async function prepareItem(item: CorpusItem, wish: ItemWish, tools: ItemTools): Promise<PreparedItem> {
  const notes: string[] = [];
  try {
    const pictures = wish.only === 'voice' ? null : item.pictures;
    const crops = pictures && (await cropPictures(pictures, wish, tools, notes));
    const sound = item.sound && wish.only !== 'face' ? await readSound(item.sound, wish, tools, notes) : null;
    const seen = crops !== null && crops.files.length > 0 ? crops : null;
    if (crops !== null && seen === null) {
      const why = 'no face was found in it';
      if (wish.faceless === 'drop' || sound === null) return { why };
      notes.push(`${why}: its sound alone is taken`);
    }
    if (seen === null && sound === null) {
      return { why: notes.length > 0 ? notes.join(', ') : `has no ${wish.only}` };
    }
    const { key, source, label, votes, dimensions, identity, fold, split, groups } = item;
    const frames = seen?.files ?? [];
    const meta = {
      ...{ key, corpus: wish.corpus, source, label, votes, dimensions, identity, fold, split, groups },
      frameCount: frames.length,
      frameRateHz: frames.length > 1 ? (seen?.frameRateHz ?? 0) : 0,
      cropPx: frames.length > 0 ? wish.cropPx : 0,
      foundCount: seen?.foundCount ?? 0,
      sampleCount: sound?.length ?? 0,
    };
    return { sample: { meta, frames, frameFormat: wish.frames, sound }, notes };
  } catch (error) {
    if (error instanceof Problem && (error.kind === 'unsupported-file' || error.kind === 'timeout')) {
      return { why: error.message };
    }
    throw error;
  }
}

function lacks(what: string, damage: string | null): string {
  return `has no ${what}${damage === null ? '' : ` (${damage})`}`;
}

async function readSound(
  source: NonNullable<CorpusItem['sound']>,
  { maxSeconds }: ItemWish,
  { decoder }: ItemTools,
  notes: string[],
): Promise<Float32Array | null> {
  const reply = await decoder.sound({ ...source, maxSeconds });
  if (reply.kind === 'none') {
    notes.push(lacks('sound', reply.damage));
    return null;
  }
  if (reply.damage !== null) notes.push(`its sound is damaged: ${reply.damage}`);
  return reply.samples;
}

/** null when the file has no pictures at all; no files when no face was found. */
async function cropPictures(
  source: PictureSource,
  wish: ItemWish,
  { decoder, lane, cropper }: ItemTools,
  notes: string[],
): Promise<Crops | null> {
  const files: Uint8Array[] = [];
  let first: Frame | undefined;
  let frameBytes = 1;
  let taken = 0;
  let nextLookMs = 0;
  let placer = createPlacer<Frame>(Infinity);
  let cropping: Promise<void> = Promise.resolve();
  const stepMs = 1000 / (wish.fps === 'source' ? 25 : wish.fps);
  const isStill =
    source.kind === 'video' ? false : (source.kind === 'images' ? source.paths.length : source.count) === 1;

  const crop = async (placed: readonly { frame: Frame; points: typeof canonicalPoints }[]): Promise<void> => {
    if (placed.length === 0) return;
    const frames = placed.map(({ frame, points }) => ({ ...frame, points }));
    files.push(...(await cropper.call({ frames, cropPx: wish.cropPx, format: wish.frames })));
  };
  const take = async (batch: FrameBatch): Promise<void> => {
    const { count, width, height, channels } = batch;
    const size = width * height * channels;
    const frames = Array.from({ length: count }, (_, i) => ({
      data: batch.data.subarray(i * size, (i + 1) * size),
      ...{ width, height, channels },
    }));
    if (first === undefined) {
      first = frames[0];
      frameBytes = size;
      placer = createPlacer(Math.ceil(waitingBytes / frameBytes));
    }
    const times = frames.map((_, i) => (taken + i) * stepMs);
    taken += count;
    const points = wish.align === 'as-is' ? frames.map(() => canonicalPoints) : await look(batch, times);
    const placed = frames.flatMap((frame, i) => placer.add(frame, points[i] ?? null));
    // The next frames are decoded and looked at while these are cut out.
    await cropping;
    cropping = crop(placed);
    cropping.catch(() => undefined);
  };
  const look = async (batch: FrameBatch, times: readonly number[]) => {
    const { width, height, channels } = batch;
    const size = width * height * channels;
    const chosen = times.flatMap((timeMs, i) => {
      if (timeMs < nextLookMs - 1e-6) return [];
      nextLookMs += Math.max(wish.lookMs, stepMs);
      return [i];
    });
    const all = chosen.length === batch.count;
    const data = all
      ? batch.data
      : Buffer.concat(chosen.map((i) => batch.data.subarray(i * size, (i + 1) * size)));
    if (lane === null) throw new Problem('internal', 'internal: no face finder was opened');
    const found =
      chosen.length === 0
        ? []
        : await lane.find(
            { data, count: chosen.length, width, height, channels },
            isStill ? null : chosen.map((i) => times[i] ?? 0),
          );
    const points = times.map(() => null as (typeof found)[number]);
    chosen.forEach((i, n) => (points[i] = found[n] ?? null));
    return points;
  };

  let frameRateHz: number;
  try {
    frameRateHz = await readPictures(source, wish, decoder, take, notes);
    await cropping;
  } finally {
    // Also after a failure: the thread is wanted for the next sample.
    await cropping.catch(() => undefined);
  }
  if (first === undefined) return null;
  if (placer.foundCount === 0 && isStill && wish.faceless === 'keep') {
    notes.push('no face was found in it: the still is taken as it is');
    await crop([{ frame: first, points: canonicalPoints }]);
  } else await crop(placer.end());
  return { files, foundCount: placer.foundCount, frameRateHz };
}

/** Hands the frames on, in batches of one size. @returns frames a second */
async function readPictures(
  source: PictureSource,
  { fps, maxSeconds }: ItemWish,
  decoder: Decoder,
  take: (batch: FrameBatch) => Promise<void>,
  notes: string[],
): Promise<number> {
  if (source.kind === 'video') {
    const { path, startMs, endMs, region } = source;
    const reply = await decoder.frames({ path, startMs, endMs, region, fps, maxSeconds }, (chunk) =>
      take({ ...chunk, data: shared(chunk.data), channels: 3 }),
    );
    if (reply.kind === 'none') {
      notes.push(lacks('pictures', reply.damage));
      return 0;
    }
    if (reply.damage !== null) notes.push(`its pictures are damaged: ${reply.damage}`);
    if (wasCut(reply, source, maxSeconds)) notes.push(`cut at ${String(maxSeconds)} s`);
    return reply.frameRateHz;
  }
  const count = source.kind === 'images' ? source.paths.length : source.count;
  const wanted = resampled(count, source.frameRateHz, fps);
  const rateHz = wanted.length === count || fps === 'source' ? source.frameRateHz : fps;
  const most = rateHz > 0 ? Math.max(1, Math.floor(maxSeconds * rateHz)) : wanted.length;
  if (most < wanted.length) notes.push(`cut at ${String(maxSeconds)} s`);
  const numbers = wanted.slice(0, most);
  if (source.kind === 'pixels') {
    const { width, height, channels } = source;
    const size = width * height * channels;
    for (let at = 0; at < numbers.length; at += imageBatch) {
      const part = numbers.slice(at, at + imageBatch);
      const data = Buffer.concat(part.map((i) => source.data.subarray(i * size, (i + 1) * size)));
      await take({ data: shared(data), count: part.length, width, height, channels });
    }
    return rateHz;
  }
  let batch: Frame[] = [];
  const flush = async (): Promise<void> => {
    const [head] = batch;
    if (head === undefined) return;
    const data = shared(Buffer.concat(batch.map((frame) => frame.data)));
    await take({ ...head, data, count: batch.length });
    batch = [];
  };
  for (const number of numbers) {
    const frame = await readImage(source.paths[number] ?? '', decoder);
    const [head] = batch;
    const same =
      head?.width === frame.width && head.height === frame.height && head.channels === frame.channels;
    if ((head !== undefined && !same) || batch.length >= imageBatch) await flush();
    batch.push(frame);
  }
  await flush();
  return rateHz;
}

function wasCut(
  reply: FramesDecoded,
  { startMs = 0, endMs }: { readonly startMs?: number; readonly endMs?: number },
  maxSeconds: number,
): boolean {
  const end = Math.min(endMs ?? Infinity, reply.durationMs ?? Infinity);
  return Number.isFinite(end) && end - startMs > maxSeconds * 1000 + 40;
}
