import { describe, expect, test } from 'vitest';
import { filterbankFrameCount, kaldiFbank, logFloor, logMel, normalizeAndPad } from './log-mel.ts';

function tone(hz: number, sampleCount: number): Float32Array {
  return Float32Array.from({ length: sampleCount }, (_, n) => 0.5 * Math.sin((2 * Math.PI * hz * n) / 16000));
}

const padded = 4.2677393 / (2 * 4.5689974);

describe('log-mel', () => {
  test('2.56 s give 254 frames and two padded rows; 399 samples give none', () => {
    expect(filterbankFrameCount(40960)).toBe(254);
    expect(filterbankFrameCount(399)).toBe(0);
    expect(filterbankFrameCount(400)).toBe(1);
    const mel = logMel(tone(440, 40960), { bandLimitHz: null });
    expect(mel.length).toBe(256 * 128);
    for (let i = 254 * 128; i < mel.length; i++) expect(mel[i]).toBeCloseTo(padded, 6);
    expect(mel[253 * 128 + 20]).not.toBeCloseTo(padded, 3);
  });

  test('an empty sound is all padding', () => {
    const mel = logMel(new Float32Array(0), { bandLimitHz: null });
    expect(Math.min(...mel)).toBeCloseTo(padded, 6);
    expect(Math.max(...mel)).toBeCloseTo(padded, 6);
  });

  test('a tone peaks in the bin at its frequency', () => {
    const { frames, melBins } = kaldiFbank(tone(1000, 4000));
    const row = frames.subarray(10 * melBins, 11 * melBins);
    const peak = row.indexOf(Math.max(...row));
    const mel = (hz: number): number => 1127 * Math.log(1 + hz / 700);
    const expected = ((mel(1000) - mel(20)) / (mel(8000) - mel(20))) * 129 - 1;
    expect(Math.abs(peak - expected)).toBeLessThan(1.5);
  });

  test('a band limit holds the floor above it and changes nothing below', () => {
    const noise = Float32Array.from({ length: 8000 }, (_, n) => Math.sin(n * n) * 0.3);
    const all = kaldiFbank(noise);
    const limited = kaldiFbank(noise, { bandLimitHz: 5500 });
    const mel = (hz: number): number => 1127 * Math.log(1 + hz / 700);
    const step = (mel(8000) - mel(20)) / 129;
    let floors = 0;
    for (let i = 0; i < all.frames.length; i++) {
      const above = mel(20) + ((i % 128) + 1) * step > mel(5500);
      if (above) floors++;
      expect(limited.frames[i]).toBe(above ? Math.fround(logFloor) : all.frames[i]);
    }
    expect(floors).toBeGreaterThan(all.frameCount * 10);
  });

  test('longer sounds are cut to the first frames, and other sizes are possible', () => {
    const long = tone(300, 60000);
    const options = { bandLimitHz: null, frameCount: 32, melBins: 32 };
    expect(logMel(long, options)).toEqual(normalizeAndPad(kaldiFbank(long, options), 32));
    expect(logMel(long, options).length).toBe(32 * 32);
  });
});
