import { expect, it } from 'vitest';
import type { FacePoints } from '../../../clip/face.ts';
import { createPlacer } from './placing.ts';

const at = (x: number): FacePoints => ({
  rightEye: { x, y: 0 },
  leftEye: { x, y: 0 },
  mouth: { x, y: 0 },
});

/** Which frame's points each frame took: `found` tells where the face was seen. */
function placesOf(found: readonly boolean[], mostWaiting = 100): { places: string; mostHeld: number } {
  const placer = createPlacer<number>(mostWaiting);
  const placed: number[] = [];
  let mostHeld = 0;
  found.forEach((seen, i) => {
    for (const { frame, points } of placer.add(i, seen ? at(i) : null)) {
      expect(frame).toBe(placed.length);
      placed.push(points.rightEye.x);
    }
    mostHeld = Math.max(mostHeld, i + 1 - placed.length);
  });
  for (const { points } of placer.end()) placed.push(points.rightEye.x);
  expect(placer.foundCount).toBe(found.filter(Boolean).length);
  return { places: placed.join(' '), mostHeld };
}
const row = (text: string): boolean[] => Array.from(text, (c) => c === 'x');

it('gives each frame the nearest found place, of equals the earlier', () => {
  expect(placesOf(row('xxx')).places).toBe('0 1 2');
  expect(placesOf(row('--x')).places).toBe('2 2 2');
  expect(placesOf(row('x---')).places).toBe('0 0 0 0');
  expect(placesOf(row('x---x')).places).toBe('0 0 0 4 4');
  expect(placesOf(row('-x--x-x')).places).toBe('1 1 1 4 4 4 6');
  expect(placesOf(row('----')).places).toBe('');
});

it('holds half of a gap at most, and no more than it may', () => {
  expect(placesOf(row(`x${'-'.repeat(40)}`)).mostHeld).toBeLessThanOrEqual(21);
  const { places, mostHeld } = placesOf(row('x----------x'), 3);
  expect(mostHeld).toBeLessThanOrEqual(3);
  expect(places).toBe('0 0 0 0 0 0 0 0 11 11 11 11');
  expect(() => placesOf(row('------'), 3)).toThrow('no face in its first 4 frames');
});
