// Hand-made parts for tests of the sequence of states: a clock that jumps, and parts that count their closes.
import type { FaceObservation } from '../capture/face-protocol.ts';
import type { Problem } from '../base/errors.ts';
import type { Frame, Source } from '../capture/source.ts';
import type { Clip, ClipSpec } from '../clip/spec.ts';
import type { Prediction } from '../inference/protocol.ts';
import type { ListedModel } from '../live/model-list.ts';
import type { Parts, SourceRequest } from '../live/parts.ts';

const spec: ClipSpec = {
  frameCount: 16,
  frameIntervalMs: 160,
  cropPx: 4,
  color: 'rgb',
  sampleRateHz: 16000,
  soundMs: 2560,
  bandLimitHz: null,
  usualSpectrum: null,
  shortSound: 'official',
  mirrorView: false,
};

/** A promise and the ways to settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

export interface Bench {
  readonly parts: Parts;
  /** Names of the parts opened and closed, in order. */
  readonly log: string[];
  /** Settle these to let a start go on; settled already unless `gates` named them. */
  readonly gates: Readonly<Record<'source' | 'recognizer' | 'tracker', Deferred<undefined>>>;
  /** Every clip that was sent for a prediction, with the way to answer it. */
  readonly predictions: { readonly clip: Clip; readonly answer: Deferred<Prediction> }[];
  /** What the world shows; tests change it. */
  readonly world: {
    face: boolean;
    loudness: number;
    answerMs: number | null;
    /** What `listModels` gives; a reading of one of them takes its `inferenceMs`. */
    models: readonly FakeModel[];
    saveData: boolean;
  };
  readonly sourceEnd: Deferred<Problem | null>;
  /** Lets this much time pass, with everything that happens in it. */
  readonly pass: (durationMs: number) => Promise<void>;
}

export function prediction(happy: number, modalities = { face: true, voice: true }): Prediction {
  return { probabilities: Float32Array.of(happy, 1 - happy), modalities, inferenceMs: 5 };
}

export interface FakeModel extends ListedModel {
  inferenceMs: number;
  readonly cropPx: number;
  readonly labels: readonly string[];
  /** Settle it to let the model be loaded; absent: at once. */
  readonly gate?: Deferred<undefined>;
}

/** @param held parts that do not open before their gate is settled */
export function bench(held: readonly ('source' | 'recognizer' | 'tracker')[] = []): Bench {
  const log: string[] = [];
  const gates = {
    source: deferred<undefined>(),
    recognizer: deferred<undefined>(),
    tracker: deferred<undefined>(),
  };
  for (const name of ['source', 'recognizer', 'tracker'] as const)
    if (!held.includes(name)) gates[name].resolve(undefined);
  const predictions: Bench['predictions'] = [];
  const world: Bench['world'] = { face: true, loudness: 0.1, answerMs: 0, models: [], saveData: false };
  const sourceEnd = deferred<Problem | null>();
  let clockMs = 0;
  const sleepers: { readonly untilMs: number; readonly wake: () => void }[] = [];
  const sleep = (durationMs: number): Promise<void> =>
    new Promise((wake) => {
      sleepers.push({ untilMs: clockMs + durationMs, wake });
    });
  const opened = async <T extends object>(
    name: keyof typeof gates,
    part: T,
  ): Promise<T & { close(): void }> => {
    await gates[name].promise;
    log.push(`open ${name}`);
    return {
      ...part,
      close: () => {
        log.push(`close ${name}`);
      },
    };
  };
  const settle = async (): Promise<void> => {
    for (let k = 0; k < 30; k++) await Promise.resolve();
  };

  const parts: Parts = {
    openSource: (request: SourceRequest, pace = 'realtime') =>
      opened('source', {
        kind: request.kind,
        view: {} as Source['view'],
        sound: {
          read: (_endMs: number, durationMs: number) =>
            new Float32Array(durationMs * 16).fill(world.loudness),
        },
        soundProblem: null,
        pictureProblem: null,
        nowMs: () => clockMs,
        grabFrame: (): Promise<Frame | null> =>
          Promise.resolve({ bitmap: {} as ImageBitmap, timeMs: clockMs }),
        ended: sourceEnd.promise,
        durationMs: request.kind === 'file' ? 3000 : null,
        step:
          pace === 'stepped'
            ? (timeMs: number) => {
                clockMs = timeMs;
                return Promise.resolve();
              }
            : null,
      }),
    async openRecognizer({ onProgress, modelUrl }) {
      onProgress?.({ stage: 'download', loadedBytes: 50, totalBytes: 100 });
      const listed = world.models.find(({ url }) => url === modelUrl);
      if (listed !== undefined) {
        await listed.gate?.promise;
        log.push(`open ${listed.name}`);
        const { name, labels, cropPx } = listed;
        return {
          model: { name, labels, clip: { ...spec, cropPx }, missingModalities: true, uncertainBelow: 0 },
          backend: { name: 'cpu', reason: 'fake' } as const,
          predict: async (clip: Clip) => {
            const { inferenceMs } = listed;
            const answer = deferred<Prediction>();
            predictions.push({ clip, answer });
            if (inferenceMs < 0) throw new Error('the fake model broke');
            await sleep(inferenceMs);
            return { ...prediction(0.8), inferenceMs };
          },
          close: () => {
            log.push(`close ${name}`);
          },
        };
      }
      return opened('recognizer', {
        model: {
          name: 'fake',
          labels: ['happy', 'sad'],
          clip: spec,
          missingModalities: true,
          uncertainBelow: 0,
        },
        backend: { name: 'cpu', reason: 'fake' } as const,
        predict: (clip: Clip) => {
          const answer = deferred<Prediction>();
          predictions.push({ clip, answer });
          const { answerMs } = world;
          if (answerMs === 0) answer.resolve(prediction(0.8));
          else if (answerMs !== null) {
            void sleep(answerMs).then(() => {
              answer.resolve(prediction(0.8));
            });
          }
          return answer.promise;
        },
      });
    },
    listModels: () => Promise.resolve(world.models),
    savesData: () => world.saveData,
    openFaceTracker: () =>
      opened('tracker', {
        track: (_bitmap: ImageBitmap, timeMs: number, sizesPx: readonly number[] = [4]) =>
          Promise.resolve(world.face ? observation(timeMs, sizesPx) : null),
      }),
    createAssembler: ({ cropPx }) => ({
      addFace: (_timeMs, face) => {
        if (face !== null && face.crop.length !== cropPx * cropPx * 3)
          throw new Error('a crop of another model');
      },
      cut: (endMs) => {
        if (!world.face && world.loudness === 0) return null;
        const frames = world.face ? new Uint8ClampedArray(16 * cropPx * cropPx * 3) : null;
        const samples = world.loudness > 0 ? new Float32Array(40960) : null;
        return { endMs, frames, samples, equalizer: null };
      },
    }),
    nowMs: () => clockMs,
    sleep,
  };

  return {
    parts,
    log,
    gates,
    predictions,
    world,
    sourceEnd,
    async pass(durationMs) {
      const endMs = clockMs + durationMs;
      await settle();
      for (;;) {
        const next = sleepers.sort((a, b) => a.untilMs - b.untilMs)[0];
        if (next === undefined || next.untilMs > endMs) break;
        sleepers.shift();
        clockMs = Math.max(clockMs, next.untilMs);
        next.wake();
        await settle();
      }
      clockMs = endMs;
      await settle();
    },
  };
}

function observation(timeMs: number, sizesPx: readonly number[]): FaceObservation {
  const point = { x: 0.5, y: 0.5 };
  const [crop = new Uint8ClampedArray(0), ...otherCrops] = sizesPx.map(
    (sidePx) => new Uint8ClampedArray(sidePx * sidePx * 3),
  );
  return {
    timeMs,
    score: 1,
    box: { x: 0.25, y: 0.25, width: 0.5, height: 0.5 },
    points: { rightEye: point, leftEye: point, mouth: point },
    crop,
    otherCrops,
  };
}
