// What the steadied readout promises.
import { describe, expect, it } from 'vitest';
import { smooth, smoothingTimeConstantMs } from './smoothing.ts';
import type { Reading } from './state.ts';

function reading(timeMs: number, happy: number, modalities = { face: true, voice: true }): Reading {
  return {
    timeMs,
    probabilities: { happy, sad: 1 - happy },
    label: happy >= 0.5 ? 'happy' : 'sad',
    modalities,
    faceBox: null,
    inferenceMs: 10,
  };
}

describe('smooth', () => {
  it('is the raw reading at first', () => {
    expect(smooth(null, reading(0, 0.7))).toEqual(reading(0, 0.7));
  });

  it('moves by 1 - 1/e after one time constant, whatever the hop', () => {
    const once = smooth(reading(0, 0), reading(smoothingTimeConstantMs, 1));
    expect(once.probabilities['happy']).toBeCloseTo(1 - Math.exp(-1), 6);
    let steps = reading(0, 0);
    for (let k = 1; k <= 4; k++) steps = smooth(steps, reading((k * smoothingTimeConstantMs) / 4, 1));
    expect(steps.probabilities['happy']).toBeCloseTo(1 - Math.exp(-1), 6);
  });

  it('sums to 1 after many steps', () => {
    let state = reading(0, 0.5);
    for (let k = 1; k < 500; k++) state = smooth(state, reading(k * 100, (k * 0.37) % 1));
    const sum = Object.values(state.probabilities).reduce((total, value) => total + value, 0);
    expect(sum).toBeCloseTo(1, 9);
  });

  it('starts anew when a modality comes or goes', () => {
    const next = reading(100, 1, { face: true, voice: false });
    expect(smooth(reading(0, 0), next)).toEqual(next);
  });

  it('starts anew after more than 3 s and when time runs backward', () => {
    expect(smooth(reading(0, 0), reading(3001, 1)).probabilities['happy']).toBe(1);
    expect(smooth(reading(0, 0), reading(3000, 1)).probabilities['happy']).toBeLessThan(1);
    expect(smooth(reading(5000, 0), reading(0, 1)).probabilities['happy']).toBe(1);
  });

  it('keeps the newest time, box and modalities', () => {
    const next = { ...reading(100, 1), faceBox: { x: 0.1, y: 0.2, width: 0.3, height: 0.4 } };
    expect(smooth(reading(0, 0), next)).toMatchObject({
      timeMs: 100,
      faceBox: next.faceBox,
      modalities: next.modalities,
    });
  });
});
