import { describe, expect, it } from 'vitest';
import { createSoundRing, wholeSound } from './sound-ring.ts';

/** Sample i of the clock holds i / 1e6, so that a place tells its time. */
function ramp(startMs: number, durationMs: number): Float32Array {
  return Float32Array.from({ length: durationMs * 16 }, (_, i) => (startMs * 16 + i) / 1e6);
}
const at = (samples: Float32Array, i: number): number => Math.round((samples.at(i) ?? NaN) * 1e6);

describe('sound ring', () => {
  it('returns what ends at a time', () => {
    const ring = createSoundRing(1000);
    for (let ms = 0; ms < 500; ms += 50) ring.write(ms, ramp(ms, 50));
    const samples = ring.read(300, 100);
    expect(samples.length).toBe(1600);
    expect([at(samples, 0), at(samples, -1)]).toEqual([3200, 4799]);
  });

  it('is shorter before the start and where sound has not arrived', () => {
    const ring = createSoundRing(1000);
    expect(ring.read(100, 100).length).toBe(0);
    ring.write(200, ramp(200, 100));
    expect(at(ring.read(250, 100), 0)).toBe(3200);
    expect(ring.read(250, 100).length).toBe(800);
    expect(ring.read(350, 100).length).toBe(800);
    expect(ring.read(150, 100).length).toBe(0);
    expect(ring.read(900, 100).length).toBe(0);
  });

  it('goes round, and forgets the oldest', () => {
    const ring = createSoundRing(300);
    for (let ms = 0; ms < 1000; ms += 40) ring.write(ms, ramp(ms, 40));
    const samples = ring.read(1000, 1000);
    expect(samples.length).toBe(300 * 16);
    expect([at(samples, 0), at(samples, -1)]).toEqual([700 * 16, 15999]);
    expect(ring.read(600, 100).length).toBe(0);
  });

  it('fills a gap with silence', () => {
    const ring = createSoundRing(1000);
    ring.write(100, ramp(100, 100));
    ring.write(400, ramp(400, 100));
    const samples = ring.read(500, 500);
    expect(samples.length).toBe(400 * 16);
    expect(at(samples, 100 * 16 - 1)).toBe(200 * 16 - 1);
    expect(samples.subarray(1600, 4800).every((sample) => sample === 0)).toBe(true);
    expect(at(samples, 4800)).toBe(6400);
    ring.write(9000, ramp(9000, 50));
    expect(ring.read(9050, 2000).filter((sample) => sample !== 0).length).toBe(800);
  });

  it('takes jittering times as adjoining, and drops what overlaps the past', () => {
    const ring = createSoundRing(1000);
    ring.write(0, ramp(0, 100));
    ring.write(130, ramp(100, 100));
    ring.write(175, ramp(200, 100));
    expect(at(ring.read(300, 300), -1)).toBe(4799);
    ring.write(200, ramp(200, 200));
    expect(at(ring.read(400, 400), -1)).toBe(6399);
  });

  it('reads a chunk longer than the ring', () => {
    const ring = createSoundRing(100);
    ring.write(0, ramp(0, 350));
    expect(at(ring.read(350, 100), 0)).toBe(250 * 16);
  });
});

describe('whole sound', () => {
  it('is shorter before its start, and silence after its end', () => {
    const sound = wholeSound(ramp(0, 100));
    expect(at(sound.read(60, 20), 0)).toBe(640);
    expect(sound.read(10, 20).length).toBe(160);
    expect(sound.read(0, 20).length).toBe(0);
    const across = sound.read(120, 50);
    expect(across.length).toBe(800);
    expect([at(across, 0), at(across, 479), at(across, 480), at(across, -1)]).toEqual([1120, 1599, 0, 0]);
    expect(sound.read(500, 50)).toEqual(new Float32Array(800));
  });
});
