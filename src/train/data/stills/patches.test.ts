// The trainer's tokens are the page's: unaugmented, both patchers give exactly what frames and log-mel give live.
import { expect, test } from 'vitest';
import { random } from '../../../base/random.ts';
import { canonicalPoints, alignFace } from '../../../clip/face-alignment.ts';
import { normalizeFrames } from '../../../clip/frames.ts';
import { logMel } from '../../../clip/log-mel.ts';
import { sizes } from '../../../model/config.ts';
import { audioPatches, videoPatches } from '../../../model/embed.ts';
import { voiceSetOf } from '../../../testing/made-voices.ts';
import { faceAugmentation, facePatcher } from './face-augment.ts';
import { alignStills } from './faces.ts';
import type { Stills } from './faces.ts';
import { soundFrames, voiceAugmentation, voiceChanges, voicePatcher, windowStart } from './voice-augment.ts';
import type { VoiceAugmentation } from './voice-augment.ts';
import { recorded } from './voice-noise.ts';
import { betweenPauses, melSteps } from './voices.ts';
import type { VoiceSet } from './voices.ts';

const config = { ...sizes.nano, classCount: 7 };
const stream = random(3);
const positionsOf = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

function someStills(): Stills {
  const data = new Uint8Array(2 * 48 * 48).map(() => stream.integer(256));
  const votes = [
    [0, 0, 0, 10, 0, 0, 0, 0, 0, 0],
    [8, 0, 0, 0, 2, 0, 0, 0, 0, 0],
  ];
  return { count: 2, widthPx: 48, heightPx: 48, data, votes, imagePath: 'made up' };
}

test('a face without augmentation gives the page’s patches', () => {
  const stills = someStills();
  const points = { ...canonicalPoints, rightEye: { x: 0.28, y: 0.4 } };
  const set = alignStills(stills, { rows: [0, 1], labels: [3, 0] }, [points, null], 48, 48);
  const crop = alignFace(
    { data: stills.data.subarray(0, 48 * 48), width: 48, height: 48, channels: 1 },
    points,
    48,
  );
  const clip = new Uint8ClampedArray(config.video.frameCount * crop.length);
  for (let t = 0; t < config.video.frameCount; t++) clip.set(crop, t * crop.length);
  const wanted = videoPatches(normalizeFrames(clip, 'gray-standardized'), config);
  const patches = new Float32Array(wanted.length);
  facePatcher(config).fill(set, 0, positionsOf(72), patches, 0, stream, null);
  let worst = 0;
  patches.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - wanted[i]!))));
  expect(worst).toBeLessThan(1e-5);
});

test('the stored margin keeps the crop in its middle', () => {
  const stills = someStills();
  const selection = { rows: [0, 1], labels: [3, 0] };
  const tight = alignStills(stills, selection, null, 48, 48);
  const wide = alignStills(stills, selection, null, 48, 64);
  for (const [x, y] of [
    [0, 0],
    [47, 10],
    [20, 47],
  ] as const) {
    expect(
      Math.abs(wide.gray[64 * 64 + (y + 8) * 64 + x + 8]! - tight.gray[48 * 48 + y * 48 + x]!),
    ).toBeLessThan(2);
  }
});

test('augmentation changes a face and stays in range', () => {
  const set = alignStills(someStills(), { rows: [0, 1], labels: [3, 0] }, null, 48, 64);
  const length = 36 * 384;
  const plain = new Float32Array(length);
  const changed = new Float32Array(length);
  const patcher = facePatcher(config);
  patcher.fill(set, 0, positionsOf(36), plain, 0, stream, null);
  patcher.fill(set, 0, positionsOf(36), changed, 0, stream, faceAugmentation);
  expect(changed.some((value, i) => value !== plain[i])).toBe(true);
  // Standardized: within the deviations that 48 x 48 pixels can have.
  expect(changed.every((value) => Math.abs(value) < 48)).toBe(true);
});

const someVoice = (samples: Float32Array): VoiceSet => voiceSetOf([samples], 5400);

const noise = (count: number): Float32Array => new Float32Array(count).map(() => 0.1 * stream.normal());

test('a voice without augmentation gives the page’s patches', () => {
  const samples = noise(16000 * 3);
  const set = someVoice(samples);
  const start = windowStart(set.frames[0]!, 1);
  const window = samples.subarray(start * 160, start * 160 + 40960);
  const wanted = audioPatches(logMel(window, { bandLimitHz: 5400 }), config);
  const patches = new Float32Array(wanted.length);
  voicePatcher(config, 5400).fill(set, 0, positionsOf(128), patches, 0, stream, null, 1);
  let worst = 0;
  patches.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - wanted[i]!))));
  expect(worst).toBeLessThan(2 / melSteps);
});

test('a short voice lies in the middle of silence, and a window never leaves its clip otherwise', () => {
  expect(windowStart(100, 0)).toBe(-77);
  expect(windowStart(soundFrames + 40, 0)).toBe(0);
  expect(windowStart(soundFrames + 40, 1)).toBe(40);
});

test('a share of the changes is less of each, down to none', () => {
  expect(voiceChanges(1)).toEqual(voiceAugmentation);
  expect(voiceChanges(0.5)).toMatchObject({
    gainDb: 2,
    stranger: 0.3,
    speed: 0.06,
    slower: 0.12,
    pause: 0.25,
    noise: 0.25,
    steady: 0.5,
  });
  const set = someVoice(noise(40960));
  const patcher = voicePatcher(config, 5400);
  // As long as a window, so that its place is no matter of chance.
  expect(set.frames[0]).toBe(soundFrames);
  const [as, changed] = [new Float32Array(128 * 256), new Float32Array(128 * 256)];
  patcher.fill(set, 0, positionsOf(128), as, 0, stream, null);
  patcher.fill(set, 0, positionsOf(128), changed, 0, stream, voiceChanges(0));
  expect(changed).toEqual(as);
  patcher.fill(set, 0, positionsOf(128), changed, 0, stream, voiceChanges(0.3));
  expect(changed).not.toEqual(as);
});

test('between pauses a voice is read as without them', () => {
  // Longer than a window, and shorter.
  for (const seconds of [4, 1.5]) {
    const plain = someVoice(noise(seconds * 16000));
    const paused = recorded(plain, 'paused', 5400, 1);
    const [as, between] = [plain, paused].map((set) => betweenPauses(set, 5400));
    expect(as!.frames[0]).toBe(plain.frames[0]);
    // 0.3 s of the pause are kept on either side.
    expect(between!.frames[0]).toBe(plain.frames[0]! + 60);
    const patcher = voicePatcher(config, 5400);
    const read = (set: VoiceSet): Float32Array => {
      const patches = new Float32Array(128 * 256);
      patcher.fill(set, 0, positionsOf(128), patches, 0, stream, null, 0);
      return patches;
    };
    const apart = (a: VoiceSet, b: VoiceSet): number => {
      const other = read(b);
      return Math.max(...read(a).map((value, i) => Math.abs(value - other[i]!)));
    };
    expect(apart(as!, plain)).toBe(0);
    if (seconds < 2) expect(apart(between!, plain)).toBeLessThan(1 / melSteps);
    else expect(apart(between!, paused)).toBeGreaterThan(0.5);
  }
});

test('in training a window reaches into a pause, silent or faint, by up to half', () => {
  const set = someVoice(noise(40960));
  const patcher = voicePatcher(config, 5400);
  const patches = new Float32Array(128 * 256);
  const plain = new Float32Array(128 * 256);
  patcher.fill(set, 0, positionsOf(128), plain, 0, stream, null);
  // The mean of the second lowest patch of each 16 frames; the last of these hold the two frames that stay zero.
  const levelsOf = (from: Float32Array): number[] =>
    Array.from({ length: 15 }, (_, t) => {
      const at = (t * 8 + 1) * 256;
      return from.subarray(at, at + 256).reduce((a, b) => a + b, 0) / 256;
    });
  const loud = Math.min(...levelsOf(plain)) - 0.1;
  const floor = (Math.log(2 ** -23) + 4.2677393) / (2 * 4.5689974);
  let [silent, faint, whole] = [0, 0, 0];
  for (let i = 0; i < 60; i++) {
    patcher.fill(set, 0, positionsOf(128), patches, 0, stream, { ...voiceChanges(0), pause: 1 });
    const levels = levelsOf(patches);
    expect(levels.filter((level) => level >= loud).length).toBeGreaterThanOrEqual(7);
    if (levels.some((level) => Math.abs(level - floor) < 1e-4)) silent++;
    else if (levels.some((level) => level < loud - 0.2)) faint++;
    else whole++;
  }
  expect(silent).toBeGreaterThan(15);
  expect(faint).toBeGreaterThan(8);
  expect(whole).toBeGreaterThan(0);
});

test('in training a voice is slowed further than it is quickened', () => {
  // Loud for half a second in the middle of 2.56 s.
  const samples = noise(40960).map((x, i) => (i >= 16000 && i < 24000 ? x : x / 1000));
  const set = someVoice(samples);
  const patcher = voicePatcher(config, 5400);
  const patches = new Float32Array(128 * 256);
  /** Frames that are loud in the second lowest row of patches. */
  const loudFrames = (changes: Partial<VoiceAugmentation>): number => {
    patcher.fill(set, 0, positionsOf(128), patches, 0, stream, { ...voiceChanges(0), ...changes });
    return Array.from({ length: soundFrames }, (_, f) => {
      const at = ((f >> 4) * 8 + 1) * 256 + (f & 15) * 16;
      return patches.subarray(at, at + 16).reduce((a, b) => a + b, 0) / 16;
    }).filter((level, _, all) => level > (Math.max(...all) + Math.min(...all)) / 2).length;
  };
  const as = loudFrames({});
  const [slowed, quickened] = [{ slower: 0.24 }, { speed: 0.12 }].map((changes) =>
    Array.from({ length: 40 }, () => loudFrames(changes)),
  );
  expect(Math.min(...slowed!)).toBeGreaterThanOrEqual(as - 1);
  expect(Math.max(...slowed!)).toBeGreaterThan(as * 1.15);
  expect(Math.max(...slowed!)).toBeLessThan(as * 1.3);
  expect(Math.max(...quickened!)).toBeLessThanOrEqual(as + 1);
  expect(Math.min(...quickened!)).toBeLessThan(as * 0.94);
});

test('augmented voices hold finite numbers at and above the floor', () => {
  const set = someVoice(noise(20000));
  const patches = new Float32Array(128 * 256);
  const patcher = voicePatcher(config, 5400);
  const floor = (Math.log(2 ** -23) + 4.2677393) / (2 * 4.5689974);
  for (let i = 0; i < 20; i++) {
    patcher.fill(set, 0, positionsOf(128), patches, 0, stream, voiceAugmentation);
    expect(patches.every((value) => Number.isFinite(value) && value >= floor - 1e-4)).toBe(true);
  }
});
