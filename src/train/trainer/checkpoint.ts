// A run's state in one file, written whole or not at all: a JSON header, then parameters, moments and the average.
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../base/errors.ts';
import type { ClipSpec } from '../../clip/spec.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import type { ParameterShape } from '../../model/params.ts';
import type { PretrainConfig } from '../../model/pretrain-config.ts';
import { slotsOf } from './flat-params.ts';
import { writeWhole } from '../base/cache.ts';

const magic = 'hicmae-run-2';

/** What a run trains. */
export type RunModel =
  | {
      readonly kind: 'finetune';
      readonly config: HicmaeConfig;
      /** Classes, or dimensions, in the order of the head's outputs. */
      readonly labels: readonly string[];
      readonly outputs: 'classes' | 'dimensions';
      /** Whether a face alone and a voice alone were trained too. */
      readonly missingModalities: boolean;
    }
  | { readonly kind: 'pretrain'; readonly config: PretrainConfig };

/** What a run needs to go on, but for the arrays. Random draws follow from seed and step, so step is their state. */
export interface RunState {
  readonly model: RunModel;
  /** In the order of the flat arrays. */
  readonly parameters: readonly ParameterShape[];
  readonly clip: ClipSpec;
  /** Steps done. */
  readonly step: number;
  /** Minutes of training so far, over all sessions. */
  readonly minutes: number;
  /** The options that decide the outcome; a resumed run must have the same. */
  readonly options: RunOptions;
  /** The best validation so far, and how many looks ago it was. */
  readonly best: { readonly step: number; readonly score: number; readonly looksAgo: number } | null;
  /** Data, command, validation scores: for the manifest. */
  readonly provenance: Readonly<Record<string, string>>;
}

export type RunOptions = Readonly<Record<string, string | number | boolean | null>>;

/** The flat arrays of a run, each as long as all parameters. */
export interface RunArrays {
  readonly params: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
  /** The running average of the parameters. */
  readonly average: Float32Array;
}

/** `last` holds all of RunArrays; `best` only the averaged parameters of the best validation, as its `params`. */
export type CheckpointName = 'last' | 'best';

export const checkpointPath = (run: string, name: CheckpointName = 'last'): string =>
  join(run, name === 'last' ? 'checkpoint.bin' : 'best.bin');

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function write(path: string, state: RunState, arrays: readonly Float32Array[]): void {
  const header = Buffer.from(JSON.stringify({ magic, ...state }), 'utf8');
  const start = Buffer.alloc(4);
  start.writeUInt32LE(header.length);
  writeWhole(path, [start, header, ...arrays.map(bytesOf)]);
}

export function writeCheckpoint(run: string, state: RunState, arrays: RunArrays): void {
  const { params, moment1, moment2, average } = arrays;
  write(checkpointPath(run), state, [params, moment1, moment2, average]);
}

/** @param params the parameters that were validated */
export function writeBest(run: string, state: RunState, params: Float32Array): void {
  write(checkpointPath(run, 'best'), state, [params]);
}

/** @throws Problem when there is none, or it is cut short or of another format */
function read(path: string, arrayCount: number): { state: RunState; arrays: Float32Array[] } {
  if (!existsSync(path)) {
    throw new Problem(
      'unsupported-file',
      `${path} does not exist: wanted the folder of a pretrain or finetune run that has written it.`,
    );
  }
  const damaged = (what: string): Problem =>
    new Problem(
      'unsupported-file',
      `${path} ${what}; wanted a checkpoint of this version. Start the run anew.`,
    );
  const file = openSync(path, 'r');
  try {
    const size = fstatSync(file).size;
    const bytes = (length: number, at: number): Buffer => {
      const buffer = Buffer.alloc(length);
      for (let done = 0; done < length;) {
        const count = readSync(file, buffer, done, Math.min(length - done, 2 ** 30), at + done);
        if (count === 0) throw damaged('is cut short');
        done += count;
      }
      return buffer;
    };
    const headerLength = size < 4 ? 0 : bytes(4, 0).readUInt32LE();
    if (headerLength > size - 4) throw damaged('has no readable header');
    let state: RunState & { magic: string };
    try {
      state = JSON.parse(bytes(headerLength, 4).toString('utf8')) as RunState & { magic: string };
    } catch {
      throw damaged('has no readable header');
    }
    if (state.magic !== magic) throw damaged('is of another format');
    const { total } = slotsOf(state.parameters);
    const body = size - 4 - headerLength;
    if (body !== total * 4 * arrayCount) {
      throw damaged(`holds ${String(body)} bytes of numbers instead of ${String(total * 4 * arrayCount)}`);
    }
    const arrays = Array.from({ length: arrayCount }, (_, i) => {
      const { buffer, byteOffset } = bytes(total * 4, 4 + headerLength + i * total * 4);
      return new Float32Array(buffer, byteOffset, total);
    });
    return { state, arrays };
  } finally {
    closeSync(file);
  }
}

/** The last checkpoint of a run. @throws Problem when there is none, or it is cut short or of another format */
export function readCheckpoint(run: string): { state: RunState; arrays: RunArrays } {
  const { state, arrays } = read(checkpointPath(run), 4);
  const [params, moment1, moment2, average] = arrays as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  return { state, arrays: { params, moment1, moment2, average } };
}

/** The parameters of the best validation. @throws as readCheckpoint */
export function readBest(run: string): { state: RunState; params: Float32Array } {
  const { state, arrays } = read(checkpointPath(run, 'best'), 1);
  return { state, params: arrays[0]! };
}
