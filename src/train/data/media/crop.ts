// Faces cut out of frames, in a thread of their own.
import type { FacePoints } from '../../../clip/face.ts';
import { startThread } from '../../base/threads.ts';
import type { Thread } from '../../base/threads.ts';

/** A picture on its way; shared memory, so that no thread copies it. */
export interface Frame {
  /** 0..255; shape [height, width, channels]. */
  readonly data: Uint8Array<SharedArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

export interface CropRequest {
  readonly frames: readonly (Frame & { readonly points: FacePoints })[];
  readonly cropPx: number;
  /** jpg: quality 95 without chroma subsampling; png: lossless. */
  readonly format: 'jpg' | 'png';
}
/** The crops' files, in order. */
export type CropReply = Uint8Array[];

export type Cropper = Thread<CropRequest, CropReply>;

/** Its thread starts with the first call. */
export function openCropper(): Cropper {
  let thread: Cropper | undefined;
  return {
    call: (request) => {
      thread ??= startThread<CropRequest, CropReply>(new URL('./crop-worker.ts', import.meta.url), null);
      return thread.call(request);
    },
    close: async () => thread?.close(),
  };
}
