// Any media file to frames and 16 kHz sound, decoded in threads that are given up when they hang.
import { Problem } from '../../../base/errors.ts';
import { withTimeout } from '../../../base/timeout.ts';
import { startThread } from '../../base/threads.ts';
import type { Thread } from '../../base/threads.ts';
import { compileFfmpeg } from './ffmpeg.ts';
import { createRing, readRing } from './frame-ring.ts';
import type { FrameChunk, FrameRing } from './frame-ring.ts';

/** All of a file, or a part of it. */
export interface MediaPart {
  readonly startMs?: number | undefined;
  readonly endMs?: number | undefined;
}

/** A part of the picture, in fractions of it. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Asked extends MediaPart {
  readonly path: string;
  /** No more than this is decoded. */
  readonly maxSeconds: number;
}
export interface FramesAsked extends Asked {
  /** Frames a second; `source`: those that are there. */
  readonly fps: number | 'source';
  readonly region?: Region | undefined;
}

/** What the worker is asked. */
export type DecodeRequest =
  | (FramesAsked & { readonly kind: 'frames'; readonly ring: FrameRing })
  | (Asked & { readonly kind: 'sound' });

interface Decoded {
  /** What the decoder complained of although something came out; null: nothing. */
  readonly damage: string | null;
  /** Length of the whole file as it says itself; null: it does not say. */
  readonly durationMs?: number | null;
}
export interface FramesDecoded extends Decoded {
  readonly kind: 'frames';
  readonly frameCount: number;
  readonly frameRateHz: number;
}
export interface SoundDecoded extends Decoded {
  readonly kind: 'sound';
  /** 16 kHz mono, -1..1. */
  readonly samples: Float32Array;
}
/** The file has no stream of the kind that was asked for. */
export interface NoneDecoded extends Decoded {
  readonly kind: 'none';
}
export type DecodeReply = FramesDecoded | SoundDecoded | NoneDecoded;

/** One thread that decodes; one file at a time. */
export interface Decoder {
  /**
   * Decodes a film's frames.
   * @param onChunk the frames in their order; the decoder waits until it is done with them, their memory is only lent
   * @throws Problem when the file cannot be read or decoded, or nothing came for the time limit
   */
  frames(
    asked: FramesAsked,
    onChunk: (chunk: FrameChunk) => Promise<void>,
  ): Promise<FramesDecoded | NoneDecoded>;
  /** Decodes sound, whole. Otherwise like frames. */
  sound(asked: Asked): Promise<SoundDecoded | NoneDecoded>;
  close(): Promise<void>;
}

/**
 * Opens decoding threads; each takes about 40 MB and what a file needs.
 * @param limitMs longest time without a sign of progress on one file
 */
export async function openDecoders(count: number, limitMs: number): Promise<Decoder[]> {
  const module = await compileFfmpeg();
  return Array.from({ length: count }, () => openDecoder(module, limitMs));
}

function openDecoder(module: WebAssembly.Module, limitMs: number): Decoder {
  let thread: Thread<DecodeRequest, DecodeReply> | undefined;
  const opened = (): Thread<DecodeRequest, DecodeReply> =>
    (thread ??= startThread<DecodeRequest, DecodeReply>(
      new URL('./decode-worker.ts', import.meta.url),
      module,
    ));
  /** A thread that failed or hangs is not trusted again. */
  const drop = async (): Promise<void> => {
    const old = thread;
    thread = undefined;
    await old?.close();
  };
  const late = (path: string): string =>
    `${path} cannot be decoded: nothing came out of it for too long; is it damaged? Otherwise raise --limit`;
  const unexpected = (reply: DecodeReply): Problem =>
    new Problem('internal', `internal: the decoder answered ${reply.kind}`);
  return {
    async frames(asked, onChunk) {
      const ring = createRing();
      const call = opened().call({ ...asked, kind: 'frames', ring });
      const state = { settled: false };
      call.then(
        () => (state.settled = true),
        () => (state.settled = true),
      );
      const chunks = readRing(ring, call);
      try {
        for (;;) {
          const next = await withTimeout(chunks.next(), limitMs, late(asked.path));
          if (next.done === true) break;
          await onChunk(next.value);
        }
        const reply = await call;
        if (reply.kind === 'sound') throw unexpected(reply);
        return reply;
      } catch (error) {
        // It would wait for ever for its frames to be taken.
        if (!state.settled) await drop();
        throw error;
      }
    },
    async sound(asked) {
      try {
        const reply = await withTimeout(
          opened().call({ ...asked, kind: 'sound' }),
          limitMs,
          late(asked.path),
        );
        if (reply.kind === 'frames') throw unexpected(reply);
        return reply;
      } catch (error) {
        if (!(error instanceof Problem && error.kind === 'unsupported-file')) await drop();
        throw error;
      }
    },
    close: drop,
  };
}
