// KEY.json of a shard, written in one order and read with care: others write shards as well.
import { Problem } from '../../../base/errors.ts';
import type { SampleMeta } from '../sample.ts';

type Kind = 'text' | 'text or null' | 'count' | 'number' | 'fold' | 'split' | 'numbers or null' | 'texts';

const fields: Readonly<Record<keyof SampleMeta, Kind>> = {
  key: 'text',
  corpus: 'text',
  source: 'text',
  label: 'text or null',
  votes: 'numbers or null',
  dimensions: 'numbers or null',
  identity: 'text or null',
  fold: 'fold',
  split: 'split',
  groups: 'texts',
  frameCount: 'count',
  frameRateHz: 'number',
  cropPx: 'count',
  foundCount: 'count',
  sampleCount: 'count',
};

const words: Readonly<Record<Kind, string>> = {
  text: 'a text',
  'text or null': 'a text or null',
  count: 'a whole number from 0',
  number: 'a number from 0',
  fold: 'a whole number from 1 or null',
  split: 'train, valid, test or null',
  'numbers or null': 'an object of numbers or null',
  texts: 'an object of texts',
};

const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;
const isRecord = (value: unknown, of: 'number' | 'string'): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((entry) => typeof entry === of);

function fits(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'text or null':
      return value === null || typeof value === 'string';
    case 'count':
      return isCount(value);
    case 'number':
      return typeof value === 'number' && value >= 0;
    case 'fold':
      return value === null || (isCount(value) && value !== 0);
    case 'split':
      return value === null || value === 'train' || value === 'valid' || value === 'test';
    case 'numbers or null':
      return value === null || isRecord(value, 'number');
    case 'texts':
      return isRecord(value, 'string');
  }
}

/** A member's name up to its first dot; what its sample's other members share. */
export const keyPattern = /^[A-Za-z0-9_-]+$/;

export function encodeMeta(meta: SampleMeta): Uint8Array {
  const names = Object.keys(fields) as (keyof SampleMeta)[];
  return Buffer.from(`${JSON.stringify(Object.fromEntries(names.map((name) => [name, meta[name]])))}\n`);
}

/**
 * @param where the member and its shard, for messages
 * @throws Problem that names the field that is missing or wrong
 */
export function parseMeta(text: string, where: string): SampleMeta {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Problem('unsupported-file', `${where} is not JSON (${String(error)}).`, { cause: error });
  }
  const record = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  for (const [name, kind] of Object.entries(fields)) {
    if (fits(record[name], kind)) continue;
    const got = name in record ? JSON.stringify(record[name]) : 'nothing';
    throw new Problem(
      'unsupported-file',
      `${where}: "${name}" is ${got}; wanted ${words[kind]}. A shard made elsewhere needs a KEY.json with the fields ${Object.keys(fields).join(', ')}.`,
    );
  }
  return Object.fromEntries(Object.keys(fields).map((name) => [name, record[name]])) as unknown as SampleMeta;
}
