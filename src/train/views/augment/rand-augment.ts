// RandAugment as the official fine-tuning runs it (timm's rand-m7-n4-mstd0.5-inc1): the same operators for all frames.
import type { Random } from '../../../base/random.ts';
import { rotate, shearX, shearY, translateX, translateY } from './affine.ts';
import {
  autoContrast,
  brightness,
  color,
  contrast,
  equalize,
  invert,
  posterize,
  sharpness,
  solarize,
  solarizeAdd,
} from './image-ops.ts';
import type { Pictures } from './pictures.ts';

/** The official names in the official order; each is drawn with the same probability. */
export const operators = [
  'AutoContrast',
  'Equalize',
  'Invert',
  'Rotate',
  'PosterizeIncreasing',
  'SolarizeIncreasing',
  'SolarizeAdd',
  'ColorIncreasing',
  'ContrastIncreasing',
  'BrightnessIncreasing',
  'SharpnessIncreasing',
  'ShearX',
  'ShearY',
  'TranslateXRel',
  'TranslateYRel',
] as const;

export type Operator = (typeof operators)[number];

/** An operator to apply; null: it takes no argument. */
export interface Operation {
  readonly operator: Operator;
  readonly argument: number | null;
}

/** How much is drawn. */
export interface RandAugment {
  /** Operators drawn, with replacement. */
  readonly count: number;
  /** Probability that a drawn operator is applied. */
  readonly probability: number;
  /** Level's mean and standard deviation; levels are clipped to 0..10. */
  readonly level: number;
  readonly levelDeviation: number;
  /** What is drawn from; all operators unless told. */
  readonly operators?: readonly Operator[];
}

export const officialRandAugment: RandAugment = {
  count: 4,
  probability: 0.5,
  level: 7,
  levelDeviation: 0.5,
};

const mostLevel = 10;

/**
 * An operator's argument at a level.
 * @param level 0..10
 * @param draw uniform in [0, 1): above 0.5 the change goes the other way, where it has a direction
 */
export function levelArgument(operator: Operator, level: number, draw: number): number | null {
  const share = level / mostLevel;
  const sign = draw > 0.5 ? -1 : 1;
  switch (operator) {
    case 'AutoContrast':
    case 'Equalize':
    case 'Invert':
      return null;
    case 'Rotate':
      return sign * (share * 30);
    case 'PosterizeIncreasing':
      return 4 - Math.trunc(share * 4);
    case 'SolarizeIncreasing':
      return 256 - Math.trunc(share * 256);
    case 'SolarizeAdd':
      return Math.trunc(share * 110);
    case 'ColorIncreasing':
    case 'ContrastIncreasing':
    case 'BrightnessIncreasing':
    case 'SharpnessIncreasing':
      return 1 + sign * (share * 0.9);
    case 'ShearX':
    case 'ShearY':
      return sign * (share * 0.3);
    case 'TranslateXRel':
    case 'TranslateYRel':
      return sign * (share * 0.45);
  }
}

/** Draws a clip's operations. */
export function drawOperations(stream: Random, settings: RandAugment = officialRandAugment): Operation[] {
  const { operators: choice = operators } = settings;
  const drawn = Array.from({ length: settings.count }, () => choice[stream.integer(choice.length)]!);
  return drawn.flatMap((operator) => {
    if (stream.uniform() > settings.probability) return [];
    const level = settings.level + settings.levelDeviation * stream.normal();
    const argument = levelArgument(operator, Math.min(mostLevel, Math.max(0, level)), stream.uniform());
    return [{ operator, argument }];
  });
}

const functions: Readonly<Record<Operator, (pictures: Pictures, argument: number) => void>> = {
  AutoContrast: autoContrast,
  Equalize: equalize,
  Invert: invert,
  Rotate: rotate,
  PosterizeIncreasing: posterize,
  SolarizeIncreasing: solarize,
  SolarizeAdd: solarizeAdd,
  ColorIncreasing: color,
  ContrastIncreasing: contrast,
  BrightnessIncreasing: brightness,
  SharpnessIncreasing: sharpness,
  ShearX: shearX,
  ShearY: shearY,
  TranslateXRel: translateX,
  TranslateYRel: translateY,
};

/** Applies an operation to all frames, in place. */
export function applyOperation(pictures: Pictures, { operator, argument }: Operation): void {
  functions[operator](pictures, argument ?? 0);
}
