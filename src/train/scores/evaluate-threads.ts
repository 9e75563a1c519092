// Threads that read a model's outputs, for as long as `evaluate` needs them.
import type { ClipSpec } from '../../clip/spec.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import type { EvaluateReply, EvaluateRequest, EvaluateThreadData } from './evaluate-worker.ts';
import type { FaceSet } from '../data/stills/faces.ts';
import type { PredictItems } from '../data/stills/predictor.ts';
import type { SharedFloats } from '../base/shared-array.ts';
import { spread, startThread } from '../base/threads.ts';
import type { Thread } from '../base/threads.ts';
import type { VoiceSet } from '../data/stills/voices.ts';

/** What reads: a model and where it runs. */
export interface Reader {
  readonly config: HicmaeConfig;
  readonly clip: ClipSpec;
  readonly params: SharedFloats;
  readonly backend: 'wasm' | 'webgpu';
  readonly threads: number;
}

type EvaluateThread = Thread<EvaluateRequest, EvaluateReply>;
type OnDone = (done: number, total: number) => void;

/** Starts threads, works with them, closes them. */
async function withThreads<T>(
  reader: Reader,
  rest: Omit<EvaluateThreadData, 'config' | 'clip' | 'params' | 'backend'>,
  work: (threads: readonly EvaluateThread[]) => Promise<T>,
): Promise<T> {
  const { config, clip, params, backend } = reader;
  const threads = Array.from({ length: reader.threads }, () =>
    startThread<EvaluateRequest, EvaluateReply>(new URL('./evaluate-worker.ts', import.meta.url), {
      config,
      clip,
      params,
      backend,
      ...rest,
    } satisfies EvaluateThreadData),
  );
  try {
    await Promise.all(threads.map((thread) => thread.call({ kind: 'start' })));
    return await work(threads);
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
}

const itemChunk = 32;
const sampleChunk = 8;

/**
 * The head's outputs of faces and voices in memory; both: they are pairs.
 * @param passes where in its clip each voice's window begins (0 the start, 1 the end), whether faces are seen mirrored, and
 *   which items are read so
 */
export async function readItems(
  reader: Reader,
  sets: { readonly faces: FaceSet | null; readonly voices: VoiceSet | null },
  ids: { readonly faces: Int32Array | null; readonly voices: Int32Array | null },
  passes: readonly (Pick<PredictItems, 'place' | 'mirrored'> & { readonly which: readonly number[] })[],
  onDone: OnDone,
): Promise<number[][][]> {
  const total = passes.reduce((sum, { which }) => sum + which.length, 0);
  const outputs: number[][][] = Array.from({ length: (ids.faces ?? ids.voices)?.length ?? 0 }, () => []);
  const requests = passes.flatMap(({ place, mirrored, which }) => {
    const chunks = Array.from({ length: Math.ceil(which.length / itemChunk) }, (_, k) =>
      which.slice(k * itemChunk, (k + 1) * itemChunk),
    );
    return chunks.map((chunk) => {
      const pick = (list: Int32Array | null): Int32Array | null =>
        list && Int32Array.from(chunk, (i) => list[i]!);
      const items: PredictItems = {
        faces: pick(ids.faces),
        voices: pick(ids.voices),
        place,
        mirrored,
        faceTokens: 'clip',
      };
      return { chunk, request: { kind: 'items', items } as const };
    });
  });
  const rest = {
    faces: sets.faces,
    voices: sets.voices,
    folders: [],
    frameStep: null,
    rollSeed: null,
    equalizers: null,
  } as const;
  const replies = await withThreads(reader, rest, (threads) =>
    spread(
      threads,
      requests.map(({ request }) => request),
      (done) => {
        onDone(Math.min(done * itemChunk, total), total);
      },
    ),
  );
  replies.forEach((reply, k) => {
    if (reply.kind !== 'items') throw new Error('internal: a thread answers another question');
    requests[k]!.chunk.forEach((i, n) => outputs[i]!.push(reply.outputs[n]!));
  });
  return outputs;
}

/**
 * The head's outputs of prepared samples, one row for each of the official test views.
 * @param ids numbers of samples in the folders
 */
export async function readSamples(
  reader: Reader,
  source: Pick<EvaluateThreadData, 'folders' | 'frameStep' | 'rollSeed' | 'equalizers'>,
  ids: readonly number[],
  parts: 'both' | 'picture' | 'sound',
  onDone: OnDone,
): Promise<number[][][]> {
  const requests = Array.from({ length: Math.ceil(ids.length / sampleChunk) }, (_, k): EvaluateRequest => ({
    kind: 'samples',
    ids: ids.slice(k * sampleChunk, (k + 1) * sampleChunk),
    parts,
  }));
  const replies = await withThreads(reader, { ...source, faces: null, voices: null }, (threads) =>
    spread(threads, requests, (done) => {
      onDone(Math.min(done * sampleChunk, ids.length), ids.length);
    }),
  );
  return replies.flatMap((reply) => (reply.kind === 'samples' ? reply.outputs : []));
}
