// Shards in the WebDataset tar convention: the members of one sample side by side, KEY.extension, so that PyTorch's
// loaders read them too. The same samples give the same bytes; a shard has its name only when it is whole.
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../../base/errors.ts';
import type { SampleMeta } from '../sample.ts';
import { encodeMeta, keyPattern } from './meta.ts';
import { longestName, memberBytes, tarEnd, tarMember } from './tar.ts';
import { encodeWav } from './wav.ts';

/** Longest key: room for `.NNNNN.jpeg`. */
export const longestKey = longestName - 11;

/** A sample, ready to be stored. */
export interface EncodedSample {
  readonly meta: SampleMeta;
  /** Files of meta.frameCount face crops, each cropPx x cropPx. */
  readonly frames: readonly Uint8Array[];
  readonly frameFormat: 'jpg' | 'png';
  /** 16 kHz mono, -1..1, of meta.sampleCount; null: none. */
  readonly sound: Float32Array | null;
}

/** When a shard is full. */
export interface ShardLimits {
  /** Bytes of a shard; it is closed before a sample that would go beyond. A larger sample has a shard of its own. */
  readonly shardBytes: number;
  readonly shardSamples: number;
}

export const usualLimits: ShardLimits = { shardBytes: 256_000_000, shardSamples: 100_000 };

/** Where writing stands: enough to go on after a kill. */
export interface ShardPosition {
  /** Number of the shard being written, from 0. */
  readonly shard: number;
  /** Samples and bytes in it so far. */
  readonly samples: number;
  readonly bytes: number;
}

export interface ShardWriter {
  /** Appends a sample; where writing stands after it. Handed to the system, not yet known to be on the disk. */
  add(sample: EncodedSample): ShardPosition;
  /** Closes the last shard. @returns the names of all shards, in order */
  finish(): readonly string[];
  /** Leaves the draft as it is, to be taken up again. Does nothing after finish. */
  close(): void;
}

/** A shard's file name: `PREFIX-000000.tar`. */
export function shardName(prefix: string, shard: number): string {
  return `${prefix}-${String(shard).padStart(6, '0')}.tar`;
}

/**
 * Writes PREFIX-000000.tar and so on into a folder, which is made when it is missing.
 * @param from where an earlier writer stood; what its draft holds beyond is cut off. Default: the beginning
 * @throws Problem when the folder cannot be written to, or the draft to go on from is not there
 */
export function openShardWriter(
  folder: string,
  prefix: string,
  limits: ShardLimits = usualLimits,
  from: ShardPosition = { shard: 0, samples: 0, bytes: 0 },
): ShardWriter {
  let { shard, samples, bytes } = from;
  let draft: number | undefined;
  const finalPath = (): string => join(folder, shardName(prefix, shard));
  const draftPath = (): string => `${finalPath()}.part`;

  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem(
        'unsupported-file',
        `Cannot write ${draftPath()}: ${String(error)}. Is the disk full?`,
        {
          cause: error,
        },
      );
    }
  };
  const opened = (): number => {
    if (draft !== undefined) return draft;
    mkdirSync(folder, { recursive: true });
    if (bytes > 0) {
      // Killed between the renaming and the next sample: the shard is whole but for this writer's knowledge of it.
      if (!existsSync(draftPath()) && existsSync(finalPath())) renameSync(finalPath(), draftPath());
      draft = openSync(draftPath(), 'r+');
      ftruncateSync(draft, bytes);
    } else draft = openSync(draftPath(), 'w');
    return draft;
  };
  const append = (parts: readonly Uint8Array[]): void => {
    const file = opened();
    const whole = Buffer.concat(parts);
    for (let at = 0; at < whole.length;) at += writeSync(file, whole, at, whole.length - at, bytes + at);
    bytes += whole.length;
  };
  const endShard = (): void => {
    append([tarEnd]);
    if (draft !== undefined) closeSync(draft);
    draft = undefined;
    renameSync(draftPath(), finalPath());
    shard += 1;
    samples = 0;
    bytes = 0;
  };
  return {
    add: (sample) =>
      guarded(() => {
        const members = membersOf(sample);
        const size = members.reduce((sum, { content }) => sum + memberBytes(content.length), 0);
        const full = samples >= limits.shardSamples || bytes + size + tarEnd.length > limits.shardBytes;
        if (samples > 0 && full) endShard();
        append(members.flatMap(({ name, content }) => tarMember(name, content)));
        samples += 1;
        return { shard, samples, bytes };
      }),
    finish: () =>
      guarded(() => {
        if (samples > 0) {
          opened();
          endShard();
        }
        return Array.from({ length: shard }, (_, i) => shardName(prefix, i));
      }),
    close: () => {
      if (draft !== undefined) closeSync(draft);
      draft = undefined;
    },
  };
}

function membersOf({
  meta,
  frames,
  frameFormat,
  sound,
}: EncodedSample): { name: string; content: Uint8Array }[] {
  const { key } = meta;
  if (!keyPattern.test(key) || key.length > longestKey) {
    throw new Problem(
      'internal',
      `internal: the key ${key} is not of 1 to ${String(longestKey)} letters, digits, _ and -`,
    );
  }
  if (frames.length !== meta.frameCount || (sound?.length ?? 0) !== meta.sampleCount) {
    throw new Problem('internal', `internal: ${key} holds something else than its meta says`);
  }
  return [
    { name: `${key}.json`, content: encodeMeta(meta) },
    ...frames.map((content, i) => ({
      name: `${key}.${String(i).padStart(4, '0')}.${frameFormat}`,
      content,
    })),
    ...(sound && sound.length > 0 ? [{ name: `${key}.wav`, content: encodeWav(sound) }] : []),
  ];
}
