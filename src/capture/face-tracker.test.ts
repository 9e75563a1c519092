import { describe, expect, it } from 'vitest';
import type { DetectedFace } from './face-protocol.ts';
import { chooseFace, steadyPoints } from './face-tracker.ts';
import type { TrackedFace } from './face-tracker.ts';

function face(x: number, size: number): DetectedFace {
  const point = { x: x + size / 2, y: 0.5 };
  return {
    box: { x, y: 0.3, width: size, height: size },
    points: {
      rightEye: { x: x + size * 0.3, y: 0.4 },
      leftEye: { x: x + size * 0.7, y: 0.4 },
      mouth: point,
    },
    score: 0.9,
  };
}
const followed = (x: number, size: number, seenMs = 0): TrackedFace => ({ ...face(x, size), seenMs });

describe('chooseFace', () => {
  it('begins with the largest', () => {
    expect(chooseFace(null, [face(0, 0.1), face(0.5, 0.3), face(0.2, 0.2)], 0)?.box.x).toBe(0.5);
    expect(chooseFace(null, [], 0)).toBeNull();
  });

  it('stays with its face when a larger one comes', () => {
    expect(chooseFace(followed(0.1, 0.2), [face(0.5, 0.4), face(0.12, 0.2)], 80)?.box.x).toBe(0.12);
  });

  it('follows a quick move to the nearest', () => {
    const chosen = chooseFace(followed(0.1, 0.1), [face(0.7, 0.1), face(0.165, 0.1)], 80);
    expect(chosen?.box.x).toBe(0.165);
  });

  it('waits a second for a lost face before it takes another', () => {
    const other = [face(0.7, 0.4)];
    expect(chooseFace(followed(0.1, 0.2), other, 500)).toBeNull();
    expect(chooseFace(followed(0.1, 0.2), other, 1000)?.box.x).toBe(0.7);
  });

  it('begins again when time goes back', () => {
    expect(chooseFace(followed(0.1, 0.2, 5000), [face(0.7, 0.4)], 100)?.box.x).toBe(0.7);
  });
});

describe('steadyPoints', () => {
  it('holds a still face, follows a moving one, and forgets after a gap', () => {
    const still = face(0.101, 0.2).points;
    const steady = steadyPoints(followed(0.1, 0.2), still, 80);
    expect(steady.leftEye.x).toBeGreaterThan(0.24);
    expect(steady.leftEye.x).toBeLessThan(0.2405);
    const moved = face(0.15, 0.2).points;
    expect(steadyPoints(followed(0.1, 0.2), moved, 80)).toEqual(moved);
    expect(steadyPoints(followed(0.1, 0.2), still, 600)).toEqual(still);
    expect(steadyPoints(null, still, 0)).toEqual(still);
  });
});
