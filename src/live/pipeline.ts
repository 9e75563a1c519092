// The pipeline, once, top to bottom: source -> face -> clip -> recognizer -> reading -> smoothing -> state.
import { toProblem } from '../base/errors.ts';
import type { FaceBox } from '../clip/face.ts';
import type { Clip, ClipSpec } from '../clip/spec.ts';
import type { Recognizer } from '../inference/client.ts';
import type { BackendName } from '../inference/protocol.ts';
import { fixedModel } from './fixed-model.ts';
import { remember } from './history.ts';
import { hopFor, meanPredictionMs, minHopMs } from './hop.ts';
import { readOffer } from './model-list.ts';
import type { ModelWish, Offer } from './model-list.ts';
import type { ModelSwitch, Reader } from './model-switch.ts';
import { levelDb, silentDb } from './level.ts';
import { browserParts } from './parts.ts';
import type { Follower, Parts, SourceRequest } from './parts.ts';
import { smooth, smoothingGapMs } from './smoothing.ts';
import { isReadable, look, lookIntervalMs, toReading } from './steps.ts';
import { judge } from './verdict.ts';
import type { Verdict } from './verdict.ts';
import type { LiveState, Notice, Reading, RunningState, StartStep } from './state.ts';
import type { Source } from '../capture/source.ts';

export interface PipelineOptions {
  /** URL of the model's folder, ending in a slash; or the list to choose from. */
  readonly model: ModelWish;
  /** URL of the folder with MediaPipe's files, ending in a slash. */
  readonly assetsUrl: string;
  readonly backend: BackendName | 'auto';
}

export interface Pipeline {
  /** What happened so far; a new frozen snapshot for every change. */
  readonly state: LiveState;
  /** Calls `listener` with every snapshot from now on; the result ends that. */
  subscribe(listener: (state: LiveState) => void): () => void;
  /**
   * Ends what runs, then opens everything anew. Settles when readings can come, or when that failed or was stopped;
   * never rejects: a failure is a state.
   */
  start(source: SourceRequest): Promise<void>;
  /** Closes everything, also in the middle of a start. */
  stop(): void;
  /** Chooses another model of the list, also while it runs; nothing where a folder was named. @param choice `auto` or a name */
  chooseModel(choice: string): void;
}

/** A face that was missed for a moment keeps its box. */
const holdFaceMs = 300;

/** Without a face or with silence this long, the page says so. */
const noFaceMs = 1000;
const noSoundMs = 3000;

/** The level meter's window. */
const levelMs = 100;

/** One start: what it opened, and whether it is over. */
class Run {
  readonly #abort = new AbortController();
  readonly #opened: { close(): void }[] = [];

  /**
   * Waits for a part and remembers to close it; a part that comes after the end is closed at once.
   * @throws DOMException `AbortError` when the run has ended meanwhile
   */
  async keep<T extends { close(): void }>(opening: Promise<T>): Promise<T> {
    const part = await opening;
    if (this.isOver()) {
      part.close();
      this.signal.throwIfAborted();
    }
    this.#opened.push(part);
    return part;
  }

  /** Closes a part before the rest. */
  release(part: { close(): void }): void {
    const at = this.#opened.indexOf(part);
    if (at >= 0) this.#opened.splice(at, 1);
    part.close();
  }

  isOver(): boolean {
    return this.signal.aborted;
  }

  /** For parts whose opening takes long and need not be waited for. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  end(): void {
    this.#abort.abort();
    for (const part of this.#opened.splice(0).reverse()) part.close();
  }
}

export function createPipeline(options: PipelineOptions, parts: Parts = browserParts): Pipeline {
  let state: LiveState = Object.freeze({ phase: 'idle', source: 'demo' });
  let run: Run | null = null;
  let wish = options.model;
  let models: ModelSwitch | null = null;
  const listeners = new Set<(state: LiveState) => void>();

  function publish(next: LiveState): void {
    state = Object.freeze(next);
    for (const listener of [...listeners]) listener(state);
  }

  function fail(mine: Run, kind: SourceRequest['kind'], error: unknown): void {
    if (mine.isOver()) return;
    mine.end();
    const { kind: problem, message } = toProblem(error);
    publish({ phase: 'failed', source: kind, problem: Object.freeze({ kind: problem, message }) });
  }

  function stop(): void {
    if (run === null) return;
    const wasOver = run.isOver();
    run.end();
    run = null;
    models = null;
    if (!wasOver) publish({ phase: 'idle', source: state.source });
  }

  async function start(request: SourceRequest): Promise<void> {
    stop();
    const mine = new Run();
    run = mine;
    try {
      const { source, recognizer, offer, tracker } = await open(mine, request);
      const mySwitch = await offerModels(mine, source, recognizer, offer);
      if (mine.isOver()) return;
      models = mySwitch;
      follow(mine, source, mySwitch, tracker).catch((error: unknown) => {
        fail(mine, request.kind, error);
      });
    } catch (error) {
      fail(mine, request.kind, error);
    }
  }

  /**
   * A camera or the demo opens beside the recognizer: a permission is asked for at once. A file opens last, since it plays
   * from then on. The face detector needs the model's crop size.
   */
  async function open(mine: Run, request: SourceRequest) {
    let view: Source['view'] | null = null;
    let progress: { step: StartStep; fraction: number | null } = { step: 'backend', fraction: null };
    const openSource = async (): Promise<Source> => {
      const source = await mine.keep(parts.openSource(request));
      view = source.view;
      tell();
      return source;
    };
    const early = request.kind === 'file' ? null : openSource();
    const tell = (): void => {
      if (mine.isOver()) return;
      // Until the camera is open a permission may be asked for: that comes first.
      const shown =
        early !== null && view === null ? ({ step: 'devices', fraction: null } as const) : progress;
      publish({ phase: 'starting', source: request.kind, view, ...shown });
    };
    const reached = (step: StartStep, fraction: number | null = null): void => {
      progress = { step, fraction };
      tell();
    };
    const openModel = async () => {
      const offer: Offer =
        typeof wish === 'string' ? { models: [], url: wish } : await readOffer(wish, parts);
      const opening = parts.openRecognizer({
        modelUrl: offer.url,
        backend: options.backend,
        signal: mine.signal,
        onProgress: ({ stage, loadedBytes, totalBytes }) => {
          const known = stage === 'download' && totalBytes > 0;
          reached(stage, known ? Math.min(1, loadedBytes / totalBytes) : null);
        },
      });
      return { offer, recognizer: await mine.keep(opening) };
    };
    const opening = openModel();
    tell();
    const [{ offer, recognizer }] = await Promise.all([opening, early]);
    reached('face-detector');
    const { cropPx } = recognizer.model.clip;
    const tracker = await mine.keep(parts.openFaceTracker({ assetsUrl: options.assetsUrl, cropPx }));
    if (early === null) reached('devices');
    const source = await (early ?? openSource());
    return { source, recognizer, offer, tracker };
  }

  /** Further models are loaded beside the first while that reads. */
  async function offerModels(
    mine: Run,
    source: Source,
    recognizer: Recognizer,
    { models: listed, url }: Offer,
  ): Promise<ModelSwitch> {
    const createAssembler = (spec: ClipSpec) => parts.createAssembler(spec, source.sound);
    if (listed.length < 2 || typeof wish === 'string')
      return fixedModel({ url, recognizer, assembler: createAssembler(recognizer.model.clip) });
    const { createModelSwitch } = await import('./model-switch.ts');
    return createModelSwitch({
      models: listed,
      choice: wish.choice,
      first: { url, recognizer },
      open: (modelUrl, signal) =>
        mine.keep(parts.openRecognizer({ modelUrl, backend: options.backend, signal })),
      release: (part) => {
        mine.release(part);
      },
      createAssembler,
      nowMs: () => source.nowMs(),
      saveData: parts.savesData(),
      signal: mine.signal,
    });
  }

  /** The loop: a look every few hundredths of a second; every hop a clip, if the last one has been read. */
  async function follow(mine: Run, source: Source, switcher: ModelSwitch, tracker: Follower): Promise<void> {
    const beganMs = source.nowMs();

    let faceBox: FaceBox | null = null;
    let faceMs = beganMs;
    let soundMs = beganMs;
    let verdict: Verdict | null = null;
    let reading: Reading | null = null;
    let history: readonly Reading[] = Object.freeze([]);
    let hopMs = minHopMs;
    let meanMs: number | null = null;
    let cutMs = -Infinity;
    let looked = false;
    const now: { ended: boolean; inFlight: Promise<void> | null } = { ended: false, inFlight: null };

    void source.ended.then((problem) => {
      if (problem !== null) fail(mine, source.kind, problem);
      now.ended = true;
    });

    const tell = (): void => {
      if (mine.isOver()) return;
      const nowMs = source.nowMs();
      const level = source.sound === null ? null : levelDb(source.sound.read(nowMs, levelMs));
      if (level !== null && level > silentDb) soundMs = nowMs;
      const notices: Notice[] = [];
      if (!now.ended) {
        if (source.pictureProblem) notices.push('no-picture');
        else if (looked && nowMs - faceMs > noFaceMs) notices.push('no-face');
        if (source.sound === null) notices.push(source.kind === 'camera' ? 'no-microphone' : 'no-sound');
        else if (nowMs - soundMs > noSoundMs) notices.push('no-sound');
        if (reading === null && notices.length === 0) notices.push('filling');
      }
      const running: RunningState = {
        phase: 'running',
        source: source.kind,
        view: source.view,
        model: switcher.reader.recognizer.model,
        backend: switcher.reader.recognizer.backend,
        modelUrl: switcher.reader.url,
        modelStatus: switcher.status,
        notices: Object.freeze(notices),
        soundProblem:
          source.soundProblem === null
            ? null
            : Object.freeze({ kind: source.soundProblem.kind, message: source.soundProblem.message }),
        faceBox: nowMs - faceMs <= holdFaceMs ? faceBox : null,
        levelDb: level,
        reading,
        history,
        hopMs,
        ended: now.ended,
      };
      publish(running);
    };

    /** What a model with other labels said is forgotten. */
    const keepOnly = (labels: readonly string[]): void => {
      if (reading === null || Object.keys(reading.probabilities).join() === labels.join()) return;
      reading = verdict = null;
      history = Object.freeze([]);
    };

    const read = async (by: Reader, clip: Clip, box: FaceBox | null): Promise<void> => {
      const startedMs = parts.nowMs();
      const { model } = by.recognizer;
      const prediction = await by.recognizer.predict(clip);
      if (mine.isOver()) return;
      switcher.took(by, prediction);
      meanMs = meanPredictionMs(meanMs, parts.nowMs() - startedMs);
      hopMs = hopFor(meanMs);
      const smoothed = smooth(reading, toReading(clip, model, prediction, box));
      verdict = judge(verdict, smoothed, model.uncertainBelow);
      reading = Object.freeze({ ...smoothed, label: verdict.label });
      history = remember(history, reading);
      tell();
    };

    tell();
    for (let last = false; !mine.isOver() && !last;) {
      // The round after the end looks once more, so that the last moments are read too.
      last = now.ended;
      const roundMs = parts.nowMs();
      const seen = await look(source, tracker, switcher.cropSizesPx);
      if (last) await now.inFlight;
      if (mine.isOver()) return;
      const nowMs = source.nowMs();
      if (seen !== null) {
        switcher.addFace(seen.timeMs, seen.face);
        // The detector's first look takes long: only from then on can a face be missed.
        if (!looked || seen.face !== null) faceMs = nowMs;
        looked = true;
        if (seen.face !== null) faceBox = Object.freeze({ ...seen.face.box });
      }
      if (now.inFlight === null && switcher.settle(nowMs)) {
        meanMs = null;
        keepOnly(switcher.reader.recognizer.model.labels);
      }
      const by = switcher.reader;
      const { model } = by.recognizer;
      if (now.inFlight === null && nowMs - cutMs >= (last ? 1 : hopMs)) {
        const clip = by.assembler.cut(nowMs);
        if (isReadable(clip, model)) {
          cutMs = nowMs;
          const box = nowMs - faceMs <= holdFaceMs ? faceBox : null;
          now.inFlight = read(by, clip, box)
            .catch((error: unknown) => {
              if (!switcher.failed(by, error)) fail(mine, source.kind, error);
            })
            .finally(() => {
              now.inFlight = null;
            });
        } else if (nowMs - cutMs > smoothingGapMs) {
          // Nobody seen or heard for a while: the last reading is no longer about now.
          reading = null;
        }
      }
      tell();
      const intervalMs = lookIntervalMs(model.clip.frameIntervalMs);
      if (!last) await parts.sleep(Math.max(0, intervalMs - (parts.nowMs() - roundMs)));
    }
    await now.inFlight;
  }

  return {
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    start,
    stop,
    chooseModel(choice) {
      if (typeof wish === 'string') return;
      wish = { ...wish, choice };
      models?.choose(choice);
    },
  };
}
