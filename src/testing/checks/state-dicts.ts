// Names, shapes, order and counts of the parameters, and the optimizer's groups, against the official code's.
import { Problem } from '../../base/errors.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig, SizeName } from '../../model/config.ts';
import { parameterCount, parameterGroups, parameterShapes } from '../../model/params.ts';
import type { ParameterShape } from '../../model/params.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import type { PretrainConfig } from '../../model/pretrain-config.ts';
import { pretrainParameterCount, pretrainParameterShapes } from '../../model/pretrain-params.ts';
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

/** The pre-training model of that name. */
function pretrainConfig(name: string): PretrainConfig {
  // The official base with a smaller decoder, of which the fixture has the count only.
  if (name === 'note_base_with_decoder_256_heads_4')
    return { ...pretrainSizes.base, decoderWidth: 256, decoderHeads: 4 };
  sizeConfig(name);
  return pretrainSizes[name as SizeName];
}

function compareStateDict(
  name: string,
  value: unknown,
  shapes: readonly ParameterShape[],
  count: number,
): Comparison[] {
  const wanted = asRecord(value, name);
  const comparisons = [compareNumber(`${name}: param_count`, count, Number(wanted['param_count']), 0)];
  if (wanted['state_dict'] === undefined && name.includes('note')) return comparisons;
  const list = Array.isArray(wanted['state_dict']) ? (wanted['state_dict'] as readonly unknown[]) : [];
  const ours = shapes.map((entry) => JSON.stringify([entry.name, entry.shape]));
  let differences = Math.abs(ours.length - list.length);
  ours.forEach((entry, i) => {
    if (JSON.stringify(list[i]) !== entry) differences++;
  });
  return [...comparisons, compareNumber(`${name}: names, shapes and order`, differences, 0, 0)];
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
  name: 'parameters of both models',
  covers: (fileName) => fileName === 'state_dicts.json',
  run: (fixture) => {
    const file = asRecord(fixture, 'the fixture');
    const finetune = sizeEntries(asRecord(file['finetune'], 'finetune'));
    const pretrain = sizeEntries(asRecord(file['pretrain'], 'pretrain'));
    return Promise.resolve([
      ...finetune.flatMap(([size, value]) => {
        const config = sizeConfig(size);
        return compareStateDict(size, value, parameterShapes(config), parameterCount(config));
      }),
      ...pretrain.flatMap(([size, value]) => {
        const config = pretrainConfig(size);
        return compareStateDict(
          `pretrain ${size}`,
          value,
          pretrainParameterShapes(config),
          pretrainParameterCount(config),
        );
      }),
    ]);
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
