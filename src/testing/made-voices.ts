// A set of voices in memory, made of sounds, for tests of what is done to them.
import { kaldiFbank, usedBinCount } from '../clip/log-mel.ts';
import { sharedBytes, sharedInts, sharedShorts } from '../train/base/shared-array.ts';
import { melSteps, spectraOf } from '../train/data/stills/voices.ts';
import type { VoiceSet } from '../train/data/stills/voices.ts';

/** @param speakers of each sound, counted from 0; all the same unless told */
export function voiceSetOf(
  sounds: readonly Float32Array[],
  bandLimitHz: number | null,
  speakers: readonly number[] = sounds.map(() => 0),
): VoiceSet {
  const count = sounds.length;
  const clips = sounds.map((sound) => kaldiFbank(sound, { bandLimitHz }));
  const melBins = 128;
  const mel = sharedShorts(clips.reduce((sum, { frames }) => sum + frames.length, 0));
  const [start, frames, speaker] = [sharedInts(count), sharedInts(count), sharedInts(count)];
  let at = 0;
  clips.forEach((clip, i) => {
    start[i] = at / melBins;
    frames[i] = clip.frameCount;
    clip.frames.forEach((value) => (mel[at++] = Math.round(value * melSteps)));
  });
  speaker.set(speakers);
  const set = { count, melBins, mel, start, frames, labels: sharedBytes(count), speakers: speaker };
  return {
    ...set,
    speechOnly: false,
    usualSpectrum: null,
    ...spectraOf(set, usedBinCount(bandLimitHz, melBins)),
  };
}
