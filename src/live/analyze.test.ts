// Analysis of a file with hand-made parts: exact hop times, unsmoothed, everything closed.
import { describe, expect, it } from 'vitest';
import { Problem } from '../base/errors.ts';
import { createClipAssembler } from '../capture/clip-assembler.ts';
import { wholeSound } from '../capture/sound-ring.ts';
import { analyzeFile } from './analyze.ts';
import { bench, prediction } from '../testing/live-fakes.ts';

const options = { model: 'model/', assetsUrl: 'assets/', backend: 'auto' } as const;
const file = new Blob();

function expectAllClosed(log: readonly string[]): void {
  const names = (verb: string): string[] =>
    log.filter((entry) => entry.startsWith(verb)).map((entry) => entry.slice(verb.length));
  expect(names('open')).toHaveLength(3);
  expect(names('close').sort()).toEqual(names('open').sort());
}

describe('analyzeFile', () => {
  it('reads at multiples of the hop to the end, unsmoothed, and closes all', async () => {
    const { parts, world, predictions, log } = bench();
    world.answerMs = null;
    const told: number[] = [];
    // Raw probabilities that alternate: smoothing would show.
    const answering = setInterval(() => {
      predictions.forEach(({ answer }, index) => answer.resolve(prediction(index % 2)));
    }, 1);
    const analysis = await analyzeFile(
      file,
      { ...options, hopMs: 500, onReading: ({ timeMs }) => told.push(timeMs) },
      parts,
    );
    clearInterval(answering);
    expect(analysis.durationMs).toBe(3000);
    expect(analysis.readings.map(({ timeMs }) => timeMs)).toEqual([500, 1000, 1500, 2000, 2500, 3000]);
    expect(told).toEqual(analysis.readings.map(({ timeMs }) => timeMs));
    expect(analysis.readings.map(({ probabilities }) => probabilities['happy'])).toEqual([0, 1, 0, 1, 0, 1]);
    expectAllClosed(log);
  });

  it.each([
    { modality: 'face', face: true, voice: false },
    { modality: 'voice', face: false, voice: true },
  ])('reads a short clip from 1 s on by its $modality, to its very end', async ({ face, voice }) => {
    const { parts, world, predictions } = bench();
    world.face = face;
    const syllables = Float32Array.from({ length: 3.007 * 16000 }, (_, i) =>
      voice && i % 6400 < 3200 ? 0.1 * Math.sin(i / 10) : 0,
    );
    const { readings } = await analyzeFile(file, options, {
      ...parts,
      openSource: async (request, pace) => ({
        ...(await parts.openSource(request, pace)),
        sound: wholeSound(syllables),
        durationMs: 3007,
      }),
      createAssembler: (spec, sound) =>
        createClipAssembler({ ...spec, frameCount: 4, frameIntervalMs: 640 }, sound),
    });
    expect(readings.map(({ timeMs }) => timeMs)).toEqual([1000, 1500, 2000, 2500, 3000]);
    for (const { clip } of predictions) {
      expect(clip.frames?.length ?? null).toBe(face ? 4 * 4 * 4 * 3 : null);
      expect(clip.samples?.length ?? null).toBe(voice ? 40960 : null);
    }
  });

  it('has no reading where there is neither face nor voice', async () => {
    const { parts, world, log } = bench();
    world.face = false;
    world.loudness = 0;
    expect((await analyzeFile(file, options, parts)).readings).toEqual([]);
    expectAllClosed(log);
  });

  it('ends at the signal, and closes all', async () => {
    const { parts, log } = bench();
    const abort = new AbortController();
    const onReading = (): void => {
      abort.abort(new Error('enough'));
    };
    await expect(analyzeFile(file, { ...options, onReading, signal: abort.signal }, parts)).rejects.toThrow(
      'enough',
    );
    expectAllClosed(log);
  });

  it('throws what the recognizer throws, and closes all', async () => {
    const { parts, world, predictions, log, pass } = bench();
    world.answerMs = null;
    const work = analyzeFile(file, options, parts);
    const outcome = expect(work).rejects.toMatchObject({ kind: 'worker-failed' });
    while (predictions.length === 0) await pass(0);
    predictions[0]?.answer.reject(new Problem('worker-failed', 'it died'));
    await outcome;
    expectAllClosed(log);
  });

  it('refuses a hop that is no positive number', async () => {
    await expect(analyzeFile(file, { ...options, hopMs: 0 }, bench().parts)).rejects.toThrow('hopMs is 0');
  });
});
