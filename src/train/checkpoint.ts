// A run's state in one file, written whole or not at all: a JSON header, then parameters, moments and the average.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../base/errors.ts';
import type { ClipSpec } from '../clip/spec.ts';
import type { HicmaeConfig } from '../model/config.ts';
import { parameterShapes } from '../model/params.ts';
import { slotsOf } from './flat-params.ts';
import { writeWhole } from './cache.ts';

const magic = 'hicmae-run-1';

/** What a run needs to go on, but for the arrays. Random draws follow from seed and step, so step is their state. */
export interface RunState {
  readonly config: HicmaeConfig;
  readonly clip: ClipSpec;
  /** Steps done. */
  readonly step: number;
  /** Minutes of training so far, over all sessions. */
  readonly minutes: number;
  /** The options that decide the outcome; a resumed run must have the same. */
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
  /** Data, command, validation scores: for the manifest. */
  readonly provenance: Readonly<Record<string, string>>;
}

/** The flat arrays of a run, each as long as all parameters. */
export interface RunArrays {
  readonly params: Float32Array;
  readonly moment1: Float32Array;
  readonly moment2: Float32Array;
  readonly average: Float32Array;
}

export const checkpointPath = (run: string): string => join(run, 'checkpoint.bin');

export function writeCheckpoint(run: string, state: RunState, arrays: RunArrays): void {
  const header = Buffer.from(JSON.stringify({ magic, ...state }), 'utf8');
  const start = Buffer.alloc(4);
  start.writeUInt32LE(header.length);
  const parts = [arrays.params, arrays.moment1, arrays.moment2, arrays.average].map(
    ({ buffer, byteOffset, byteLength }) => Buffer.from(new Uint8Array(buffer, byteOffset, byteLength)),
  );
  writeWhole(checkpointPath(run), Buffer.concat([start, header, ...parts]));
}

/** @throws Problem when there is none, or it is cut short or of another format */
export function readCheckpoint(run: string): { state: RunState; arrays: RunArrays } {
  const path = checkpointPath(run);
  if (!existsSync(path)) {
    throw new Problem(
      'unsupported-file',
      `${path} does not exist: ${run} is no run of finetune, or it has not written a checkpoint yet.`,
    );
  }
  const bytes = readFileSync(path);
  const damaged = (what: string): Problem =>
    new Problem(
      'unsupported-file',
      `${path} ${what}; wanted a checkpoint of this version of finetune. Start the run anew.`,
    );
  let state: RunState & { magic: string };
  const headerLength = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
  try {
    state = JSON.parse(bytes.toString('utf8', 4, 4 + headerLength)) as RunState & { magic: string };
  } catch {
    throw damaged('has no readable header');
  }
  if (state.magic !== magic) throw damaged('is of another format');
  const { total } = slotsOf(parameterShapes(state.config));
  const body = bytes.subarray(4 + headerLength);
  if (body.length !== total * 16)
    throw damaged(`holds ${String(body.length)} bytes of numbers instead of ${String(total * 16)}`);
  const numbers = new Float32Array(new Uint8Array(body).buffer);
  const part = (i: number): Float32Array => numbers.slice(i * total, (i + 1) * total);
  return { state, arrays: { params: part(0), moment1: part(1), moment2: part(2), average: part(3) } };
}
