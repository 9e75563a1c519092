// Sizes told from names and shapes alone, and what is said of those that do not fit.
import { describe, expect, it } from 'vitest';
import { sizes } from '../model/config.ts';
import type { SizeName } from '../model/config.ts';
import { parameterShapes } from '../model/params.ts';
import { pretrainSizes } from '../model/pretrain-config.ts';
import { pretrainParameterShapes } from '../model/pretrain-params.ts';
import type { ParameterShape } from '../model/params.ts';
import { recognize } from './recognize.ts';

const names: readonly SizeName[] = ['micro', 'nano', 'tiny', 'small', 'base'];

const mapOf = (shapes: readonly ParameterShape[]): Map<string, readonly number[]> =>
  new Map(shapes.map(({ name, shape }) => [name, shape]));

describe('recognize', () => {
  it.each(names)('knows a fine-tuned %s', (size) => {
    const config = { ...sizes[size], classCount: 11 };
    expect(recognize(mapOf(parameterShapes(config)), {}, 'x')).toEqual({ kind: 'finetune', config });
  });

  it.each(names)('knows a pre-trained %s', (size) => {
    const config = pretrainSizes[size];
    expect(recognize(mapOf(pretrainParameterShapes(config)), {}, 'x')).toEqual({ kind: 'pretrain', config });
  });

  it("knows base with the official code's smaller decoder", () => {
    const config = { ...pretrainSizes.base, decoderWidth: 256, decoderHeads: 4 };
    expect(recognize(mapOf(pretrainParameterShapes(config)), {}, 'x').config).toEqual(config);
  });

  it('takes the heads of a known width, and the official input, for other depths', () => {
    const config = { ...sizes.small, encoderDepth: 12, fusionDepth: 1, classCount: 3 };
    expect(recognize(mapOf(parameterShapes(config)), {}, 'x').config).toEqual(config);
  });

  it('believes hints over what it knows', () => {
    const { video, audio } = sizes.tiny;
    const config = {
      ...sizes.tiny,
      heads: 8,
      classCount: 3,
      headActivation: 'tanh' as const,
      video: { ...video, frameCount: 8, cropPx: 96 },
      audio: { ...audio, frameCount: 128, melBins: 64 },
    };
    const hints = { heads: 8, headActivation: 'tanh', frameCount: 8, cropPx: 96, soundFrames: 128, melBins: 64 } as const; // prettier-ignore
    expect(recognize(mapOf(parameterShapes(config)), hints, 'x').config).toEqual(config);
  });

  const tiny = parameterShapes({ ...sizes.tiny, classCount: 6 });
  const micro = pretrainParameterShapes(pretrainSizes.micro);
  const odd = parameterShapes({ ...sizes.tiny, width: 320, classCount: 6 });
  const change = (shapes: readonly ParameterShape[], ...changes: readonly ParameterShape[]) =>
    new Map([...mapOf(shapes), ...mapOf(changes)]);
  const without = (shapes: readonly ParameterShape[], ...left: readonly string[]) =>
    mapOf(shapes.filter(({ name }) => !left.includes(name)));

  it.each([
    ['nothing', new Map(), {}, 'its 0 tensors are no HiCMAE'],
    [
      'another model',
      mapOf([{ name: 'conv1.weight', shape: [64, 3, 7, 7] }]),
      {},
      '(conv1.weight, ...) are no HiCMAE',
    ],
    [
      'no patches',
      without(tiny, 'encoder.patch_embed.proj.weight'),
      {},
      'it has no tensor encoder.patch_embed.proj.weight',
    ],
    [
      'flat patches',
      change(tiny, { name: 'encoder.patch_embed.proj.weight', shape: [256, 1536] }),
      {},
      'encoder.patch_embed.proj.weight is [256, 1536]; wanted one of 5 dimensions',
    ],
    ['an unknown width', mapOf(odd), {}, 'its width 320 is none of the known sizes'],
    [
      'heads that do not divide',
      mapOf(odd),
      { heads: 7 },
      'attention heads 7; wanted a divisor of the width 320',
    ],
    [
      'a crop that does not divide',
      mapOf(tiny),
      { cropPx: 100 },
      'pixels of a patch 16; wanted a divisor of the crop 100',
    ],
    [
      'a missing tensor',
      without(tiny, 'encoder.norm.bias', 'fc_norm.bias'),
      {},
      'it lacks encoder.norm.bias, fc_norm.bias; wanted all 370 tensors',
    ],
    [
      'many missing',
      without(tiny, ...tiny.filter(({ name }) => name.startsWith('encoder_audio.b')).map(({ name }) => name)),
      {},
      'and 127 more',
    ],
    [
      'a foreign tensor',
      change(tiny, { name: 'encoder.pos_embed', shape: [1] }),
      {},
      'it has encoder.pos_embed too',
    ],
    [
      'another shape',
      change(tiny, { name: 'encoder.norm.bias', shape: [255] }),
      {},
      'its shapes do not agree: encoder.norm.bias is [255] instead of [256]',
    ],
    [
      'unknown depths',
      mapOf(pretrainParameterShapes({ ...pretrainSizes.micro, encoderDepth: 5 })),
      {},
      'by --levels',
    ],
    ['levels beyond the encoder', mapOf(micro), { levels: [0, 1, 4] }, 'wanted 3 levels below 4, not 0,1,4'],
    [
      'an unknown decoder',
      mapOf(pretrainParameterShapes({ ...pretrainSizes.micro, decoderWidth: 40 })),
      {},
      'by --decoder-heads',
    ],
  ] as const)('explains %s', (_name, found, hints, message) => {
    // prettier-ignore
    expect(() => recognize(found, hints, 'given.pth')).toThrow(message);
    expect(() => recognize(found, hints, 'given.pth')).toThrow(/^given\.pth: /);
  });
});
