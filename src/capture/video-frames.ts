// New pictures of a <video>, each once, with the time when it was taken.
import type { Frame } from './source.ts';

export interface VideoFrames {
  /** The current picture; null when there is no new one since the last call, or after close. */
  grab(): Promise<Frame | null>;
  close(): void;
}

/**
 * @param timeOf the picture's time on the source's clock, from what the browser tells of it (null where it does not
 *   tell, as older browsers)
 */
export function watchFrames(
  video: HTMLVideoElement,
  timeOf: (metadata: VideoFrameCallbackMetadata | null) => number,
): VideoFrames {
  let closed = false;
  let callback = 0;
  let fresh: number | null = null;
  let lastMediaTime = -1;
  // Not in every browser of the last years, whatever the type says.
  const exact = 'requestVideoFrameCallback' in HTMLVideoElement.prototype;
  const watch = (): void => {
    callback = video.requestVideoFrameCallback((_now, metadata) => {
      fresh = timeOf(metadata);
      if (!closed) watch();
    });
  };
  if (exact) watch();

  return {
    async grab() {
      if (!exact && video.currentTime !== lastMediaTime) fresh = timeOf(null);
      if (closed || fresh === null || video.videoWidth === 0) return null;
      const timeMs = fresh;
      fresh = null;
      lastMediaTime = video.currentTime;
      try {
        return { bitmap: await createImageBitmap(video), timeMs };
      } catch (error) {
        // The video was closed or went empty while its picture was fetched.
        if (error instanceof DOMException) return null;
        throw error;
      }
    },
    close() {
      closed = true;
      if (exact) video.cancelVideoFrameCallback(callback);
    },
  };
}
