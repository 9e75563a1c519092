// Which of the loaded models reads now: another one is loaded in a worker of its own while readings go on, is shown the
// faces for a clip's length, and then takes the place of the old one.
import { toProblem } from '../base/errors.ts';
import type { ClipAssembler } from '../capture/clip-assembler.ts';
import type { FaceObservation } from '../capture/face-protocol.ts';
import type { ClipSpec } from '../clip/spec.ts';
import type { Recognizer } from '../inference/client.ts';
import { brokenPromiseMs, measuredMs, median, predictedMs, suitedModel } from './model-choice.ts';
import type { ModelStatus, Took } from './model-choice.ts';
import type { ListedModel } from './model-list.ts';

/** A loaded model, with the faces that it has been shown. */
export interface Reader {
  readonly url: string;
  readonly recognizer: Recognizer;
  readonly assembler: ClipAssembler;
}

export interface ModelSwitch {
  /** What reads now. */
  readonly reader: Reader;
  /** Why it does; null where there is no choice. */
  readonly status: ModelStatus | null;
  /** Sides of the crops that `addFace` wants: the first is `crop`, the rest are `otherCrops`. */
  readonly cropSizesPx: readonly number[];
  addFace(timeMs: number, face: FaceObservation | null): void;
  /** After each reading. */
  took(by: Reader, took: Took): void;
  /** Between two readings: lets a model that is ready take over. @returns whether `reader` is another one now */
  settle(nowMs: number): boolean;
  /** @param choice a listed model's name, or `auto` */
  choose(choice: string): void;
  /** A reading failed. @returns whether another model takes over */
  failed(by: Reader, error: unknown): boolean;
}

export interface SwitchOptions {
  /** Smallest first; with fewer than two there is nothing to choose. */
  readonly models: readonly ListedModel[];
  readonly choice: string;
  /** What was loaded first. */
  readonly first: Pick<Reader, 'url' | 'recognizer'>;
  /** Loads a model in another worker. */
  readonly open: (url: string, signal: AbortSignal) => Promise<Recognizer>;
  /** Closes what `open` gave, or the first recognizer. */
  readonly release: (recognizer: Recognizer) => void;
  readonly createAssembler: (spec: ClipSpec) => ClipAssembler;
  /** The source's clock. */
  readonly nowMs: () => number;
  /** The person asked to save data: `auto` loads nothing further. */
  readonly saveData: boolean;
  /** Everything ends. */
  readonly signal: AbortSignal;
}

/** A model on its way to the reader's place. */
interface Coming {
  readonly model: ListedModel;
  readonly abort: AbortController;
  /** What is said once it reads. */
  readonly status: ModelStatus;
  reader: Reader | null;
  readyMs: number;
}

/** Readings over whose median a promise can be broken. */
const judgedReadings = 3;

export function createModelSwitch(options: SwitchOptions): ModelSwitch {
  const { models, open, release, createAssembler, nowMs } = options;
  const hasChoice = models.length > 1;
  const wrap = (url: string, recognizer: Recognizer): Reader => ({
    url,
    recognizer,
    assembler: createAssembler(recognizer.model.clip),
  });
  const listed = (url: string): ListedModel | undefined => models.find((model) => model.url === url);

  let { choice } = options;
  let reader = wrap(options.first.url, options.first.recognizer);
  /** The smaller one that read before, until the larger has kept its promise. */
  let before: Reader | null = null;
  let coming: Coming | null = null;
  let took: Took[] = [];
  /** `auto` does not try these again. */
  const givenUp = new Set<ListedModel>();
  /** `auto` was chosen over a model that may be too large: it may also go down without a broken promise. */
  let afresh = false;
  let decided = false;
  let status: ModelStatus = { why: 'measuring' };

  const readers = (): Reader[] => [reader, before, coming?.reader ?? null].filter((each) => each !== null);

  /** Each side once, the reader's first. */
  const cropSizes = (): number[] => [
    ...new Set(readers().map(({ recognizer }) => recognizer.model.clip.cropPx)),
  ];

  const cancel = (): void => {
    const ended = coming;
    coming = null;
    ended?.abort.abort();
    if (ended?.reader) release(ended.reader.recognizer);
  };

  const forgetBefore = (): void => {
    if (before !== null) release(before.recognizer);
    before = null;
  };

  /** Loads a model to take over. @param then what is said from then on */
  const bring = (model: ListedModel, then: ModelStatus): void => {
    cancel();
    const abort = new AbortController();
    const mine: Coming = { model, abort, status: then, reader: null, readyMs: 0 };
    coming = mine;
    if (before?.url === model.url) {
      mine.reader = before;
      mine.readyMs = -Infinity;
      before = null;
      status = then;
      return;
    }
    status = { why: 'loading', other: model.name };
    options.signal.addEventListener('abort', () => {
      abort.abort();
    });
    open(model.url, abort.signal).then(
      (recognizer) => {
        if (coming !== mine) {
          release(recognizer);
          return;
        }
        mine.reader = wrap(model.url, recognizer);
        const { frameCount, frameIntervalMs } = recognizer.model.clip;
        mine.readyMs = nowMs() + (frameCount - 1) * frameIntervalMs;
      },
      (error: unknown) => {
        if (coming !== mine) return;
        coming = null;
        givenUp.add(model);
        status = { why: 'failed', other: model.name, message: toProblem(error).message };
      },
    );
  };

  const begin = (): void => {
    took = [];
    decided = false;
  };

  const decide = (running: ListedModel, ms: number): void => {
    const next = models[models.indexOf(running) + 1];
    const first = !decided;
    decided = true;
    if (next === undefined && !afresh) {
      status = { why: 'largest' };
      return;
    }
    if (options.saveData) {
      status = { why: 'save-data' };
      return;
    }
    const suited = suitedModel(
      models.filter((model) => !givenUp.has(model)),
      running,
      ms,
    );
    const goes = afresh ? suited !== running : suited.multiplyAdds > running.multiplyAdds;
    afresh = false;
    if (goes) bring(suited, { why: 'measuring' });
    else if (next === undefined) status = { why: 'largest' };
    else if (first && !givenUp.has(next)) {
      status = { why: 'next-too-slow', other: next.name, otherMs: predictedMs(running, ms, next) };
    }
  };

  /** A larger model is too slow after all: the one before takes over again, or the largest that is not. */
  const goBack = (running: ListedModel, ms: number): void => {
    for (const model of models.slice(models.indexOf(running))) givenUp.add(model);
    const left = models.filter((model) => !givenUp.has(model));
    const target = left.find(({ url }) => url === before?.url) ?? suitedModel(left, running, ms);
    bring(target, { why: 'went-back', other: running.name, otherMs: ms });
  };

  const choose = (wanted: string): void => {
    if (!hasChoice) return;
    choice = wanted;
    givenUp.clear();
    cancel();
    begin();
    if (choice === 'auto') {
      afresh = true;
      status = { why: 'measuring' };
      return;
    }
    const model = models.find(({ name }) => name === choice);
    if (model === undefined || model.url === reader.url) status = { why: 'by-hand' };
    else bring(model, { why: 'by-hand' });
    forgetBefore();
  };

  if (choice !== 'auto') choose(choice);

  return {
    get reader() {
      return reader;
    },
    get status() {
      return hasChoice ? Object.freeze(status) : null;
    },
    get cropSizesPx() {
      return cropSizes();
    },
    addFace(timeMs, face) {
      const crops = face === null ? [] : [face.crop, ...(face.otherCrops ?? [])];
      const sizes = crops.map(({ length }) => length);
      for (const { assembler, recognizer } of readers()) {
        const { cropPx } = recognizer.model.clip;
        const crop = crops[sizes.indexOf(3 * cropPx * cropPx)];
        // A model that came while this look was taken has no crop in it.
        if (face === null) assembler.addFace(timeMs, null);
        else if (crop !== undefined) assembler.addFace(timeMs, { ...face, crop });
      }
    },
    took(by, latest) {
      const running = listed(reader.url);
      if (!hasChoice || by !== reader || running === undefined) return;
      if (choice !== 'auto' || coming !== null) return;
      took.push(latest);
      const judged = took.slice(1).slice(-judgedReadings);
      const judgedMs = median(judged.map(({ inferenceMs }) => inferenceMs));
      if (judged.length === judgedReadings && judgedMs > brokenPromiseMs && running !== models[0]) {
        goBack(running, judgedMs);
        return;
      }
      const ms = measuredMs(took);
      if (ms === null) return;
      forgetBefore();
      decide(running, ms);
      took = took.slice(-1);
    },
    settle(now) {
      if (coming?.reader == null || now < coming.readyMs) return false;
      const old = reader;
      const [oldModel, model] = [listed(old.url), coming.model];
      reader = coming.reader;
      status = coming.status;
      coming = null;
      begin();
      forgetBefore();
      const isTrial =
        choice === 'auto' && oldModel !== undefined && model.multiplyAdds > oldModel.multiplyAdds;
      if (isTrial) before = old;
      else release(old.recognizer);
      return true;
    },
    choose,
    failed(by, error) {
      const running = listed(reader.url);
      const target = before && listed(before.url);
      if (by !== reader || running === undefined || !target) return false;
      givenUp.add(running);
      bring(target, { why: 'failed', other: running.name, message: toProblem(error).message });
      return true;
    },
  };
}
