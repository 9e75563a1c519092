// Which faces and voices a step sees. Everything follows from seed and step, so a resumed run draws what an uninterrupted one does.
import { random } from '../../base/random.ts';
import type { Random } from '../../base/random.ts';
import { emotions } from '../../model/labels.ts';
import type { FaceSet } from '../data/stills/faces.ts';
import type { VoiceSet } from '../data/stills/voices.ts';

/** A stream of its own for every (seed, step, place). */
export function streamOf(seed: number, step: number, place: number): Random {
  let h = (seed ^ 0x9e3779b9) >>> 0;
  for (const part of [step, place]) {
    h = Math.imul(h ^ (part + 0x7f4a7c15), 0x85ebca6b) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
    h = (h ^ (h >>> 16)) >>> 0;
  }
  return random(h);
}

/** 0..count-1 in a random order (Fisher-Yates). */
export function permutation(count: number, stream: Random): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** `keep` of `count` positions in ascending order. */
export function keepSome(count: number, keep: number, stream: Random): Int32Array {
  return keep >= count
    ? Int32Array.from({ length: count }, (_, i) => i)
    : permutation(count, stream).slice(0, keep).sort();
}

/**
 * The samples of every step: each epoch in another order, its last partial batch dropped, as the official code does.
 * @param ids all samples of an epoch, at least as many as a batch
 */
export function batches(ids: Int32Array, batch: number, seed: number): (step: number) => Int32Array {
  const stepsPerEpoch = Math.floor(ids.length / batch);
  let epoch = -1;
  let order: Int32Array = new Int32Array(0);
  return (step) => {
    const wanted = Math.floor(step / stepsPerEpoch);
    if (wanted !== epoch) order = permutation(ids.length, streamOf(seed, wanted, -1));
    epoch = wanted;
    const first = (step % stepsPerEpoch) * batch;
    return order.subarray(first, first + batch).map((at) => ids[at]!);
  };
}

export interface SamplerOptions {
  readonly seed: number;
  /** Per step, over all threads. */
  readonly batchFaces: number;
  readonly batchVoices: number;
  readonly pairs: number;
  /** Faces alone count by class with this power of its size: 1 is as they come, 0 balances the classes. */
  readonly balance: number;
  /** A neutral voice of a pair is joined with a surprised face this often, 0..1, labeled surprise: no voice here is labeled so. */
  readonly surprisedNeutral: number;
  /** Likewise for a happy or a fearful voice. */
  readonly surprisedExcited: number;
}

/** One thread's share of a step. The first `pairs` voices and faces belong together. */
export interface Draw {
  readonly faces: Int32Array;
  readonly voices: Int32Array;
  /** Weight of each face in the loss of faces alone: brings the classes back to their wanted shares. */
  readonly faceWeights: Float32Array;
  /** The class wanted of each pair. */
  readonly pairLabels: Int32Array;
  readonly pairs: number;
}

export interface Sampler {
  draw(step: number, thread: number, threadCount: number): Draw;
}

export function sampler(faces: FaceSet | null, voices: VoiceSet | null, options: SamplerOptions): Sampler {
  const classCount = emotions.length;
  const surprise = emotions.indexOf('surprise');
  const pools: number[][] = Array.from({ length: classCount }, () => []);
  faces?.labels.forEach((label, i) => pools[label]?.push(i));
  const wanted = pools.map((pool) => pool.length ** options.balance);
  const wantedSum = wanted.reduce((a, b) => a + b, 0);
  const share = wanted.map((value) => value / Math.max(wantedSum, 1e-9));
  const voiceShare = new Array<number>(classCount).fill(0);
  voices?.labels.forEach((label) => (voiceShare[label]! += 1 / voices.count));
  const pairs = faces && voices ? options.pairs : 0;
  const surprised = emotions.map((name) => {
    if (pools[surprise]!.length === 0) return 0;
    if (name === 'neutral') return options.surprisedNeutral;
    return name === 'happy' || name === 'fear' ? options.surprisedExcited : 0;
  });
  const pairShare = voiceShare.map((value, c) => value * (1 - surprised[c]!));
  voiceShare.forEach((value, c) => (pairShare[surprise]! += value * surprised[c]!));
  const pairPart = options.batchFaces === 0 ? 0 : pairs / options.batchFaces;
  const weights = share.map(
    (value, c) => value / Math.max(1e-9, pairPart * pairShare[c]! + (1 - pairPart) * value),
  );
  const orders = new Map<number, Int32Array>();
  const order = (epoch: number): Int32Array => {
    let found = orders.get(epoch);
    if (!found) {
      for (const old of orders.keys()) if (old < epoch - 1) orders.delete(old);
      found = permutation(voices?.count ?? 0, streamOf(options.seed, epoch, -1));
      orders.set(epoch, found);
    }
    return found;
  };
  const faceOf = (label: number, stream: Random): number => {
    const pool = pools[label]!;
    return pool[stream.integer(pool.length)]!;
  };
  return {
    draw(step, thread, threadCount) {
      const stream = streamOf(options.seed, step, thread * 2);
      const faceCount = faces ? options.batchFaces / threadCount : 0;
      const voiceCount = voices ? options.batchVoices / threadCount : 0;
      const pairCount = pairs / threadCount;
      const drawnVoices = Int32Array.from({ length: voiceCount }, (_, i) => {
        const at = step * options.batchVoices + thread * voiceCount + i;
        const count = voices!.count;
        return order(Math.floor(at / count))[at % count]!;
      });
      const drawnFaces = new Int32Array(faceCount);
      const pairLabels = new Int32Array(pairCount);
      for (let i = 0; i < faceCount; i++) {
        let label: number;
        if (i < pairCount) {
          label = voices!.labels[drawnVoices[i]!]!;
          if (surprised[label]! > 0 && stream.uniform() < surprised[label]!) label = surprise;
          pairLabels[i] = label;
        } else {
          let at = stream.uniform();
          label = 0;
          while (label < classCount - 1 && (at -= share[label]!) > 0) label++;
        }
        if (pools[label]!.length === 0) label = pools.findIndex((pool) => pool.length > 0);
        drawnFaces[i] = faceOf(label, stream);
      }
      const faceWeights = Float32Array.from(drawnFaces, (face) => weights[faces!.labels[face]!]!);
      return { faces: drawnFaces, voices: drawnVoices, faceWeights, pairLabels, pairs: pairCount };
    },
  };
}
