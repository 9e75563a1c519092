// The hop follows the machine; history and level are as small.
import { describe, expect, it } from 'vitest';
import { hopFor, maxHopMs, meanPredictionMs, minHopMs } from './hop.ts';
import { historyMs, remember } from './history.ts';
import { floorDb, levelDb } from './level.ts';
import type { Reading } from './state.ts';

describe('hopFor', () => {
  it('is half as long again as a prediction, within 250..2000 ms', () => {
    expect(hopFor(400)).toBe(600);
    expect(hopFor(5)).toBe(minHopMs);
    expect(hopFor(1500)).toBe(maxHopMs);
  });

  it('never promises more readings than the machine can give', () => {
    for (const predictionMs of [10, 250, 700, 1333, 1999, 2500, 9000]) {
      expect(hopFor(predictionMs)).toBeGreaterThanOrEqual(predictionMs);
    }
  });
});

describe('meanPredictionMs', () => {
  it('begins with the first and settles on a constant', () => {
    let mean = meanPredictionMs(null, 1000);
    expect(mean).toBe(1000);
    for (let k = 0; k < 40; k++) mean = meanPredictionMs(mean, 100);
    expect(mean).toBeCloseTo(100, 0);
  });
});

describe('remember', () => {
  const at = (timeMs: number): Reading => ({
    timeMs,
    probabilities: { happy: 1 },
    label: 'happy',
    modalities: { face: true, voice: false },
    faceBox: null,
    inferenceMs: 1,
  });

  it('keeps one minute, oldest first', () => {
    let history: readonly Reading[] = [];
    for (let timeMs = 0; timeMs <= 90_000; timeMs += 500) history = remember(history, at(timeMs));
    expect(history[0]?.timeMs).toBe(90_000 - historyMs);
    expect(history.at(-1)?.timeMs).toBe(90_000);
    expect(Object.isFrozen(history)).toBe(true);
  });
});

describe('levelDb', () => {
  it('knows full scale, half scale, silence and nothing', () => {
    expect(levelDb(new Float32Array(100).fill(1))).toBeCloseTo(0, 6);
    expect(levelDb(new Float32Array(100).fill(-0.5))).toBeCloseTo(-6.02, 2);
    expect(levelDb(new Float32Array(100))).toBe(floorDb);
    expect(levelDb(new Float32Array(0))).toBe(null);
  });
});
