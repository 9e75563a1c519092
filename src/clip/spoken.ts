// The part of a sound that a voice is read from: pauses around speech say nothing, and no two corpora leave alike of them. Pure.
import { filterbankSamples, kaldiFbank, usedBinCount } from './log-mel.ts';
import { spokenSpan } from './usual-voice.ts';

/**
 * A sound from the first speech in it to the last (spokenSpan); as it is when all is silent. A view, not a copy.
 * @param samples mono, 16 kHz, -1..1
 */
export function spokenPart(samples: Float32Array, bandLimitHz: number | null): Float32Array {
  const { frames, frameCount, melBins } = kaldiFbank(samples, { bandLimitHz });
  const span = spokenSpan(frames, melBins, usedBinCount(bandLimitHz, melBins));
  if (span === null) return samples;
  const [begin, end] = filterbankSamples(...span);
  // Speech to the very end: with the samples that make no whole frame.
  return samples.subarray(begin, span[1] === frameCount ? samples.length : end);
}

/** A short sound in the middle of silence, `length` samples in all; as it is if it is not shorter. */
export function inSilence(samples: Float32Array, length: number): Float32Array {
  if (samples.length >= length) return samples;
  const whole = new Float32Array(length);
  whole.set(samples, Math.floor((length - samples.length) / 2));
  return whole;
}
