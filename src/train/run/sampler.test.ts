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

test('faces and voices are joined by label, and half of the neutral voices with a surprised face, labeled so', () => {
  const [faces, voices] = [everyFace(), everyVoice()];
  const sampling = sampler(faces, voices, {
    seed: 1,
    batchFaces: 24,
    batchVoices: 24,
    pairs: 24,
    balance: 0.3,
  });
  const counts: Record<string, number> = {};
  for (let step = 0; step < 60; step++) {
    const drawn = sampling.draw(step, 0, 1);
    expect(drawn.pairs).toBe(24);
    for (let i = 0; i < drawn.pairs; i++) {
      const label = drawn.pairLabels[i]!;
      expect(faces.labels[drawn.faces[i]!]).toBe(label);
      const joined = [voices.labels[drawn.voices[i]!]!, label].map((each) => emotions[each]).join(' as ');
      counts[joined] = (counts[joined] ?? 0) + 1;
    }
  }
  const { 'neutral as neutral': plain = 0, 'neutral as surprise': surprised = 0, ...others } = counts;
  expect(surprised / (plain + surprised)).toBeGreaterThan(0.4);
  expect(surprised / (plain + surprised)).toBeLessThan(0.6);
  // Each voice once in every step.
  expect(others).toEqual(
    Object.fromEntries(
      emotions
        .filter((name) => name !== 'neutral' && name !== 'surprise')
        .map((name) => [`${name} as ${name}`, 240]),
    ),
  );
});
