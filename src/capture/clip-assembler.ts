// Cuts clips from the faces seen and the sound heard, on one clock. Pure.
import type { Clip, ClipSpec } from '../clip/spec.ts';
import { kaldiFbank, usedBinCount } from '../clip/log-mel.ts';
import type { FilterbankFrames } from '../clip/log-mel.ts';
import { inSilence, newestSpeech } from '../clip/spoken.ts';
import { blendSpectra, equalizerOf, speechSpectrum } from '../clip/usual-voice.ts';
import type { VoiceSpectrum } from '../clip/usual-voice.ts';
import { hasVoice } from '../clip/voice.ts';
import type { FaceObservation } from './face-protocol.ts';
import type { Sound } from './source.ts';

/** Kept longer than a clip, as a clip may be cut late. */
const keptMs = 5000;

/** A slot is filled by an observation this near; at least, so that a slow detector still counts. */
const leastToleranceMs = 120;

/** No face before it was followed for this long: the first reading comes about a second after the start. */
const leastSpanMs = 900;

/** How long ago the speech of a clip may have ended, so that it is not cut short by the pause that followed. */
const pauseMs = 1000;

/** From one log-mel frame to the next. */
const frameMs = 10;

/** Share of the slots in which a face must really have been seen. */
const leastSeenShare = 0.5;

export interface ClipAssembler {
  /** A look at the picture taken at timeMs: the face, or null when none was to be seen. Times that go back start anew. */
  addFace(timeMs: number, face: FaceObservation | null): void;
  /**
   * The clip that ends at endMs; null when there is neither a face nor a voice.
   *
   * Frames: slot k of T lies at endMs - (T - 1 - k) * frameIntervalMs and takes the observation nearest in time. Slots
   * where none is near (within half an interval or 120 ms), because the face was briefly lost or was not yet there,
   * repeat the nearest one. There is a face when it has been followed for 0.9 s, and was seen in at least half of the
   * slots since it came; since it came is at most the whole clip.
   *
   * Sound: null unless hasVoice. For a model of speech alone what was said last, up to a second earlier if a pause followed,
   * without the pauses around it; for others the last soundMs, silence before a sound that began later. The equalizer is by
   * what the speaker has said since the first clip that was cut; an end before the last one's begins anew.
   */
  cut(endMs: number): Clip | null;
}

export function createClipAssembler(spec: ClipSpec, sound: Sound | null): ClipAssembler {
  let seen: FaceObservation[] = [];
  let lastLookMs = -Infinity;

  let usual: VoiceSpectrum | null = null;
  let listenedToMs = -Infinity;

  /** Learns the speaker's usual voice from what is new in what was heard lately; the equalizer for it. */
  const listen = (fbank: FilterbankFrames, endMs: number, target: readonly number[]): Float32Array => {
    const { frames, frameCount, melBins } = fbank;
    const usedBins = usedBinCount(spec.bandLimitHz, melBins);
    if (endMs < listenedToMs) [usual, listenedToMs] = [null, -Infinity];
    const from = Math.max(0, frameCount - Math.round((endMs - listenedToMs) / frameMs));
    const heard = speechSpectrum(frames, melBins, usedBins, { from });
    usual = usual ? blendSpectra(usual, heard) : heard;
    listenedToMs = endMs;
    return equalizerOf(usual, target, usedBins);
  };

  const cutVoice = (endMs: number): Pick<Clip, 'samples' | 'equalizer'> => {
    const none = { samples: null, equalizer: null };
    const heard = sound?.read(endMs, spec.soundMs);
    if (!sound || !heard || !hasVoice(heard)) return none;
    const { shortSound, usualSpectrum, bandLimitHz } = spec;
    const wanted = Math.round((spec.soundMs * spec.sampleRateHz) / 1000);
    if (shortSound !== 'speech' && usualSpectrum === null)
      return { samples: afterSilence(heard, wanted), equalizer: null };
    const lately = sound.read(endMs, spec.soundMs + pauseMs);
    const fbank = kaldiFbank(lately, { bandLimitHz, melBins: usualSpectrum?.length ?? 128 });
    return {
      samples:
        shortSound === 'speech'
          ? inSilence(newestSpeech(lately, fbank, bandLimitHz, wanted), wanted)
          : afterSilence(heard, wanted),
      equalizer: usualSpectrum && listen(fbank, endMs, usualSpectrum),
    };
  };

  return {
    addFace(timeMs, face) {
      if (timeMs < lastLookMs) seen = [];
      lastLookMs = timeMs;
      if (face) seen.push(face);
      const oldestMs = timeMs - keptMs;
      const keep = seen.findIndex((observation) => observation.timeMs >= oldestMs);
      if (keep !== 0) seen = keep < 0 ? [] : seen.slice(keep);
    },
    cut(endMs) {
      const frames = cutFrames(seen, endMs, spec);
      const voice = cutVoice(endMs);
      return frames || voice.samples ? { endMs, frames, ...voice } : null;
    },
  };
}

function afterSilence(samples: Float32Array, length: number): Float32Array {
  if (samples.length >= length) return samples;
  const padded = new Float32Array(length);
  padded.set(samples, length - samples.length);
  return padded;
}

function cutFrames(
  seen: readonly FaceObservation[],
  endMs: number,
  spec: ClipSpec,
): Uint8ClampedArray | null {
  const { frameCount, frameIntervalMs, cropPx } = spec;
  const toleranceMs = Math.max(leastToleranceMs, frameIntervalMs / 2);
  // What is newer than the clip's end by more than a slot's tolerance is not of this clip.
  const usable = seen.filter((observation) => observation.timeMs <= endMs + toleranceMs);
  const first = usable[0];
  if (!first || endMs - first.timeMs < Math.min(leastSpanMs, (frameCount - 1) * frameIntervalMs)) return null;

  const size = cropPx * cropPx * 3;
  const frames = new Uint8ClampedArray(frameCount * size);
  let slotsSince = 0;
  let slotsSeen = 0;
  for (let k = 0; k < frameCount; k++) {
    const slotMs = endMs - (frameCount - 1 - k) * frameIntervalMs;
    const nearest = nearestTo(slotMs, usable) ?? first;
    if (slotMs >= first.timeMs - toleranceMs) {
      slotsSince++;
      if (Math.abs(nearest.timeMs - slotMs) <= toleranceMs) slotsSeen++;
    }
    frames.set(nearest.crop, k * size);
  }
  return slotsSeen >= leastSeenShare * slotsSince ? frames : null;
}

function nearestTo(timeMs: number, observations: readonly FaceObservation[]): FaceObservation | null {
  let nearest: FaceObservation | null = null;
  for (const observation of observations) {
    if (!nearest || Math.abs(observation.timeMs - timeMs) <= Math.abs(nearest.timeMs - timeMs))
      nearest = observation;
  }
  return nearest;
}
