// Which voices are joined with which faces: by label, but for surprise, which no voice is labeled.
import { expect, test } from 'vitest';
import { emotions } from '../../model/labels.ts';
import { voiceSetOf } from '../../testing/made-voices.ts';
import { sharedBytes, sharedFloats } from '../base/shared-array.ts';
import type { FaceSet } from '../data/stills/faces.ts';
import type { VoiceSet } from '../data/stills/voices.ts';
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

/**
 * How often voices of each label were joined with faces of each, in 600 steps that draw every voice once, and what each
 * class of faces weighs in them.
 */
function joined(
  surprisedNeutral: number,
  surprisedExcited: number,
): { readonly counts: Record<string, number>; readonly weighed: readonly number[] } {
  const [faces, voices] = [everyFace(), everyVoice()];
  const sampling = sampler(faces, voices, {
    seed: 1,
    batchFaces: 24,
    batchVoices: 24,
    pairs: 24,
    balance: 0.3,
    surprisedNeutral,
    surprisedExcited,
  });
  const counts: Record<string, number> = {};
  const weighed = emotions.map(() => 0);
  for (let step = 0; step < 600; step++) {
    const drawn = sampling.draw(step, 0, 1);
    expect(drawn.pairs).toBe(24);
    for (let i = 0; i < drawn.pairs; i++) {
      const label = drawn.pairLabels[i]!;
      expect(faces.labels[drawn.faces[i]!]).toBe(label);
      weighed[label]! += drawn.faceWeights[i]!;
      const pair = [voices.labels[drawn.voices[i]!]!, label].map((each) => emotions[each]).join(' as ');
      counts[pair] = (counts[pair] ?? 0) + 1;
    }
  }
  return { counts, weighed };
}

test('faces and voices are joined by label, but for surprise: as many of the others as asked for', () => {
  const plain = ['angry', 'disgust', 'sad'].map((name) => [`${name} as ${name}`, 2400] as const);
  for (const [ofNeutral, ofExcited] of [
    [0.5, 0],
    [0.25, 0.1],
  ] as const) {
    const { counts, weighed } = joined(ofNeutral, ofExcited);
    for (const [name, share] of [
      ['neutral', ofNeutral],
      ['happy', ofExcited],
      ['fear', ofExcited],
    ] as const) {
      const surprised = counts[`${name} as surprise`] ?? 0;
      expect((counts[`${name} as ${name}`] ?? 0) + surprised).toBe(2400);
      if (share === 0) expect(surprised).toBe(0);
      else expect(Math.abs(surprised / 2400 - share), name).toBeLessThan(0.03);
    }
    expect(counts).toMatchObject(Object.fromEntries(plain));
    const all = Object.values(counts).reduce((a, b) => a + b, 0);
    expect(all).toBe(600 * 24);
    // There are as many faces of each class, so each weighs as much in the loss of faces alone.
    for (const weight of weighed) expect(Math.abs(weight / all - 1 / emotions.length)).toBeLessThan(0.008);
  }
});
