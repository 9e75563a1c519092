// The part of a sound that a voice is read from: pauses around speech say nothing, and no two corpora leave alike of them. Pure.
import { filterbankFrameCount, filterbankSamples, kaldiFbank, usedBinCount } from './log-mel.ts';
import type { FilterbankFrames } from './log-mel.ts';
import { spokenSpan } from './usual-voice.ts';

/** @param end one past the last frame; all samples behind the last frame that there is belong to it */
function samplesOf(samples: Float32Array, first: number, end: number, frameCount: number): Float32Array {
  const [begin, behind] = filterbankSamples(first, end);
  return samples.subarray(begin, end === frameCount ? samples.length : behind);
}

/**
 * A sound from the first speech in it to the last (spokenSpan); as it is when all is silent. A view, not a copy.
 * @param samples mono, 16 kHz, -1..1
 */
export function spokenPart(samples: Float32Array, bandLimitHz: number | null): Float32Array {
  const { frames, frameCount, melBins } = kaldiFbank(samples, { bandLimitHz });
  const span = spokenSpan(frames, melBins, usedBinCount(bandLimitHz, melBins));
  return span ? samplesOf(samples, ...span, frameCount) : samples;
}

/**
 * The last `length` samples of a sound's spoken part, without the pauses around what is said in these; all when all is silent.
 * @param fbank the sound's, of kaldiFbank
 */
export function newestSpeech(
  samples: Float32Array,
  { frames, frameCount, melBins }: FilterbankFrames,
  bandLimitHz: number | null,
  length: number,
): Float32Array {
  const usedBins = usedBinCount(bandLimitHz, melBins);
  const span = spokenSpan(frames, melBins, usedBins);
  if (span === null) return samples.subarray(-length);
  const begin = Math.max(span[0], span[1] - filterbankFrameCount(length));
  const place = { begin: begin * melBins, frameCount: span[1] - begin };
  const [first, end] = spokenSpan(frames, melBins, usedBins, place) ?? [0, place.frameCount];
  return samplesOf(samples, begin + first, begin + end, frameCount).subarray(-length);
}

/** A short sound in the middle of silence, `length` samples in all; as it is if it is not shorter. */
export function inSilence(samples: Float32Array, length: number): Float32Array {
  if (samples.length >= length) return samples;
  const whole = new Float32Array(length);
  whole.set(samples, Math.floor((length - samples.length) / 2));
  return whole;
}
