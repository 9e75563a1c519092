// Which HiCMAE a set of tensors is, by their official names and shapes: a stranger's checkpoint says nothing else of itself.
import { Problem } from '../base/errors.ts';
import { sizes } from '../model/config.ts';
import type { EncoderConfig, HicmaeConfig } from '../model/config.ts';
import { parameterShapes } from '../model/params.ts';
import type { ParameterShape } from '../model/params.ts';
import { pretrainSizes } from '../model/pretrain-config.ts';
import type { PretrainConfig } from '../model/pretrain-config.ts';
import { pretrainParameterShapes } from '../model/pretrain-params.ts';

export type Recognized =
  | { readonly kind: 'finetune'; readonly config: HicmaeConfig }
  | { readonly kind: 'pretrain'; readonly config: PretrainConfig };

/** What shapes cannot tell; what is left out is that of the known size of the same shapes, or of the official input. */
export interface RecognizeHints {
  readonly heads?: number;
  /** Of a pre-training model. */
  readonly decoderHeads?: number;
  /** Of a pre-training model. */
  readonly levels?: readonly number[];
  readonly headActivation?: HicmaeConfig['headActivation'];
  /** Video frames and their side in pixels. */
  readonly frameCount?: number;
  readonly cropPx?: number;
  /** Spectrogram frames and mel bins. */
  readonly soundFrames?: number;
  readonly melBins?: number;
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/** Decoder heads by width: the known sizes', and those of base's smaller decoder (256, of the official code's remark). */
const decoderHeadsByWidth = new Map<number, number>([
  ...Object.values(pretrainSizes).map(
    ({ decoderWidth, decoderHeads }) => [decoderWidth, decoderHeads] as const,
  ),
  [256, 4],
]);

/**
 * The model whose parameters have exactly these names and shapes.
 * @param found PyTorch shapes by official name
 * @param fileName for the error message
 * @throws Problem `unsupported-file`: no HiCMAE, or one that the hints do not complete; says which names or shapes do not fit
 */
export function recognize(found: Shapes, hints: RecognizeHints, fileName: string): Recognized {
  const refuse = (got: string, wanted: string): never => {
    throw new Problem('unsupported-file', `${fileName}: ${got}; wanted ${wanted}`);
  };
  const finetune = found.has('head.weight') && found.has('fc_norm.weight');
  const pretrain = found.has('encoder_to_decoder.weight') || found.has('encoder_to_decoder_audio.weight');
  if (!finetune && !pretrain) {
    const names = [...found.keys()].slice(0, 3).join(', ');
    return refuse(
      `its ${String(found.size)} tensors ${names === '' ? '' : `(${names}, ...) `}are no HiCMAE's`,
      'a fine-tuned one (with fc_norm.* and head.*) or a pre-trained one (with encoder_to_decoder.*), by their official names',
    );
  }
  const shape = (name: string, dimensions: number): readonly number[] => {
    const got = found.get(name);
    if (got?.length !== dimensions || got.includes(0)) {
      return refuse(
        got === undefined ? `it has no tensor ${name}` : `tensor ${name} is [${got.join(', ')}]`,
        `one of ${String(dimensions)} dimensions`,
      );
    }
    return got;
  };
  const [width = 0, , tubeletFrames = 0, patchPx = 0] = shape('encoder.patch_embed.proj.weight', 5);
  const [, , patchSize = 0] = shape('encoder_audio.patch_embed.proj.weight', 4);
  const encoder = {
    width,
    encoderDepth: countBlocks(found, 'encoder.blocks'),
    fusionDepth: countBlocks(found, 'encoder_fusion.blocks'),
    tubeletFrames,
    patchPx,
    patchSize,
  };
  const headsOf = (same: EncoderConfig | undefined): number => {
    const known = Object.values(sizes).find((size) => size.width === width);
    return (
      hints.heads ??
      same?.heads ??
      known?.heads ??
      refuse(
        `its width ${String(width)} is none of the known sizes'`,
        'the number of attention heads by --heads',
      )
    );
  };
  let recognized: Recognized;
  if (finetune) {
    const same = Object.values(sizes).find((size) => hasShapes(size, encoder));
    const [classCount = 0] = shape('head.weight', 2);
    const headActivation = hints.headActivation ?? 'none';
    const config = { ...encoderConfig(encoder, headsOf(same), same, hints), classCount, headActivation };
    recognized = { kind: 'finetune', config };
  } else {
    const [decoderWidth = 0] = shape('encoder_to_decoder.weight', 2);
    const decoderDepth = countBlocks(found, 'decoder.blocks');
    const same = Object.values(pretrainSizes).find((size) => hasShapes(size, encoder));
    const levels =
      hints.levels ??
      (same?.decoderDepth === decoderDepth ? same.levels : undefined) ??
      refuse(
        `its ${String(encoder.encoderDepth)} encoder and ${String(decoderDepth)} decoder blocks are no known size's`,
        'the encoder blocks that decoders read by --levels',
      );
    const decoderHeads =
      hints.decoderHeads ??
      decoderHeadsByWidth.get(decoderWidth) ??
      refuse(
        `its decoder's width ${String(decoderWidth)} is none of the known`,
        'its heads by --decoder-heads',
      );
    if (levels.length !== decoderDepth - 1 || levels.some((level) => level >= encoder.encoderDepth)) {
      refuse(
        `its decoder has ${String(decoderDepth)} blocks and its encoder ${String(encoder.encoderDepth)}`,
        `${String(decoderDepth - 1)} levels below ${String(encoder.encoderDepth)}, not ${levels.join()}`,
      );
    }
    if (decoderWidth % decoderHeads !== 0)
      refuse(
        `${String(decoderHeads)} decoder heads`,
        `a divisor of the decoder's width ${String(decoderWidth)}`,
      );
    const config = {
      ...encoderConfig(encoder, headsOf(same), same, hints),
      ...{ decoderWidth, decoderHeads, decoderDepth, levels },
    };
    recognized = { kind: 'pretrain', config };
  }
  checkDivisors(recognized.config, refuse);
  checkShapes(found, shapesOf(recognized), refuse);
  return recognized;
}

/** Every parameter of the model in the official order. */
export function shapesOf(model: Recognized): ParameterShape[] {
  return model.kind === 'finetune' ? parameterShapes(model.config) : pretrainParameterShapes(model.config);
}

interface EncoderShapes {
  readonly width: number;
  readonly encoderDepth: number;
  readonly fusionDepth: number;
  readonly tubeletFrames: number;
  readonly patchPx: number;
  readonly patchSize: number;
}

function hasShapes(size: EncoderConfig, shapes: EncoderShapes): boolean {
  return (
    size.width === shapes.width &&
    size.encoderDepth === shapes.encoderDepth &&
    size.fusionDepth === shapes.fusionDepth &&
    size.video.tubeletFrames === shapes.tubeletFrames &&
    size.video.patchPx === shapes.patchPx &&
    size.audio.patchSize === shapes.patchSize
  );
}

function encoderConfig(
  { width, encoderDepth, fusionDepth, tubeletFrames, patchPx, patchSize }: EncoderShapes,
  heads: number,
  same: EncoderConfig | undefined,
  hints: RecognizeHints,
): EncoderConfig {
  const { video, audio } = same ?? sizes.base;
  return {
    ...{ width, heads, encoderDepth, fusionDepth },
    video: {
      frameCount: hints.frameCount ?? video.frameCount,
      cropPx: hints.cropPx ?? video.cropPx,
      ...{ tubeletFrames, patchPx },
    },
    audio: {
      frameCount: hints.soundFrames ?? audio.frameCount,
      melBins: hints.melBins ?? audio.melBins,
      patchSize,
    },
  };
}

/** Blocks PREFIX.0, PREFIX.1, ... that are there, up to the first that is not. */
function countBlocks(found: Shapes, prefix: string): number {
  let count = 0;
  while (found.has(`${prefix}.${String(count)}.norm1.weight`)) count++;
  return count;
}

type Refuse = (got: string, wanted: string) => never;

function checkDivisors({ width, heads, video, audio }: EncoderConfig, refuse: Refuse): void {
  const divides = (part: number, whole: number, what: string, of: string): void => {
    if (whole % part !== 0) refuse(`${what} ${String(part)}`, `a divisor of ${of} ${String(whole)}`);
  };
  divides(heads, width, 'attention heads', 'the width');
  divides(video.tubeletFrames, video.frameCount, 'frames of a patch', 'the frames of a clip');
  divides(video.patchPx, video.cropPx, 'pixels of a patch', 'the crop');
  divides(audio.patchSize, audio.frameCount, 'frames of a sound patch', 'the spectrogram frames');
  divides(audio.patchSize, audio.melBins, 'bins of a sound patch', 'the mel bins');
}

/** At most three of a list, and how many more. */
function some(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${String(names.length - 3)} more` : '';
  return names.slice(0, 3).join(', ') + more;
}

function checkShapes(found: Shapes, wanted: readonly ParameterShape[], refuse: Refuse): void {
  const missing = wanted.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  if (missing.length > 0)
    refuse(`it lacks ${some(missing)}`, `all ${String(wanted.length)} tensors of its size`);
  const known = new Set(wanted.map(({ name }) => name));
  const unknown = [...found.keys()].filter((name) => !known.has(name));
  if (unknown.length > 0)
    refuse(`it has ${some(unknown)} too`, `only the ${String(wanted.length)} tensors of its size`);
  const wrong = wanted.flatMap(({ name, shape }) => {
    const got = found.get(name) ?? [];
    return got.join() === shape.join()
      ? []
      : [`${name} is [${got.join(', ')}] instead of [${shape.join(', ')}]`];
  });
  if (wrong.length > 0) refuse(`its shapes do not agree: ${some(wrong)}`, 'one size throughout');
}
