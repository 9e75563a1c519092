// Models that take over from each other while readings go on, in the pipeline, with hand-made parts on a clock that jumps.
import { describe, expect, it } from 'vitest';
import { bench, deferred } from '../testing/live-fakes.ts';
import type { Bench, FakeModel } from '../testing/live-fakes.ts';
import { createPipeline } from './pipeline.ts';
import type { Pipeline } from './pipeline.ts';
import type { RunningState } from './state.ts';

const listUrl = 'https://example.org/models/models.json';

/** The larger has 10 times the multiply-adds: by the rule 7.6 times the time. */
function twoModels(): { readonly small: FakeModel; readonly large: FakeModel } {
  const common = { bytes: 1e6, labels: ['happy', 'sad'] };
  return {
    small: { ...common, name: 'small', url: 'small/', multiplyAdds: 1e8, inferenceMs: 20, cropPx: 4 },
    large: { ...common, name: 'large', url: 'large/', multiplyAdds: 1e9, inferenceMs: 200, cropPx: 6 },
  };
}

function begin(
  models: readonly FakeModel[],
  choice = 'auto',
  saveData = false,
): Bench & { pipeline: Pipeline } {
  const made = bench();
  Object.assign(made.world, { models, saveData });
  const pipeline = createPipeline(
    { model: { listUrl, choice }, assetsUrl: 'assets/', backend: 'auto' },
    made.parts,
  );
  return { ...made, pipeline };
}

function running({ state }: Pipeline): RunningState {
  if (state.phase !== 'running') throw new Error(`it is ${state.phase}`);
  return state;
}

function expectAllClosed(log: readonly string[]): void {
  const of = (word: string): string[] =>
    log.filter((entry) => entry.startsWith(word)).map((entry) => entry.slice(word.length));
  expect(of('close').sort()).toEqual(of('open').sort());
}

describe('auto', () => {
  it('begins with the smallest, loads a larger one that fits beside it, and lets it take over', async () => {
    const { small, large } = twoModels();
    const gate = deferred<undefined>();
    const { pipeline, log, predictions, pass } = begin([small, { ...large, gate }]);
    await pipeline.start({ kind: 'demo' });
    expect(running(pipeline).model.name).toBe('small');
    expect(running(pipeline).modelStatus).toEqual({ why: 'measuring' });
    await pass(4000);
    expect(running(pipeline).modelStatus).toEqual({ why: 'loading', other: 'large' });
    // Nothing waits for it.
    const count = predictions.length;
    await pass(3000);
    expect(predictions.length).toBeGreaterThan(count + 8);
    expect(running(pipeline)).toMatchObject({ model: { name: 'small' }, modelUrl: 'small/' });
    gate.resolve(undefined);
    // It is shown a clip's length of faces in its own size first.
    await pass(2000);
    expect(running(pipeline).model.name).toBe('small');
    await pass(1000);
    expect(running(pipeline)).toMatchObject({ model: { name: 'large' }, modelUrl: 'large/' });
    expect(log).not.toContain('close small');
    await pass(4000);
    expect(running(pipeline).modelStatus).toEqual({ why: 'largest' });
    expect(predictions.at(-1)?.clip.frames?.length).toBe(16 * 6 * 6 * 3);
    // It kept its promise: the smaller one is let go.
    expect(log.filter((entry) => entry.endsWith('small'))).toEqual(['open small', 'close small']);
    expect(running(pipeline).history.length).toBeGreaterThan(20);
    pipeline.stop();
    expectAllClosed(log);
  });

  it('stays, and says why, when the next would be too slow', async () => {
    const { small, large } = twoModels();
    const { pipeline, log, pass } = begin([{ ...small, inferenceMs: 100 }, large]);
    await pipeline.start({ kind: 'demo' });
    await pass(6000);
    const { modelStatus } = running(pipeline);
    expect(modelStatus).toMatchObject({ why: 'next-too-slow', other: 'large' });
    expect(modelStatus?.why === 'next-too-slow' && Math.round(modelStatus.otherMs)).toBe(759);
    expect(log).not.toContain('open large');
    pipeline.stop();
    expectAllClosed(log);
  });

  it('goes back aloud from one that takes twice the promised hop, and does not try it again', async () => {
    const { small, large } = twoModels();
    const { pipeline, log, pass } = begin([small, { ...large, inferenceMs: 1300 }]);
    await pipeline.start({ kind: 'demo' });
    await pass(7000);
    expect(running(pipeline).model.name).toBe('large');
    await pass(13_000);
    expect(running(pipeline).model.name).toBe('small');
    expect(running(pipeline).modelStatus).toEqual({ why: 'went-back', other: 'large', otherMs: 1300 });
    await pass(20_000);
    expect(running(pipeline).modelStatus).toEqual({ why: 'went-back', other: 'large', otherMs: 1300 });
    expect(log.filter((entry) => entry === 'open large')).toHaveLength(1);
    // The smaller one had been kept for that.
    expect(log.filter((entry) => entry === 'open small')).toHaveLength(1);
    pipeline.stop();
    expectAllClosed(log);
  });

  it('goes back from one that fails on trial', async () => {
    const { small, large } = twoModels();
    const { pipeline, log, pass } = begin([small, { ...large, inferenceMs: -1 }]);
    await pipeline.start({ kind: 'demo' });
    await pass(9000);
    expect(running(pipeline).model.name).toBe('small');
    expect(running(pipeline).modelStatus).toMatchObject({ why: 'failed', other: 'large' });
    expect(log).toContain('close large');
    pipeline.stop();
    expectAllClosed(log);
  });

  it('goes on when the larger one cannot be loaded', async () => {
    const { small, large } = twoModels();
    const gate = deferred<undefined>();
    const { pipeline, log, pass } = begin([small, { ...large, gate }]);
    await pipeline.start({ kind: 'demo' });
    await pass(4000);
    gate.reject(new Error('no room'));
    await pass(6000);
    expect(running(pipeline).model.name).toBe('small');
    expect(running(pipeline).modelStatus).toMatchObject({ why: 'failed', other: 'large' });
    pipeline.stop();
    expectAllClosed(log);
  });

  it('loads nothing further where data is to be saved', async () => {
    const { small, large } = twoModels();
    const { pipeline, log, pass } = begin([small, large], 'auto', true);
    await pipeline.start({ kind: 'demo' });
    await pass(8000);
    expect(running(pipeline).modelStatus).toEqual({ why: 'save-data' });
    expect(log).not.toContain('open large');
    pipeline.stop();
  });

  it('is just the model, without a word, where only one is listed', async () => {
    const { small } = twoModels();
    const { pipeline, log, pass } = begin([small]);
    await pipeline.start({ kind: 'demo' });
    await pass(8000);
    expect(running(pipeline)).toMatchObject({ model: { name: 'small' }, modelStatus: null });
    expect(log.filter((entry) => entry.startsWith('open '))).toHaveLength(3);
    pipeline.stop();
    expectAllClosed(log);
  });

  it('can be stopped while the larger one is loaded: what comes late is closed', async () => {
    const { small, large } = twoModels();
    const gate = deferred<undefined>();
    const { pipeline, log, pass } = begin([small, { ...large, gate }]);
    await pipeline.start({ kind: 'demo' });
    await pass(4000);
    pipeline.stop();
    gate.resolve(undefined);
    await pass(100);
    expect(log).toContain('open large');
    expectAllClosed(log);
  });
});

describe('a choice by hand', () => {
  it('is what a start loads', async () => {
    const { small, large } = twoModels();
    const { pipeline, log, pass } = begin([small, large], 'large');
    await pipeline.start({ kind: 'demo' });
    await pass(3000);
    expect(running(pipeline)).toMatchObject({ model: { name: 'large' }, modelStatus: { why: 'by-hand' } });
    expect(log).not.toContain('open small');
    pipeline.stop();
  });

  it('of no listed name is a failure in plain words', async () => {
    const { small, large } = twoModels();
    const { pipeline } = begin([small, large], 'huge');
    await pipeline.start({ kind: 'demo' });
    expect(pipeline.state).toMatchObject({
      phase: 'failed',
      problem: {
        kind: 'model-missing',
        message: expect.stringContaining('choose auto, small, large') as string,
      },
    });
  });

  it('takes over while running, and stays however slow it is; other labels begin anew', async () => {
    const { small, large } = twoModels();
    const slow = { ...large, inferenceMs: 1500, labels: ['calm', 'excited'] };
    const { pipeline, log, pass } = begin([small, slow]);
    await pipeline.start({ kind: 'demo' });
    await pass(1500);
    pipeline.chooseModel('large');
    await pass(4500);
    expect(log).toContain('close small');
    expect(running(pipeline).model.name).toBe('large');
    await pass(15_000);
    expect(running(pipeline).modelStatus).toEqual({ why: 'by-hand' });
    expect(new Set(running(pipeline).history.flatMap((each) => Object.keys(each.probabilities)))).toEqual(
      new Set(['calm', 'excited']),
    );
    // Back to the machine's choice: it is too slow for that.
    pipeline.chooseModel('auto');
    await pass(25_000);
    expect(running(pipeline).model.name).toBe('small');
    pipeline.stop();
    expectAllClosed(log);
  });

  it('replaces one that is still being loaded', async () => {
    const { small, large } = twoModels();
    const gate = deferred<undefined>();
    const { pipeline, log, pass } = begin([small, { ...large, gate }]);
    await pipeline.start({ kind: 'demo' });
    await pass(1000);
    pipeline.chooseModel('large');
    await pass(100);
    pipeline.chooseModel('small');
    gate.resolve(undefined);
    await pass(5000);
    expect(running(pipeline)).toMatchObject({ model: { name: 'small' }, modelStatus: { why: 'by-hand' } });
    expect(log.filter((entry) => entry.endsWith('large'))).toEqual(['open large', 'close large']);
    pipeline.stop();
    expectAllClosed(log);
  });
});
