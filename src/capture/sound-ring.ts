// The last seconds of a live sound, addressed by time. Pure.
import type { Sound } from './source.ts';

export const soundRateHz = 16000;

/** Longer than any clip: a slow machine may ask for a clip that ended seconds ago. */
const keptMs = 15_000;

/** Chunks whose time is off by less than this are taken as adjoining: message times jitter, samples do not. */
const jitterMs = 60;

export interface SoundRing extends Sound {
  /**
   * @param startMs when the first of the samples was heard, on the source's clock. A jump forward leaves silence; what
   *   overlaps the past is dropped.
   */
  write(startMs: number, samples: Float32Array): void;
}

export function createSoundRing(capacityMs = keptMs): SoundRing {
  const capacity = Math.ceil((capacityMs * soundRateHz) / 1000);
  const ring = new Float32Array(capacity);
  // Sample numbers count from time 0 of the source's clock; [first, next) is what is known.
  let first = 0;
  let next: number | null = null;

  const append = (samples: Float32Array, from: number): void => {
    for (const sample of samples) ring[modulo(from++, capacity)] = sample;
  };
  return {
    write(startMs, samples) {
      const wanted = Math.round((startMs * soundRateHz) / 1000);
      if (next === null) first = next = wanted;
      const jump = wanted - next;
      if (jump * 1000 > jitterMs * soundRateHz) {
        const silence = Math.min(jump, capacity);
        append(new Float32Array(silence), next + jump - silence);
        next += jump;
      } else if (-jump * 1000 > jitterMs * soundRateHz) {
        samples = samples.subarray(Math.min(samples.length, -jump));
      }
      append(
        samples.subarray(Math.max(0, samples.length - capacity)),
        next + Math.max(0, samples.length - capacity),
      );
      next += samples.length;
      first = Math.max(first, next - capacity);
    },
    read(endMs, durationMs) {
      if (next === null) return new Float32Array(0);
      const end = Math.round((endMs * soundRateHz) / 1000);
      const from = Math.max(first, end - Math.round((durationMs * soundRateHz) / 1000));
      const samples = new Float32Array(Math.max(0, Math.min(end, next) - from));
      for (let i = 0; i < samples.length; i++) samples[i] = ring[modulo(from + i, capacity)] ?? 0;
      return samples;
    },
  };
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

/**
 * A sound that is there as a whole, its first sample at time 0: a decoded file. After its end there is silence, not
 * nothing: what was heard must keep its place beside pictures that go on.
 */
export function wholeSound(samples: Float32Array): Sound {
  return {
    read(endMs, durationMs) {
      const end = Math.max(0, Math.round((endMs * soundRateHz) / 1000));
      const from = Math.max(0, end - Math.round((durationMs * soundRateHz) / 1000));
      const heard = new Float32Array(end - from);
      heard.set(samples.subarray(from, end));
      return heard;
    },
  };
}
