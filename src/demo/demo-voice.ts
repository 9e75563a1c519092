// The demo person's voice: glottal pulses through formant resonators (after Klatt, 1980), computed when it is asked for.
import { random } from '../base/random.ts';
import type { Sound } from '../capture/source.ts';
import { demoFeelings, envelope, feelingOf, manners, phraseMs, syllablesOf } from './demo-script.ts';
import type { Syllable } from './demo-script.ts';

const sampleRateHz = 16000;
const phraseSamples = (phraseMs / 1000) * sampleRateHz;
/** Phrases in the whole script. */
const phraseCount = 2 * demoFeelings.length;
/** Pitch and formants are set this often. */
const controlSamples = 80;
/** Higher formants hardly move; bandwidths in Hz. */
const fourthFormantHz = 3500;
const bandwidths = [70, 100, 140, 220] as const;

/** A two-pole resonator with unit gain at 0 Hz. */
interface Resonator {
  a: number;
  b: number;
  c: number;
  y1: number;
  y2: number;
}

function tune(resonator: Resonator, frequencyHz: number, bandwidthHz: number): void {
  const r = Math.exp((-Math.PI * bandwidthHz) / sampleRateHz);
  resonator.c = -r * r;
  resonator.b = 2 * r * Math.cos((2 * Math.PI * frequencyHz) / sampleRateHz);
  resonator.a = 1 - resonator.b - resonator.c;
}

function filter(resonator: Resonator, x: number): number {
  const y = resonator.a * x + resonator.b * resonator.y1 + resonator.c * resonator.y2;
  resonator.y2 = resonator.y1;
  resonator.y1 = y;
  return y;
}

/** Slope of the glottal flow at a phase 0..1 of its cycle: opens slowly, shuts at once; tension shortens the open part. */
function glottis(cycle: number, tension: number): number {
  const open = 0.72 - 0.22 * tension;
  if (cycle >= open) return 0;
  const t = cycle / open;
  return 2 * t - 3 * t * t;
}

/** Where pitch and formants stand between syllables: each value glides to the next syllable's. */
function glide(
  syllables: readonly Syllable[],
  inPhaseMs: number,
): { pitch: number; formants: readonly number[] } {
  const middle = (s: Syllable): number => (s.startMs + s.endMs) / 2;
  const nextIndex = syllables.findIndex((s) => middle(s) > inPhaseMs);
  const next = syllables[nextIndex === -1 ? syllables.length - 1 : nextIndex];
  const last = syllables[nextIndex <= 0 ? (nextIndex === 0 ? 0 : syllables.length - 1) : nextIndex - 1];
  if (next === undefined || last === undefined) return { pitch: 0, formants: [520, 1500, 2550] };
  const span = middle(next) - middle(last);
  const linear = span > 0 ? Math.min(1, Math.max(0, (inPhaseMs - middle(last)) / span)) : 0;
  // Vowels hold, and change in the middle third.
  const t = Math.min(1, Math.max(0, linear * 3 - 1));
  return {
    pitch: last.pitch + (next.pitch - last.pitch) * linear,
    formants: last.vowel.formants.map((f, i) => f + ((next.vowel.formants[i] ?? f) - f) * t),
  };
}

/**
 * One phrase of the script; it begins and ends in silence, so phrases join without a seam.
 * @param index phrases since the script's start.
 * @returns mono, 16 kHz, -1..1; 2.5 s.
 */
export function speakPhrase(index: number): Float32Array {
  const phase = Math.floor(index / 2);
  const startMs = (index % 2) * phraseMs;
  const manner = manners[feelingOf(phase)];
  const syllables = syllablesOf(phase).filter((s) => s.startMs >= startMs && s.startMs < startMs + phraseMs);
  const noise = random(4241 + index);
  const resonators: Resonator[] = bandwidths.map(() => ({ a: 1, b: 0, c: 0, y1: 0, y2: 0 }));
  const samples = new Float32Array(phraseSamples);
  let cycle = 0;
  let pitchHz = manner.pitchHz;
  let loudness = 0;
  let loudnessStep = 0;
  let hiss = 0;
  let lastNoise = 0;
  let peak = 0;
  for (let n = 0; n < phraseSamples; n++) {
    if (n % controlSamples === 0) {
      const inPhaseMs = startMs + (n / sampleRateHz) * 1000;
      const { pitch, formants } = glide(syllables, inPhaseMs);
      const tremble = manner.tremor * Math.sin(inPhaseMs * 0.043) + 0.15 * (noise.uniform() - 0.5);
      pitchHz = manner.pitchHz * 2 ** ((pitch + tremble) / 12);
      resonators.forEach((resonator, i) => {
        tune(resonator, formants[i] ?? fourthFormantHz, bandwidths[i] ?? 200);
      });
      const aheadMs = inPhaseMs + (controlSamples / sampleRateHz) * 1000;
      let target = 0;
      hiss = 0;
      for (const syllable of syllables) {
        target += envelope(syllable, aheadMs);
        if (syllable.hiss && Math.abs(inPhaseMs - syllable.startMs) < 45) hiss = 0.05;
      }
      loudnessStep = (target - loudness) / controlSamples;
    }
    loudness += loudnessStep;
    cycle += pitchHz / sampleRateHz;
    if (cycle >= 1) cycle -= 1;
    const white = noise.uniform() - 0.5;
    let sample = loudness * (glottis(cycle, manner.tension) + manner.breath * white);
    for (const resonator of resonators) sample = filter(resonator, sample);
    sample += hiss * (white - lastNoise);
    lastNoise = white;
    samples[n] = sample;
    peak = Math.max(peak, Math.abs(sample));
  }
  const gain = peak > 0 ? manner.level / peak : 0;
  for (let n = 0; n < phraseSamples; n++) samples[n] = (samples[n] ?? 0) * gain;
  return samples;
}

/**
 * The voice as a sound that depends on time alone: reading twice gives the same samples. It starts at 0 ms and never
 * ends. A phrase costs a few milliseconds when first read and is kept, since the script repeats.
 */
export function createDemoVoice(): Sound {
  const phrases = new Map<number, Float32Array>();
  const phrase = (index: number): Float32Array => {
    const key = index % phraseCount;
    const samples = phrases.get(key) ?? speakPhrase(key);
    phrases.set(key, samples);
    return samples;
  };
  return {
    read(endMs, durationMs) {
      const end = Math.max(0, Math.round((endMs / 1000) * sampleRateHz));
      const start = Math.max(0, end - Math.round((durationMs / 1000) * sampleRateHz));
      const result = new Float32Array(end - start);
      for (let at = start; at < end;) {
        const index = Math.floor(at / phraseSamples);
        const stop = Math.min(end, (index + 1) * phraseSamples);
        const from = at - index * phraseSamples;
        result.set(phrase(index).subarray(from, from + stop - at), at - start);
        at = stop;
      }
      return result;
    },
  };
}
