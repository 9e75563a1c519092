// Voices that begin as faces do.
import { expect, test } from 'vitest';
import { random } from '../../base/random.ts';
import { sizes } from '../../model/config.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { initialValues, parameterShapes } from '../../model/params.ts';
import { flatOf, slotsOf } from './flat-params.ts';
import { beginVoicesAsFaces } from './initial.ts';

function begun(config: HicmaeConfig): (name: string) => Float32Array {
  const { slots } = slotsOf(parameterShapes(config));
  const draw = random(1);
  const flat = flatOf(slots, (name, shape) =>
    initialValues(name, shape, config, draw, 'xavier').map((value) => value + 0.1 * draw.uniform()),
  );
  const before = flat.slice();
  beginVoicesAsFaces(flat, config);
  const voices = (name: string): boolean => name.startsWith('encoder_audio.') || name.startsWith('audio_');
  for (const { name, offset, length } of slots) {
    const [now, then] = [flat, before].map((values) => values.slice(offset, offset + length));
    // Compared by hand: toEqual takes seconds for so many.
    expect(
      now!.every((value, i) => value === then![i]),
      name,
    ).toBe(!voices(name));
  }
  return (name) => {
    const { offset, length } = slots.find((slot) => slot.name === name)!;
    return flat.slice(offset, offset + length);
  };
}

test.each(['micro', 'nano'] as const)("%s: the voices' encoder is the faces'", (size) => {
  const config = { ...sizes[size], encoderDepth: 2, classCount: 7 };
  const { width, video, audio } = config;
  const valuesOf = begun(config);
  for (const end of [
    'blocks.1.attn.qkv.weight',
    'blocks.0.norm1.bias',
    'norm.weight',
    'patch_embed.proj.bias',
  ])
    expect(valuesOf(`encoder_audio.${end}`)).toEqual(valuesOf(`encoder.${end}`));
  expect(valuesOf('audio_layer_weights')).toEqual(valuesOf('video_layer_weights'));
  const [faces, voices] = ['encoder', 'encoder_audio'].map((name) =>
    valuesOf(`${name}.patch_embed.proj.weight`),
  );
  // A patch that is even along one axis: what a filter gives is what the faces' gives for the same stripes in all frames and colors.
  const side = audio.patchSize;
  const factor = side / video.patchPx;
  for (const along of ['rows', 'columns'] as const) {
    const stripe = (at: number, size: number): number =>
      ((along === 'rows' ? Math.floor(at / size) : at) % size) + 1;
    const given = (filters: Float32Array, channel: number, size: number, stretch: number): number => {
      const length = filters.length / width;
      let sum = 0;
      for (let at = 0; at < length; at++)
        sum += filters[channel * length + at]! * Math.ceil(stripe(at % size ** 2, size) / stretch);
      return sum;
    };
    for (const channel of [0, width - 1])
      expect(given(voices!, channel, side, factor)).toBeCloseTo(given(faces!, channel, video.patchPx, 1), 4);
  }
});

test('refuses patches that are no multiple', () => {
  const { nano } = sizes;
  const config = { ...nano, classCount: 7, video: { ...nano.video, patchPx: 12 } };
  const flat = new Float32Array(slotsOf(parameterShapes(config)).total);
  expect(() => {
    beginVoicesAsFaces(flat, config);
  }).toThrow("no multiple of a face's 12");
});
