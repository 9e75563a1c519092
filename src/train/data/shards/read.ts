// Prepared samples read at random: shards of prepare, or others in the same convention. Several threads may each open
// the same folders.
import { closeSync, openSync, readSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { Problem } from '../../../base/errors.ts';
import type { SampleMeta, SampleSet } from '../sample.ts';
import { readDatasets } from './dataset.ts';
import { parseMeta } from './meta.ts';
import { readTarIndex } from './tar.ts';
import type { Member } from './tar.ts';
import { decodeWav } from './wav.ts';

/** Where a sample lies. */
interface Place {
  readonly path: string;
  /** Offset and size of each crop's file, in the order of time. */
  readonly frames: Float64Array;
  readonly sound: { readonly offset: number; readonly size: number } | null;
}

/**
 * Opens prepared folders as one set, samples in the order of the folders, their shards' names, and the shards.
 * @throws Problem when a folder holds no shard, is not wholly prepared, or a shard is damaged or of another kind
 */
export function openSamples(folders: readonly string[]): Promise<SampleSet> {
  // Reading headers is quick and synchronous; the promise is the contract's.
  return new Promise((resolve) => {
    resolve(openNow(folders));
  });
}

function openNow(folders: readonly string[]): SampleSet {
  const samples: SampleMeta[] = [];
  const places: Place[] = [];
  const classes = new Set<string>();
  const seen = new Map<string, string>();
  for (const folder of folders) {
    const datasets = readDatasets(folder);
    for (const dataset of datasets) for (const label of dataset.classes) classes.add(label);
    const shards = datasets.length > 0 ? datasets.flatMap((dataset) => dataset.shards) : tarsIn(folder);
    const labels = new Set<string>();
    for (const shard of shards) {
      const path = join(folder, shard);
      for (const { meta, place } of readShard(path)) {
        const name = `${meta.corpus}/${meta.key}`;
        const other = seen.get(name);
        if (other !== undefined) {
          throw new Problem(
            'unsupported-file',
            `${name} is in ${other} and in ${path}: a folder is given twice, or its shards were made twice. Keep one.`,
          );
        }
        seen.set(name, path);
        samples.push(meta);
        places.push(place);
        if (meta.label !== null) labels.add(meta.label);
        for (const label of Object.keys(meta.votes ?? {})) labels.add(label);
      }
    }
    // Shards made elsewhere say nothing of an order.
    for (const label of [...labels].sort()) classes.add(label);
  }
  let closed = false;
  const placeOf = (i: number): { place: Place; meta: SampleMeta } => {
    const place = places[i];
    const meta = samples[i];
    if (closed || place === undefined || meta === undefined) {
      throw new Problem('internal', `internal: sample ${String(i)} of ${String(places.length)} is asked`);
    }
    return { place, meta };
  };
  return {
    samples,
    classes: [...classes],
    async frames(i, which) {
      const { place, meta } = placeOf(i);
      const bytes = await readPieces(
        place.path,
        which.map((k) => {
          const [offset, size] = [place.frames[2 * k], place.frames[2 * k + 1]];
          if (offset === undefined || size === undefined) {
            throw new Problem('internal', `internal: frame ${String(k)} of ${meta.key} is asked`);
          }
          return { offset, size };
        }),
      );
      return Promise.all(
        bytes.map((file, n) =>
          decodeFrame(file, meta.cropPx, `${place.path}: frame ${String(which[n])} of ${meta.key}`),
        ),
      );
    },
    async sound(i) {
      const { place, meta } = placeOf(i);
      if (place.sound === null) return null;
      const [bytes] = await readPieces(place.path, [place.sound]);
      const where = `${place.path}: ${meta.key}.wav`;
      const samplesRead = decodeWav(bytes!, where);
      if (samplesRead.length !== meta.sampleCount) {
        throw new Problem(
          'unsupported-file',
          `${where} has ${String(samplesRead.length)} samples; ${meta.key}.json says ${String(meta.sampleCount)}.`,
        );
      }
      return samplesRead;
    },
    close: () => {
      closed = true;
      return Promise.resolve();
    },
  };
}

function tarsIn(folder: string): string[] {
  const names = readdirSync(folder).sort();
  const shards = names.filter((name) => name.endsWith('.tar'));
  if (shards.length === 0) {
    const there = names.slice(0, 5).join(', ') || 'nothing';
    throw new Problem(
      'unsupported-file',
      `${folder} holds no shard (*.tar); it holds ${there}. Wanted a folder that prepare wrote: see prepare --help.`,
    );
  }
  return shards;
}

/** A member's sample and what it is of it; WebDataset's rule: the key ends at the first dot of the name. */
function splitName(name: string): [string, string] {
  const base = name.lastIndexOf('/') + 1;
  const dot = name.indexOf('.', base);
  return dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1).toLowerCase()];
}

const imageName = /^(\d+)\.(jpg|jpeg|png|webp)$/;

function readShard(path: string): { meta: SampleMeta; place: Place }[] {
  const groups = new Map<string, { extension: string; member: Member }[]>();
  for (const member of readTarIndex(path)) {
    const [key, extension] = splitName(member.name.replace(/^\.\//, ''));
    const group = groups.get(key) ?? [];
    group.push({ extension, member });
    groups.set(key, group);
  }
  const file = openSync(path, 'r');
  try {
    return [...groups].map(([key, members]) => readEntry(path, file, key, members));
  } finally {
    closeSync(file);
  }
}

function readEntry(
  path: string,
  file: number,
  key: string,
  members: readonly { extension: string; member: Member }[],
): { meta: SampleMeta; place: Place } {
  const where = `${path}: ${key}.json`;
  const json = members.find(({ extension }) => extension === 'json')?.member;
  if (json === undefined) {
    throw new Problem(
      'unsupported-file',
      `${where} is missing beside ${members
        .map(({ member }) => member.name)
        .slice(0, 3)
        .join(', ')}: every sample of a shard needs one.`,
    );
  }
  const text = Buffer.alloc(json.size);
  readSync(file, text, 0, json.size, json.offset);
  const meta = parseMeta(text.toString('utf8'), where);
  const images = members
    .map(({ extension, member }) => ({ number: imageName.exec(extension)?.[1], member }))
    .filter(({ number }) => number !== undefined)
    .sort((a, b) => Number(a.number) - Number(b.number));
  const sound = members.find(({ extension }) => extension === 'wav')?.member ?? null;
  if (images.length !== meta.frameCount || (sound === null) !== (meta.sampleCount === 0)) {
    throw new Problem(
      'unsupported-file',
      `${where} says ${String(meta.frameCount)} frames and ${String(meta.sampleCount)} samples of sound; beside it lie ${String(images.length)} pictures (KEY.0000.jpg or .png) and ${sound === null ? 'no wav' : 'a wav'}.`,
    );
  }
  const frames = Float64Array.from(images.flatMap(({ member }) => [member.offset, member.size]));
  return { meta, place: { path, frames, sound } };
}

async function readPieces(
  path: string,
  pieces: readonly { readonly offset: number; readonly size: number }[],
): Promise<Buffer[]> {
  if (pieces.length === 0) return [];
  // Opened for each call: a set may have more shards than a process may have files.
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new Problem('unsupported-file', `Cannot read the shard ${path}: ${String(error)}`, {
      cause: error,
    });
  });
  try {
    const parts: Buffer[] = [];
    for (const { offset, size } of pieces) {
      const bytes = Buffer.allocUnsafe(size);
      const { bytesRead } = await file.read(bytes, 0, size, offset);
      if (bytesRead < size) {
        throw new Problem(
          'unsupported-file',
          `${path} became shorter while it was read: do not write to it meanwhile.`,
        );
      }
      parts.push(bytes);
    }
    return parts;
  } finally {
    await file.close();
  }
}

/** A crop's file as RGB; shape [cropPx, cropPx, 3]. @throws Problem when it is damaged or of another size */
async function decodeFrame(file: Uint8Array, cropPx: number, where: string): Promise<Uint8ClampedArray> {
  const { data, info } = await sharp(file)
    .removeAlpha()
    .toColorspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw new Problem('unsupported-file', `${where} cannot be decoded (${String(error)}).`, {
        cause: error,
      });
    });
  if (info.width !== cropPx || info.height !== cropPx) {
    throw new Problem(
      'unsupported-file',
      `${where} is ${String(info.width)} x ${String(info.height)} pixels; its json says ${String(cropPx)} x ${String(cropPx)}.`,
    );
  }
  if (info.channels === 3) return new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);
  const rgb = new Uint8ClampedArray(cropPx * cropPx * 3);
  for (let i = 0; i < rgb.length; i++) rgb[i] = data[Math.floor(i / 3) * info.channels]!;
  return rgb;
}
