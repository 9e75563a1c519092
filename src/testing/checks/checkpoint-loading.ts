// Which pre-trained weights a fine-tuning model takes over, against the official code.
import { Problem } from '../../base/errors.ts';
import { sizes } from '../../model/config.ts';
import type { SizeName } from '../../model/config.ts';
import { parameterShapes } from '../../model/params.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import { pretrainParameterShapes } from '../../model/pretrain-params.ts';
import { planLoading } from '../../model/pretrained.ts';
import { asRecord, compareNumber } from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';

function texts(value: unknown, what: string): string[] {
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string'))
    throw new Problem('unsupported-file', `${what} is not a list of names`);
  return value;
}

/** The names' first parts, each once. */
function prefixes(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.split('.')[0] ?? ''))];
}

/** How many entries only one of the two has. */
function difference(name: string, actual: readonly string[], wanted: readonly string[]): Comparison {
  const only = [
    ...actual.filter((entry) => !wanted.includes(entry)),
    ...wanted.filter((entry) => !actual.includes(entry)),
  ];
  const tensor = only.length === 0 ? name : `${name} (${only.slice(0, 3).join()})`;
  return compareNumber(tensor, only.length, 0, 0);
}

function compareSize(size: SizeName, value: unknown): Comparison[] {
  const wanted = asRecord(value, size);
  const plan = planLoading(
    parameterShapes({ ...sizes[size], classCount: 6 }),
    pretrainParameterShapes(pretrainSizes[size]),
  );
  const names = (key: string): string[] => texts(wanted[key], `${size}.${key}`);
  return [
    compareNumber(`${size}: loaded`, plan.loaded.length, Number(wanted['loaded_count']), 0),
    difference(`${size}: loaded prefixes`, prefixes(plan.loaded), names('loaded_prefixes')),
    difference(`${size}: left initial`, plan.initial, names('left_at_initial_values')),
    compareNumber(`${size}: ignored`, plan.ignored.length, Number(wanted['ignored_count']), 0),
    difference(
      `${size}: ignored prefixes`,
      prefixes(plan.ignored),
      names('ignored_from_checkpoint_prefixes'),
    ),
  ];
}

export const checkpointLoadingCheck: GoldenCheck = {
  name: 'loading of pre-trained weights',
  covers: (fileName) => fileName === 'checkpoint_loading.json',
  run: (fixture) => {
    const entries = Object.entries(asRecord(fixture, 'the fixture'));
    return Promise.resolve(
      entries.flatMap(([size, value]) => (size in sizes ? compareSize(size as SizeName, value) : [])),
    );
  },
};
