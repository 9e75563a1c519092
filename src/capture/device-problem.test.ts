import { describe, expect, it } from 'vitest';
import { Problem } from '../base/errors.ts';
import { deviceProblem } from './device-problem.ts';

describe('deviceProblem', () => {
  it.each([
    ['NotAllowedError', 'permission-denied', 'permission-denied'],
    ['SecurityError', 'permission-denied', 'permission-denied'],
    ['NotFoundError', 'no-camera', 'no-microphone'],
    ['NotReadableError', 'device-busy', 'device-busy'],
    ['AbortError', 'device-busy', 'device-busy'],
    ['OverconstrainedError', 'no-camera', 'no-microphone'],
    ['NotSupportedError', 'no-camera', 'no-microphone'],
    ['SomethingNewError', 'no-camera', 'no-microphone'],
  ])('%s', (name, camera, microphone) => {
    const error = new DOMException('detail', name);
    const seen = deviceProblem(error, 'camera');
    expect(seen.kind).toBe(camera);
    expect(seen.message).toContain('camera');
    expect(seen.message).not.toContain(name);
    expect(seen.cause).toBe(error);
    const heard = deviceProblem(error, 'microphone');
    expect(heard.kind).toBe(microphone);
    expect(heard.message).toContain('microphone');
  });

  it('leaves a Problem as it is', () => {
    const problem = new Problem('timeout', 'late');
    expect(deviceProblem(problem, 'camera')).toBe(problem);
  });
});
