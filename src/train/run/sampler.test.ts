// Which voices are joined with which faces: by label, but for surprise, which no voice is labeled.
import { expect, test } from 'vitest';
import { emotions } from '../../model/labels.ts';
import { voiceSetOf } from '../../testing/made-voices.ts';
import { sharedBytes, sharedFloats } from '../shared-array.ts';
import type { FaceSet } from '../stills/faces.ts';
import type { VoiceSet } from '../stills/voices.ts';
import { sampler } from './sampler.ts';

/** Two faces of every label. */
function everyFace(): FaceSet {
  const count = 2 * emotions.length;
  const labels = sharedBytes(count);
  labels.forEach((_, i) => (labels[i] = i % emotions.length));
  return {
    count,
    sidePx: 1,
    gray: sharedBytes(count),
    targets: sharedFloats(count * emotions.length),
    labels,
  };
}

/** Four voices of every label but surprise. */
function everyVoice(): VoiceSet {
  const spoken = emotions.flatMap((name, label) => (name === 'surprise' ? [] : [label, label, label, label]));
  const set = voiceSetOf(
    spoken.map(() => new Float32Array(1600)),
    null,
  );
  set.labels.set(spoken);
  return set;
}

/** Shares of surprise among the pairs, by the voice's label. */
function surprised(excitedSurprise: number): Record<string, number> {
  const [faces, voices] = [everyFace(), everyVoice()];
  const surprise = emotions.indexOf('surprise');
  const sampling = sampler(faces, voices, {
    seed: 1,
    batchFaces: 24,
    batchVoices: 24,
    pairs: 24,
    balance: 0.3,
    excitedSurprise,
  });
  const counts = emotions.map(() => [0, 0] as [number, number]);
  for (let step = 0; step < 60; step++) {
    const drawn = sampling.draw(step, 0, 1);
    for (let i = 0; i < drawn.pairs; i++) {
      const heard = voices.labels[drawn.voices[i]!]!;
      const label = drawn.pairLabels[i]!;
      expect(faces.labels[drawn.faces[i]!]).toBe(label);
      expect([heard, surprise]).toContain(label);
      counts[heard]![label === surprise ? 1 : 0]++;
    }
  }
  return Object.fromEntries(
    counts.map(([own, other], i) => [emotions[i]!, other / Math.max(1, own + other)]),
  );
}

test('faces and voices are joined by label; surprised faces with neutral voices, and with excited ones where told', () => {
  const usual = surprised(0);
  expect(usual['neutral']).toBeGreaterThan(0.4);
  expect(usual['neutral']).toBeLessThan(0.6);
  expect(usual).toMatchObject({ angry: 0, disgust: 0, fear: 0, happy: 0, sad: 0 });
  const excited = surprised(0.25);
  for (const label of ['happy', 'fear']) {
    expect(excited[label]).toBeGreaterThan(0.15);
    expect(excited[label]).toBeLessThan(0.35);
  }
  expect(excited).toMatchObject({ angry: 0, disgust: 0, sad: 0 });
});
