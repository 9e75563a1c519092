// Names, shapes, order and counts of the parameters, and the optimizer's groups, against the official code's.
import { Problem } from '../../base/errors.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig, SizeName } from '../../model/config.ts';
import { parameterCount, parameterGroups, parameterShapes } from '../../model/params.ts';
import { asNumbers, asRecord, compareNumber } from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';

/** The size of that name, with the fixtures' six classes. */
function sizeConfig(name: string): HicmaeConfig {
  if (!(name in sizes)) {
    throw new Problem(
      'unsupported-file',
      `size ${name} is not known; wanted one of ${Object.keys(sizes).join(', ')}`,
    );
  }
  return { ...sizes[name as SizeName], classCount: 6 };
}

function compareStateDict(size: string, value: unknown): Comparison[] {
  const wanted = asRecord(value, size);
  const config = sizeConfig(size);
  const list = Array.isArray(wanted['state_dict']) ? (wanted['state_dict'] as readonly unknown[]) : [];
  const ours = parameterShapes(config).map(({ name, shape }) => JSON.stringify([name, shape]));
  let differences = Math.abs(ours.length - list.length);
  ours.forEach((entry, i) => {
    if (JSON.stringify(list[i]) !== entry) differences++;
  });
  return [
    compareNumber(`${size}: names, shapes and order`, differences, 0, 0),
    compareNumber(`${size}: param_count`, parameterCount(config), Number(wanted['param_count']), 0),
  ];
}

function compareGroups(size: string, value: unknown, layerDecay: number): Comparison[] {
  const wanted = asRecord(asRecord(value, size)['params'], `${size}.params`);
  const groups = parameterGroups(sizeConfig(size), layerDecay);
  let worstScale = 0;
  let differences = Math.abs(groups.size - Object.keys(wanted).length);
  for (const [name, group] of groups) {
    const [layerId, lrScale = NaN, decayed] = asNumbers(wanted[name], `${size}.params.${name}`);
    if (layerId !== group.layerId || decayed !== Number(group.decayed)) differences++;
    worstScale = Math.max(worstScale, Math.abs(lrScale - group.lrScale));
  }
  return [
    compareNumber(`${size}: layer ids and decay`, differences, 0, 0),
    compareNumber(`${size}: lr_scale`, worstScale, 0, 1e-12),
  ];
}

/** Everything but a file's plain entries (set, salt, columns ...) is a size. */
function sizeEntries(file: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(file).filter(([, value]) => typeof value === 'object' && value !== null);
}

export const stateDictsCheck: GoldenCheck = {
  name: 'fine-tuning parameters',
  covers: (fileName) => fileName === 'state_dicts.json',
  run: (fixture) => {
    const file = asRecord(asRecord(fixture, 'the fixture')['finetune'], 'finetune');
    return Promise.resolve(sizeEntries(file).flatMap(([size, value]) => compareStateDict(size, value)));
  },
};

export const parameterGroupsCheck: GoldenCheck = {
  name: 'fine-tuning parameter groups',
  covers: (fileName) => fileName === 'param_groups.json',
  run: (fixture) => {
    const file = asRecord(fixture, 'the fixture');
    const layerDecay = Number(file['layer_decay']);
    return Promise.resolve(
      sizeEntries(file).flatMap(([size, value]) => compareGroups(size, value, layerDecay)),
    );
  },
};
