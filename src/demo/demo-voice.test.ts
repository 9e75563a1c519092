// The demo's voice must be heard as a voice: pitched as its feeling asks, loud enough, never clipped, the same every time.
import { describe, expect, it } from 'vitest';
import { demoFeelings, envelope, expressionAt, manners, phaseMs, syllablesOf } from './demo-script.ts';
import { createDemoVoice, speakPhrase } from './demo-voice.ts';

const rms = (samples: Float32Array): number =>
  Math.sqrt(samples.reduce((sum, v) => sum + v * v, 0) / samples.length);

/** Pitch in Hz by the highest peak of the normalized autocorrelation between 80 and 450 Hz. */
function pitchOf(samples: Float32Array): number {
  let best = 0;
  let bestLag = 0;
  for (let lag = Math.floor(16000 / 450); lag <= 16000 / 80; lag++) {
    let dot = 0;
    let energy = 0;
    let energyLagged = 0;
    for (let i = 0; i + lag < samples.length; i++) {
      const a = samples[i] ?? 0;
      const b = samples[i + lag] ?? 0;
      dot += a * b;
      energy += a * a;
      energyLagged += b * b;
    }
    // The slight preference for short lags keeps the period from being taken twofold.
    const score = dot / Math.sqrt(energy * energyLagged + 1e-12) - 0.0005 * lag;
    if (score > best) [best, bestLag] = [score, lag];
  }
  return 16000 / bestLag;
}

describe('demo voice', () => {
  it('is a function of time alone, wherever reading begins and however it is cut', () => {
    const whole = createDemoVoice().read(12_000, 12_000);
    const other = createDemoVoice();
    expect(other.read(12_000, 1000)).toEqual(whole.subarray(11 * 16000));
    expect(other.read(6020, 2560)).toEqual(whole.subarray((6020 - 2560) * 16, 6020 * 16));
    const loopMs = phaseMs * demoFeelings.length;
    expect(other.read(loopMs + 3000, 3000)).toEqual(whole.subarray(0, 48_000));
  });

  it('has only as many samples as time has passed', () => {
    expect(createDemoVoice().read(1000, 2560).length).toBe(16_000);
    expect(createDemoVoice().read(0, 2560).length).toBe(0);
    expect(createDemoVoice().read(60_000, 2560).length).toBe(40_960);
  });

  it.each(demoFeelings.map((feeling, index) => ({ feeling, index })))(
    'speaks $feeling at its level and pitch, unclipped, from silence to silence',
    ({ feeling, index }) => {
      for (const phrase of [2 * index, 2 * index + 1]) {
        const samples = speakPhrase(phrase);
        const peak = samples.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
        expect(peak).toBeCloseTo(manners[feeling].level, 5);
        expect(20 * Math.log10(rms(samples))).toBeGreaterThan(-35);
        expect(rms(samples.subarray(0, 1600))).toBeLessThan(1e-3);
        expect(rms(samples.subarray(-800))).toBeLessThan(1e-3);
      }
      const samples = createDemoVoice().read((index + 1) * phaseMs, phaseMs);
      const strong = syllablesOf(index).filter((s) => s.stress > 0.9);
      expect(strong.length).toBeGreaterThan(0);
      for (const syllable of strong) {
        const middle = Math.round(((syllable.startMs + syllable.endMs) / 2) * 16);
        const semitonesOff =
          12 * Math.log2(pitchOf(samples.subarray(middle - 400, middle + 400)) / manners[feeling].pitchHz);
        expect(Math.abs(semitonesOff - syllable.pitch)).toBeLessThan(1.5);
      }
    },
  );

  it('differs in loudness and pitch between sad and angry', () => {
    const angry = speakPhrase(2 * demoFeelings.indexOf('angry'));
    const sad = speakPhrase(2 * demoFeelings.indexOf('sad'));
    expect(rms(angry)).toBeGreaterThan(2 * rms(sad));
  });
});

describe('demo face', () => {
  it('opens its mouth with the voice', () => {
    for (const [index, feeling] of demoFeelings.entries()) {
      const before = expressionAt(index * phaseMs + 2650).open; // between the phrases
      const loudest = Math.max(
        ...syllablesOf(index).map(
          (s) => expressionAt(index * phaseMs + s.startMs + 0.4 * (s.endMs - s.startMs)).open,
        ),
      );
      expect(loudest, feeling).toBeGreaterThan(before + 0.1);
      expect(syllablesOf(index).every((s) => envelope(s, 2650) === 0)).toBe(true);
    }
  });

  it('never jumps: no part moves more than a third of its range in a fortieth of a second, but for the lids', () => {
    let last = expressionAt(0);
    for (let timeMs = 25; timeMs < 2 * phaseMs * demoFeelings.length; timeMs += 25) {
      const now = expressionAt(timeMs);
      for (const key of Object.keys(now) as (keyof typeof now)[]) {
        expect(Number.isFinite(now[key])).toBe(true);
        if (key !== 'lid')
          expect(Math.abs(now[key] - last[key]), `${key} at ${String(timeMs)} ms`).toBeLessThan(0.34);
      }
      last = now;
    }
  });
});
