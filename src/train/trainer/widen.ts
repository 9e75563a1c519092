// A wider model that begins by answering as a narrower one does, so that what that one learned need not be learned again
// (after Net2Net, Chen et al. 2015, arXiv 1511.05641; here the new units begin fresh instead of as copies).
//
// - The residual stream: channel pairs of the same position frequency hold what they held; the pairs between them begin as
//   copies of their lower neighbor, so that layer norms see the same mean and deviation. Nothing old reads the copies.
// - Heads and hidden units: the old ones come first and read what they read. The new ones begin fresh and read everything;
//   nothing reads them yet.
// Only the position table differs between a channel and its copy, so the answers differ a little.
import { isDeepStrictEqual } from 'node:util';
import { defined } from '../../base/assert.ts';
import { Problem } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { HicmaeConfig } from '../../model/config.ts';
import { elementCount, initialValues, parameterShapes } from '../../model/params.ts';
import type { TensorMap } from '../../weights/safetensors.ts';

/** What a dimension of a parameter counts: channels of the residual stream, heads' or hidden units, or neither. */
type Axis = 'channels' | 'units' | 'same';

/** A parameter's dimensions, by the end of its name; the first that fits. A convolution's weight counts as a matrix. */
const axesByEnd: readonly (readonly [end: string, axes: readonly Axis[]])[] = [
  ['patch_embed.proj.weight', ['channels', 'same']],
  ['layer_weights', ['same']],
  ['head.weight', ['same', 'channels']],
  ['head.bias', ['same']],
  ['q_bias', ['units']],
  ['v_bias', ['units']],
  ['fc1.bias', ['units']],
  ['qkv.weight', ['units', 'channels']],
  ['q.weight', ['units', 'channels']],
  ['kv.weight', ['units', 'channels']],
  ['fc1.weight', ['units', 'channels']],
  ['proj.weight', ['channels', 'units']],
  ['fc2.weight', ['channels', 'units']],
  // Norms, and the biases of what writes to the residual stream.
  ['.weight', ['channels']],
  ['.bias', ['channels']],
];

/** Where an index of a wider dimension comes from. */
interface Origin {
  /** The narrower one's index whose values are taken over; null: there is none. */
  readonly from: number | null;
  /** Whether it is that index itself, and not its copy. */
  readonly itself: boolean;
}

/** @param parts equal parts of the dimension that are widened each by itself: q, k and v, or the head's four features */
function origin(axis: Axis, index: number, size: number, narrow: number, parts: number): Origin {
  if (axis === 'same') return { from: index, itself: true };
  const part = Math.floor((index * parts) / size);
  const within = index - (part * size) / parts;
  const begin = (part * narrow) / parts;
  if (axis === 'units') {
    const old = within < narrow / parts;
    return { from: old ? begin + within : null, itself: old };
  }
  const factor = size / narrow;
  const pair = Math.floor(within / 2);
  return {
    from: begin + 2 * Math.floor(pair / factor) + (within % 2),
    itself: pair % factor === 0,
  };
}

/** How many parts the dimension of an axis has in a parameter. */
function partsOf(name: string, axis: Axis): number {
  if (axis === 'channels') return name.startsWith('fc_norm.') || name.startsWith('head.') ? 4 : 1;
  return name.endsWith('qkv.weight') ? 3 : name.endsWith('kv.weight') ? 2 : 1;
}

/**
 * What each parameter of the wider model begins with.
 * @param small the narrower model's parameters
 * @returns a function of each parameter's official name and PyTorch shape, to be called in the official order
 * @throws Problem when the wider is not the narrower at a multiple of its width and heads
 */
export function widened(
  small: TensorMap,
  from: HicmaeConfig,
  to: HicmaeConfig,
  random: Random,
): (name: string, shape: readonly number[]) => Float32Array {
  const factor = to.width / from.width;
  const scaled = { ...from, width: to.width, heads: from.heads * factor, headActivation: to.headActivation };
  if (!Number.isInteger(factor) || factor < 2 || !isDeepStrictEqual(to, scaled)) {
    throw new Problem(
      'unsupported-file',
      `Weights of width ${String(from.width)}, ${String(from.heads)} heads and ${String(from.encoderDepth)} blocks cannot be widened to ${String(to.width)}, ${String(to.heads)} and ${String(to.encoderDepth)}: wanted a multiple of width and heads, and the same blocks, inputs and classes.`,
    );
  }
  const narrowShapes = new Map(parameterShapes(from).map(({ name, shape }) => [name, shape]));
  return (name, shape) => {
    const values = initialValues(name, shape, to, random, 'xavier');
    const old = defined(small[name], name).data;
    const axes = defined(
      axesByEnd.find(([end]) => name.endsWith(end)),
      name,
    )[1];
    const narrow = defined(narrowShapes.get(name), name);
    const rows = shape[0] ?? 1;
    const columns = elementCount(shape.slice(1));
    const narrowColumns = elementCount(narrow.slice(1));
    const [rowAxis = 'same', columnAxis = 'same'] = axes;
    const columnOrigins = Array.from({ length: columns }, (_, c) =>
      origin(columnAxis, c, columns, narrowColumns, partsOf(name, columnAxis)),
    );
    for (let r = 0; r < rows; r++) {
      const row = origin(rowAxis, r, rows, narrow[0] ?? 1, partsOf(name, rowAxis));
      if (row.from === null) continue;
      columnOrigins.forEach((column, c) => {
        const taken = column.itself && column.from !== null;
        values[r * columns + c] = taken ? old[row.from! * narrowColumns + column.from]! : 0;
      });
    }
    return values;
  };
}
