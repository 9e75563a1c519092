// The pipeline's sequence of states, and that everything opened is closed, with hand-made parts on a clock that jumps.
import { describe, expect, it } from 'vitest';
import { Problem } from '../base/errors.ts';
import { bench, prediction } from '../testing/live-fakes.ts';
import { createPipeline } from './pipeline.ts';
import type { Pipeline } from './pipeline.ts';
import type { LiveState, RunningState } from './state.ts';

const options = { model: 'model/', assetsUrl: 'assets/', backend: 'auto' } as const;

function watch(pipeline: Pipeline): LiveState[] {
  const states: LiveState[] = [];
  pipeline.subscribe((state) => states.push(state));
  return states;
}

function running(pipeline: Pipeline): RunningState {
  if (pipeline.state.phase !== 'running') throw new Error(`it is ${pipeline.state.phase}`);
  return pipeline.state;
}

const opens = (log: readonly string[]): string[] => log.filter((entry) => entry.startsWith('open')).sort();
const closes = (log: readonly string[]): string[] => log.filter((entry) => entry.startsWith('close')).sort();

function expectAllClosed(log: readonly string[]): void {
  expect(closes(log)).toEqual(opens(log).map((entry) => entry.replace('open', 'close')));
}

describe('a start', () => {
  it('goes from idle through its steps to running, and stop leads back, with all closed', async () => {
    const { parts, log, pass } = bench();
    const pipeline = createPipeline(options, parts);
    expect(pipeline.state.phase).toBe('idle');
    const states = watch(pipeline);
    await pipeline.start({ kind: 'demo' });
    await pass(1000);
    const steps = states.flatMap((state) => (state.phase === 'starting' ? [state.step] : []));
    expect(steps[0]).toBe('devices');
    expect(steps).toContain('download');
    expect(steps.at(-1)).toBe('face-detector');
    expect(running(pipeline).reading?.probabilities['happy']).toBeCloseTo(0.8, 6);
    pipeline.stop();
    expect(pipeline.state).toEqual({ phase: 'idle', source: 'demo' });
    expect(opens(log)).toHaveLength(3);
    expectAllClosed(log);
    const count = states.length;
    await pass(1000);
    expect(states).toHaveLength(count);
  });

  it('publishes only frozen snapshots', async () => {
    const { parts, pass } = bench();
    const pipeline = createPipeline(options, parts);
    const states = watch(pipeline);
    await pipeline.start({ kind: 'demo' });
    await pass(600);
    pipeline.stop();
    expect(states.every((state) => Object.isFrozen(state))).toBe(true);
    const last = states.findLast((state) => state.phase === 'running');
    expect(Object.isFrozen(last?.reading)).toBe(true);
    expect(Object.isFrozen(last?.reading?.probabilities)).toBe(true);
    expect(Object.isFrozen(last?.history)).toBe(true);
    expect(Object.isFrozen(last?.notices)).toBe(true);
  });

  for (const held of ['source', 'recognizer', 'tracker'] as const) {
    it(`can be stopped while the ${held} is opening: what comes late is closed`, async () => {
      const { parts, log, gates, pass } = bench([held]);
      const pipeline = createPipeline(options, parts);
      const started = pipeline.start({ kind: 'camera' });
      await pass(100);
      expect(pipeline.state.phase).toBe('starting');
      pipeline.stop();
      expect(pipeline.state.phase).toBe('idle');
      gates[held].resolve(undefined);
      await started;
      await pass(100);
      expect(log).toContain(`open ${held}`);
      expectAllClosed(log);
      expect(pipeline.state.phase).toBe('idle');
    });

    it(`fails when the ${held} cannot be opened, and closes the others`, async () => {
      const { parts, log, gates, pass } = bench([held]);
      const pipeline = createPipeline(options, parts);
      const started = pipeline.start({ kind: 'camera' });
      await pass(100);
      gates[held].reject(new Problem('no-camera', 'none here'));
      await started;
      expect(pipeline.state).toEqual({
        phase: 'failed',
        source: 'camera',
        problem: { kind: 'no-camera', message: 'none here' },
      });
      expect(opens(log)).toHaveLength(held === 'tracker' ? 2 : 1);
      expectAllClosed(log);
    });
  }

  it('that is stopped does not wait for the model to be loaded', () => {
    const { parts } = bench(['recognizer']);
    const signals: (AbortSignal | undefined)[] = [];
    const pipeline = createPipeline(options, {
      ...parts,
      openRecognizer: (request) => {
        signals.push(request.signal);
        return parts.openRecognizer(request);
      },
    });
    void pipeline.start({ kind: 'demo' });
    expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
    pipeline.stop();
    expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
  });

  it('opens a file last: it plays from then on', async () => {
    const { parts, log, pass } = bench();
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'file', file: new Blob() });
    await pass(10);
    expect(log).toEqual(['open recognizer', 'open tracker', 'open source']);
    pipeline.stop();
    expectAllClosed(log);
  });

  it('replaces the one before, whose parts are closed', async () => {
    const { parts, log, pass } = bench();
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'demo' });
    await pass(500);
    await pipeline.start({ kind: 'camera' });
    await pass(500);
    expect(running(pipeline).source).toBe('camera');
    expect(closes(log)).toEqual(['close recognizer', 'close source', 'close tracker']);
    pipeline.stop();
    expectAllClosed(log);
  });
});

describe('reading', () => {
  it('has one clip in flight, and then takes the newest', async () => {
    const { parts, predictions, world, pass } = bench();
    world.answerMs = null;
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'demo' });
    await pass(3000);
    expect(predictions).toHaveLength(1);
    predictions[0]?.answer.resolve(prediction(0.6));
    await pass(4500);
    expect(predictions).toHaveLength(2);
    expect(predictions[1]?.clip.endMs).toBeGreaterThanOrEqual(3000);
    pipeline.stop();
  });

  it('adapts the hop to the measured time', async () => {
    const { parts, predictions, world, pass } = bench();
    world.answerMs = 600;
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'demo' });
    await pass(9500);
    expect(running(pipeline).hopMs).toBe(900);
    const ends = predictions.map(({ clip }) => clip.endMs);
    const gaps = ends.slice(2).map((end, index) => end - (ends[index + 1] ?? 0));
    // A hop ends at the first look after it: 80 ms apart.
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(900);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(980);
    pipeline.stop();
  });

  it('drops a result that comes after stop', async () => {
    const { parts, predictions, world, pass } = bench();
    world.answerMs = null;
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'demo' });
    await pass(500);
    pipeline.stop();
    const states = watch(pipeline);
    await pipeline.start({ kind: 'demo' });
    await pass(80);
    predictions[0]?.answer.resolve(prediction(0.99));
    await pass(80);
    expect(states.every((state) => state.phase !== 'running' || state.reading === null)).toBe(true);
    pipeline.stop();
  });

  it('reports the death of the worker, and closes all', async () => {
    const { parts, predictions, world, log, pass } = bench();
    world.answerMs = null;
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'demo' });
    await pass(500);
    predictions[0]?.answer.reject(new Problem('worker-failed', 'it died'));
    await pass(10);
    expect(pipeline.state).toMatchObject({
      phase: 'failed',
      problem: { kind: 'worker-failed', message: 'it died' },
    });
    expectAllClosed(log);
  });

  it('reports a device that was lost', async () => {
    const { parts, sourceEnd, log, pass } = bench();
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'camera' });
    await pass(500);
    sourceEnd.resolve(new Problem('device-lost', 'unplugged'));
    await pass(10);
    expect(pipeline.state).toMatchObject({ phase: 'failed', problem: { kind: 'device-lost' } });
    expectAllClosed(log);
  });

  it('reads a file to its end, says so, and stays open until stop', async () => {
    const { parts, sourceEnd, predictions, log, pass } = bench();
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'file', file: new Blob() });
    await pass(1000);
    sourceEnd.resolve(null);
    await pass(500);
    expect(running(pipeline).ended).toBe(true);
    const count = predictions.length;
    await pass(5000);
    expect(predictions).toHaveLength(count);
    expect(running(pipeline).reading).not.toBe(null);
    pipeline.stop();
    expectAllClosed(log);
  });
});

describe('notices', () => {
  it('come when a face or sound is away, and clear themselves', async () => {
    const { parts, world, pass } = bench();
    const pipeline = createPipeline(options, parts);
    await pipeline.start({ kind: 'camera' });
    await pass(500);
    expect(running(pipeline).notices).toEqual([]);
    expect(running(pipeline).faceBox).not.toBe(null);
    world.face = false;
    world.loudness = 0;
    await pass(3500);
    expect(running(pipeline).notices).toEqual(['no-face', 'no-sound']);
    expect(running(pipeline).faceBox).toBe(null);
    expect(running(pipeline).reading).toBe(null);
    world.face = true;
    world.loudness = 0.1;
    await pass(500);
    expect(running(pipeline).notices).toEqual([]);
    pipeline.stop();
  });
});
