// Reads a whole media file with the live path's own steps, but on the file's clock: the same file gives the same readings.
import { Problem } from '../base/errors.ts';
import type { FaceBox } from '../clip/face.ts';
import { readOffer } from './model-list.ts';
import { browserParts } from './parts.ts';
import type { Parts } from './parts.ts';
import type { PipelineOptions } from './pipeline.ts';
import { isReadable, look, lookIntervalMs, toReading } from './steps.ts';
import type { Reading } from './state.ts';

export interface AnalyzeFileOptions extends PipelineOptions {
  /** Media time between readings, milliseconds, above 0; 500 if absent. */
  readonly hopMs?: number;
  /** Called with each reading as soon as it is there. */
  readonly onReading?: (reading: Reading) => void;
  /** Ends the analysis; it then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Analysis {
  readonly durationMs: number;
  /** Unsmoothed, at multiples of hopMs; none where neither a face was seen nor a voice heard. */
  readonly readings: readonly Reading[];
}

/** @throws Problem when the file, the model or the face detector cannot be opened or fails; the signal's reason */
export async function analyzeFile(
  file: Blob,
  options: AnalyzeFileOptions,
  parts: Parts = browserParts,
): Promise<Analysis> {
  const { hopMs = 500, signal, onReading } = options;
  if (!(hopMs > 0)) throw new RangeError(`hopMs is ${String(hopMs)}: a number above 0 is wanted.`);
  signal?.throwIfAborted();
  const opened: { close(): void }[] = [];
  const keep = <T extends { close(): void }>(part: T): T => {
    opened.push(part);
    return part;
  };
  try {
    const source = keep(await parts.openSource({ kind: 'file', file }, 'stepped'));
    const { step, durationMs } = source;
    if (step === null || durationMs === null) {
      throw new Problem('internal', 'internal: the file was not opened for stepping');
    }
    signal?.throwIfAborted();
    const { model: wish } = options;
    // Of a list the smallest, or the chosen one: what a file says must not depend on the machine.
    const modelUrl = typeof wish === 'string' ? wish : (await readOffer(wish, parts)).url;
    const recognizer = keep(
      await parts.openRecognizer({
        modelUrl,
        backend: options.backend,
      }),
    );
    const { model } = recognizer;
    const { clip: spec } = model;
    const tracker = keep(await parts.openFaceTracker({ assetsUrl: options.assetsUrl, cropPx: spec.cropPx }));
    const assembler = parts.createAssembler(spec, source.sound);
    const intervalMs = lookIntervalMs(spec.frameIntervalMs);
    const readings: Reading[] = [];
    let faceBox: FaceBox | null = null;
    let looks = 0;
    for (let hop = 1; hop * hopMs <= durationMs; hop++) {
      const timeMs = hop * hopMs;
      for (; looks * intervalMs <= timeMs; looks++) {
        signal?.throwIfAborted();
        await step(looks * intervalMs);
        const seen = await look(source, tracker);
        if (seen === null) continue;
        assembler.addFace(seen.timeMs, seen.face);
        faceBox = seen.face === null ? null : Object.freeze({ ...seen.face.box });
      }
      const clip = assembler.cut(timeMs);
      if (!isReadable(clip, model)) continue;
      const prediction = await recognizer.predict(clip);
      signal?.throwIfAborted();
      const reading = toReading(clip, model, prediction, faceBox);
      readings.push(reading);
      onReading?.(reading);
    }
    return Object.freeze({ durationMs, readings: Object.freeze(readings) });
  } finally {
    for (const part of opened.reverse()) part.close();
  }
}
