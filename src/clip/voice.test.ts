import { describe, expect, it } from 'vitest';
import { random } from '../base/random.ts';
import { hasVoice } from './voice.ts';

const seconds = 2.56;
const amplitude = (levelDb: number): number => 10 ** (levelDb / 20);

/** Noise with a level for each moment. */
function noise(levelDb: (second: number) => number, durationS = seconds): Float32Array {
  const stream = random(7);
  return Float32Array.from(
    { length: Math.floor(durationS * 16000) },
    (_, i) => stream.normal() * amplitude(levelDb(i / 16000)),
  );
}

describe('hasVoice', () => {
  it('hears syllables over a quiet room', () => {
    expect(hasVoice(noise((s) => (s % 0.4 < 0.2 ? -30 : -65)))).toBe(true);
    expect(hasVoice(noise((s) => (s > 1 && s < 1.5 ? -45 : -70)))).toBe(true);
  });

  it('does not take silence, hiss or a click for a voice', () => {
    expect(hasVoice(new Float32Array(40960))).toBe(false);
    expect(hasVoice(noise(() => -70))).toBe(false);
    expect(hasVoice(noise(() => -45))).toBe(false);
    expect(hasVoice(noise((s) => (s > 1 && s < 1.1 ? -20 : -70)))).toBe(false);
    expect(hasVoice(new Float32Array(40960).fill(0.5))).toBe(false);
  });

  it('hears a voice that never pauses, and needs 0.95 s of it', () => {
    const syllables = (s: number): number => (s % 0.2 < 0.1 ? -20 : -65);
    expect(hasVoice(noise(() => -20))).toBe(true);
    expect(hasVoice(noise(syllables, 0.94))).toBe(false);
    expect(hasVoice(noise(syllables, 0.95))).toBe(true);
  });
});
