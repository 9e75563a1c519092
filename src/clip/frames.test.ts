import { describe, expect, test } from 'vitest';
import { luma, mirrorFrames, normalizeFrames, resizeBilinear } from './frames.ts';
import { audioSampleRange, testViews, trainingEndRange, trainingSpan } from './sampling.ts';

describe('frames', () => {
  test('resizing to the same size changes nothing', () => {
    const picture = Uint8Array.from({ length: 7 * 5 * 3 }, (_, i) => (i * 37) % 256);
    expect(Array.from(resizeBilinear(picture, 7, 5, 7, 5))).toEqual(Array.from(picture));
  });

  test('halving a picture antialiases: each pixel is a weighted mean of four columns', () => {
    // Pillow: Image.new('L', (8, 1)) with 0, 80, 160, 240, ... resized to (4, 1) gives weights 1, 3, 3, 1 over 8.
    const row = [0, 80, 160, 240, 0, 80, 160, 240].flatMap((x) => [x, x, x]);
    const out = resizeBilinear(Uint8Array.from(row), 8, 1, 4, 1);
    expect(out[3]).toBe(Math.round((80 + 3 * 160 + 3 * 240 + 0) / 8));
  });

  test('normalizes by channel, and gray is luma in all three', () => {
    const [r, g, b] = normalizeFrames(Uint8Array.of(255, 0, 128));
    expect(r).toBeCloseTo((1 - 0.485) / 0.229, 6);
    expect(g).toBeCloseTo(-0.456 / 0.224, 6);
    expect(b).toBeCloseTo((128 / 255 - 0.406) / 0.225, 6);
    const gray = normalizeFrames(Uint8Array.of(255, 0, 128), 'gray');
    const y = luma(255, 0, 128) / 255;
    expect(luma(255, 0, 128)).toBe(91);
    expect(gray[0]).toBeCloseTo((y - 0.485) / 0.229, 6);
    expect(gray[2]).toBeCloseTo((y - 0.406) / 0.225, 6);
  });

  test('mirroring turns every line of pixels around, and twice is as before', () => {
    // Two frames of 2 x 3 pixels; a value tells its frame, line, pixel and channel.
    const frames = Float32Array.from({ length: 2 * 2 * 3 * 3 }, (_, at) => at);
    const mirrored = mirrorFrames(frames, 3);
    expect([...mirrored.subarray(0, 9)]).toEqual([6, 7, 8, 3, 4, 5, 0, 1, 2]);
    expect([...mirrored.subarray(27)]).toEqual([33, 34, 35, 30, 31, 32, 27, 28, 29]);
    expect(mirrorFrames(mirrored, 3)).toEqual(frames);
  });

  test('refuses bytes that are no RGB picture', () => {
    expect(() => mirrorFrames(new Float32Array(12), 3)).toThrow('internal:');
    expect(() => resizeBilinear(new Uint8Array(10), 2, 2, 4, 4)).toThrow('internal:');
    expect(() => normalizeFrames(new Uint8Array(4))).toThrow('internal:');
  });
});

describe('sampling', () => {
  test('views of a long recording are its first and its last clip', () => {
    expect(
      testViews(150, 4).map((view) => [view.frames[0], view.frames.at(-1), view.audioFrames[1]]),
    ).toEqual([
      [0, 60, 64],
      [88, 148, 149],
    ]);
  });

  test('a recording too short to choose from has no end to draw', () => {
    expect(trainingEndRange(64, 4)).toBeNull();
    expect(trainingEndRange(65, 4)).toEqual([64, 65]);
    expect(trainingSpan(5, 4, 0).frames).toEqual([0, ...Array<number>(15).fill(4)]);
  });

  test('a sound too short for a spectrogram has no range; a short span takes the whole of a short sound', () => {
    expect(audioSampleRange([0, 1], 2, 1024)).toBeNull();
    expect(audioSampleRange([0, 0], 5, 2000)).toEqual([0, 2000]);
    expect(audioSampleRange([0, 0], 90, 48000)).toBeNull();
  });
});
