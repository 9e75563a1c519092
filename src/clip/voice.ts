// Whether a voice is to be heard in a stretch of sound, by level alone, so that silence and steady noise are not read. Pure.

/** Frames of 25 ms: short against a syllable, long against a pitch period. */
const frameSamples = 400;

/** Speech at a laptop lies at -45..-20 dB re full scale without automatic gain, a quiet room below -60. */
const speechDb = -50;

/** Speech rises above the room's own level; a fan, a hum or hiss does not. */
const aboveFloorDb = 6;

/** The floor never counts as higher than this: loud all the time is a voice close by, not a quiet room. */
const highestFloorDb = -35;

/** Share of frames that must be speech-like: a short word within a clip of 2.56 s. */
const leastShare = 0.15;

/** Less sound than this says nothing. */
const leastFrames = 38;

/**
 * Whether at least 15 % of the 25 ms frames are above -50 dB re full scale and 6 dB above the quiet floor (the tenth
 * percentile of the frames' levels, at most -35 dB). Less than 0.95 s of sound never is a voice.
 * @param samples mono, 16 kHz, -1..1
 */
export function hasVoice(samples: Float32Array): boolean {
  const frameCount = Math.floor(samples.length / frameSamples);
  const levels = Array.from({ length: frameCount }, (_, i) =>
    frameLevelDb(samples.subarray(i * frameSamples, (i + 1) * frameSamples)),
  );
  const sorted = [...levels].sort((a, b) => a - b);
  const floor = Math.min(highestFloorDb, sorted[Math.floor(frameCount / 10)] ?? 0);
  const threshold = Math.max(speechDb, floor + aboveFloorDb);
  const speech = levels.filter((level) => level > threshold);
  return frameCount >= leastFrames && speech.length >= leastShare * frameCount;
}

/** Level of a frame about its own mean (a microphone's constant offset is no sound), dB re full scale, at least -100. */
function frameLevelDb(frame: Float32Array): number {
  let sum = 0;
  let squares = 0;
  for (const sample of frame) {
    sum += sample;
    squares += sample * sample;
  }
  const variance = squares / frame.length - (sum / frame.length) ** 2;
  return 10 * Math.log10(Math.max(variance, 1e-10));
}
