// The short list of what a torch.save file may name, and what each stands for here. Nothing else can be called.
import { PickleError } from './pickle-bytes.ts';
import { PickleGlobal, PickleObject } from './pickle.ts';
import type { PickleHandlers } from './pickle.ts';

/** Element types of torch storages. */
export type TorchDtype = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

export const torchBytes: Readonly<Record<TorchDtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

const storageTypes: Readonly<Record<string, TorchDtype>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** A storage that tensors of the file are views of; its data are elsewhere in the file. */
export interface TorchStorage {
  readonly key: string;
  readonly dtype: TorchDtype;
  /** Elements. */
  readonly length: number;
}

/** A tensor of the file, not read yet. */
export class TorchTensor {
  readonly storage: TorchStorage;
  /** First element, in elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** In elements. */
  readonly strides: readonly number[];
  constructor(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** A storage as the pickle refers to it; a class so that nothing else is taken for one. */
class StorageReference {
  readonly storage: TorchStorage;
  constructor(storage: TorchStorage) {
    this.storage = storage;
  }
}

/** More dimensions than any tensor has. */
const maxDimensions = 16;
/** Entries that calls may copy in one file, lest a small file ask for endless work. */
const maxCopied = 1_000_000;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= maxDimensions && value.every(isCount);

function refuse(what: string): never {
  throw new PickleError(`its pickle holds ${what}`);
}

/**
 * The handlers for one file.
 * @returns them, and every storage that the file refers to, by key
 */
export function torchHandlers(): {
  readonly handlers: PickleHandlers;
  readonly storages: ReadonlyMap<string, TorchStorage>;
} {
  const storages = new Map<string, TorchStorage>();
  let copied = 0;
  const copy = (count: number): void => {
    copied += count;
    if (copied > maxCopied) refuse('more copies than a checkpoint needs');
  };
  const call = (global: PickleGlobal, args: readonly unknown[]): unknown => {
    const known = listed[global.path];
    if (known === undefined) {
      throw new PickleError(
        `it would run ${global.path}, which is not among the few names that a checkpoint of HiCMAE needs`,
        'refused',
      );
    }
    return known(args, copy);
  };
  const persistent = (id: unknown): StorageReference => {
    if (!Array.isArray(id) || id[0] !== 'storage') return refuse('a reference to what is no storage');
    const [, type, key, , length, view] = id as readonly unknown[];
    const name = type instanceof PickleGlobal ? type.path : typeof type;
    const dtype = /^torch(?:\.cuda)?\.(\w+)$/.exec(name)?.[1] ?? '';
    if (!Object.hasOwn(storageTypes, dtype)) return refuse(`a storage of type ${name}`);
    if (view !== undefined && view !== null) return refuse('a view of a storage, from before PyTorch 0.4');
    if (!(typeof key === 'string' || isCount(key)) || !isCount(length))
      return refuse('a storage without a size');
    const storage = { key: String(key), dtype: storageTypes[dtype] ?? 'F32', length };
    const known = storages.get(storage.key);
    if (known === undefined) storages.set(storage.key, storage);
    else if (known.dtype !== storage.dtype || known.length !== storage.length)
      refuse(`storage ${storage.key} with two types`);
    return new StorageReference(known ?? storage);
  };
  return { handlers: { call, persistent }, storages };
}

type Call = (args: readonly unknown[], copy: (count: number) => void) => unknown;

function tensor([reference, offset, shape, strides]: readonly unknown[]): TorchTensor {
  if (!(reference instanceof StorageReference)) return refuse('a tensor without a storage');
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
    return refuse('a tensor without a shape');
  return new TorchTensor(reference.storage, offset, [...shape], [...strides]);
}

const map: Call = (args, copy) => {
  const [items = []] = args;
  if (!Array.isArray(items)) return refuse('a dictionary made of no list');
  copy(items.length);
  return new Map(
    items.map((item: unknown) =>
      Array.isArray(item) && item.length === 2
        ? ([item[0], item[1]] as const)
        : refuse('a dictionary made of no pairs'),
    ),
  );
};

const set: Call = ([items = []], copy) => {
  if (!Array.isArray(items)) return refuse('a set made of no list');
  copy(items.length);
  return new Set(items);
};

const path: Call = (parts, copy) => {
  const names = parts.map((part) => (typeof part === 'string' ? part : refuse('a path of no texts')));
  copy(names.reduce((sum, name) => sum + name.length, 0));
  return names.join('/').replace(/^\/+/, '/');
};

/** Python 3 writes bytes so in protocol 2. */
const bytes: Call = ([text = '', encoding = 'latin1'], copy) => {
  if (typeof text !== 'string' || encoding !== 'latin1') return refuse('text in an unknown encoding');
  copy(text.length);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
};

const numpyType: Call = ([name]) => {
  const type = new PickleObject('numpy.dtype');
  type.fields.set('name', typeof name === 'string' ? name : refuse('a numpy type without a name'));
  return type;
};

/** A numpy number, little-endian. */
const numpyScalar: Call = ([type, data]) => {
  const name = String(type instanceof PickleObject ? type.fields.get('name') : undefined);
  if (!(data instanceof Uint8Array)) return refuse('a numpy number without bytes');
  const view = new DataView(data.slice().buffer);
  const readers: Readonly<Record<string, (() => unknown) | undefined>> = {
    f8: () => view.getFloat64(0, true),
    f4: () => view.getFloat32(0, true),
    i8: () => Number(view.getBigInt64(0, true)),
    i4: () => view.getInt32(0, true),
    u1: () => view.getUint8(0),
    b1: () => view.getUint8(0) !== 0,
  };
  const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (read === undefined || view.byteLength !== Number(name.slice(1)))
    return refuse(`a numpy number of type ${name}`);
  return read();
};

const listed: Readonly<Record<string, Call | undefined>> = Object.assign(
  Object.create(null) as Record<string, Call>,
  {
    'collections.OrderedDict': map,
    'collections.defaultdict': ([, items]: readonly unknown[], copy: (count: number) => void) =>
      map(items === undefined ? [] : [items], copy),
    'argparse.Namespace': () => new PickleObject('argparse.Namespace'),
    'torch._utils._rebuild_tensor': tensor,
    'torch._utils._rebuild_tensor_v2': tensor,
    'torch._utils._rebuild_parameter': ([value]: readonly unknown[]) =>
      value instanceof TorchTensor ? value : refuse('a parameter without a tensor'),
    'torch.Size': ([sizes]: readonly unknown[]) => (isCounts(sizes) ? sizes : refuse('a size of no counts')),
    'torch.device': ([type, index]: readonly unknown[]) =>
      typeof type === 'string'
        ? isCount(index)
          ? `${type}:${String(index)}`
          : type
        : refuse('a device without a name'),
    'builtins.set': set,
    '__builtin__.set': set,
    'builtins.bytes': bytes,
    '__builtin__.bytes': bytes,
    '_codecs.encode': bytes,
    'pathlib.PosixPath': path,
    'pathlib.WindowsPath': path,
    'numpy.dtype': numpyType,
    'numpy.core.multiarray.scalar': numpyScalar,
    'numpy._core.multiarray.scalar': numpyScalar,
  } satisfies Record<string, Call>,
);
