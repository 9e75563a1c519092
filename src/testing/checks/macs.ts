// Multiply-adds of a clip against the official model's.
import { Problem } from '../../base/errors.ts';
import { sizes } from '../../model/config.ts';
import type { SizeName } from '../../model/config.ts';
import { tokenCount } from '../../model/embed.ts';
import { maskCounts, officialMaskRatios } from '../../model/masking.ts';
import { finetuneMultiplyAdds, pretrainMultiplyAdds } from '../../model/multiply-adds.ts';
import { pretrainSizes } from '../../model/pretrain-config.ts';
import { asRecord, compareNumber } from '../golden.ts';
import type { Comparison, GoldenCheck } from '../golden.ts';

/** The fixture's parts are in units of 10^9, four decimals. */
const unit = 1e9;
const rounding = 0.5e-4 + 1e-9;

/** Our parts by the fixture's names. */
function finetuneParts(size: SizeName): Readonly<Record<string, number>> {
  const costs = finetuneMultiplyAdds({ ...sizes[size], classCount: 6 });
  return {
    patch_video: costs.videoPatches,
    patch_audio: costs.audioPatches,
    encoder_video: costs.videoEncoder,
    encoder_audio: costs.audioEncoder,
    fusion: costs.fusion,
    head: costs.head,
    total: costs.total,
  };
}

function pretrainParts(size: SizeName): Readonly<Record<string, number>> {
  const config = pretrainSizes[size];
  const left = (modality: 'video' | 'audio'): number =>
    maskCounts(config, modality, officialMaskRatios[modality]).visible;
  const all = { video: tokenCount(config, 'video'), audio: tokenCount(config, 'audio') };
  const costs = pretrainMultiplyAdds(config, { video: left('video'), audio: left('audio') }, all);
  return {
    patch: costs.patches,
    encoders: costs.encoders,
    fusion: costs.fusion,
    proj_to_decoder: costs.encoderToDecoder,
    decoder_video: costs.videoDecoder,
    decoder_audio: costs.audioDecoder,
    total: costs.total,
  };
}

function compareParts(
  kind: string,
  value: unknown,
  partsOf: (size: SizeName) => Readonly<Record<string, number>>,
): Comparison[] {
  return Object.entries(asRecord(value, kind)).flatMap(([size, entry]) => {
    if (!(size in sizes)) throw new Problem('unsupported-file', `${kind}: size ${size} is not known`);
    const parts = partsOf(size as SizeName);
    return Object.entries(asRecord(entry, `${kind}.${size}`)).map(([name, wanted]) => {
      // The fixture's totals are sums before rounding.
      const actual = (parts[name] ?? NaN) / unit;
      return compareNumber(`${kind}.${size}.${name}`, actual, Number(wanted), rounding);
    });
  });
}

function run(fixture: unknown): Comparison[] {
  const file = asRecord(fixture, 'the fixture');
  const comparisons = [
    ...compareParts('finetune', file['finetune'], finetuneParts),
    ...compareParts('pretrain', file['pretrain'], pretrainParts),
  ];
  const counted = file['finetune_tiny_counted_by_dispatch'];
  if (counted !== undefined) {
    const total = finetuneParts('tiny')['total'] ?? NaN;
    comparisons.push(compareNumber('finetune.tiny, counted', total, Number(counted), 0));
  }
  return comparisons;
}

export const macsCheck: GoldenCheck = {
  name: 'multiply-adds',
  covers: (fileName) => fileName === 'macs.json',
  run: (fixture) => Promise.resolve(run(fixture)),
};
