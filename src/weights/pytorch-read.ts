// Files of torch.save, zip (PyTorch 1.6 and later) and legacy, as data: tensors are found without running anything and read
// one by one.
import { Problem } from '../base/errors.ts';
import { float16ToFloat32 } from './float16.ts';
import { PickleError } from './pickle-bytes.ts';
import { readPickle } from './pickle.ts';
import type { PickleHandlers } from './pickle.ts';
import { torchBytes, torchHandlers } from './torch-globals.ts';
import type { TorchDtype, TorchStorage, TorchTensor } from './torch-globals.ts';
import { readZipDirectory, readZipMember, ZipError } from './zip.ts';
import type { ByteSource } from './zip.ts';

export interface TorchFile {
  /** What was saved: dictionaries are Maps, tensors TorchTensors, namespaces PickleObjects. */
  readonly root: unknown;
  /**
   * A tensor's values, row-major, as 32-bit floats (64-bit floats and integers are rounded to the nearest).
   * @throws Problem `unsupported-file` when its data are damaged or do not hold it
   */
  readonly read: (tensor: TorchTensor) => Promise<Float32Array<ArrayBuffer>>;
}

/** Pickles are small: the tensors' data lie outside of them. */
const maxPickleBytes = 2 ** 24;
const firstWindow = 2 ** 20;

const legacyMagic = 0x1950a86a20f9469cfc6cn;
const legacyProtocol = 1001;

/** Bytes of a storage, and whether each element's bytes are reversed. */
interface StorageBytes {
  readonly bytes: Uint8Array;
  readonly bigEndian: boolean;
}

type ReadStorage = (storage: TorchStorage) => Promise<StorageBytes>;

/**
 * Opens a file of torch.save. Its pickle is interpreted as data; what would have to be executed is refused by name.
 * @throws Problem `unsupported-file`: no such file, cut short, damaged, or one that would run code
 */
export async function openTorch(source: ByteSource): Promise<TorchFile> {
  try {
    if (source.size === 0) throw new PickleError('it is empty');
    const head = await source.read(0, Math.min(4, source.size));
    const zip = head[0] === 0x50 && head[1] === 0x4b;
    const { root, readStorage } = zip ? await openZip(source) : await openLegacy(source);
    // Views of one storage usually follow each other.
    let last: { key: string; data: StorageBytes } | undefined;
    return {
      root,
      read: async (tensor) => {
        try {
          checkTensor(tensor);
          const { storage } = tensor;
          if (last?.key !== storage.key) last = { key: storage.key, data: await readStorage(storage) };
          return valuesOf(tensor, last.data);
        } catch (error) {
          throw asProblem(error, source.name);
        }
      },
    };
  } catch (error) {
    throw asProblem(error, source.name);
  }
}

function asProblem(error: unknown, name: string): unknown {
  const refused = error instanceof PickleError && error.reason === 'refused';
  let message: string;
  if (error instanceof PickleError || error instanceof ZipError) ({ message } = error);
  else if (error instanceof RangeError) message = 'it asks for more memory than a checkpoint needs';
  else return error;
  return new Problem(
    'unsupported-file',
    refused
      ? `${name}: ${message}; wanted tensors and plain values: save the state_dict alone where the file was made`
      : `${name}: ${message}; wanted a whole file of torch.save: copy it again, or save its state_dict anew`,
    { cause: error },
  );
}

async function openZip(source: ByteSource): Promise<{ root: unknown; readStorage: ReadStorage }> {
  const members = await readZipDirectory(source);
  const pickle = [...members.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  const member = members.get(pickle ?? '');
  if (pickle === undefined || member === undefined) throw new ZipError('it is a zip file without data.pkl');
  const prefix = pickle.slice(0, -'data.pkl'.length);
  if (members.has(`${prefix}constants.pkl`)) {
    throw new ZipError('it is a program of TorchScript, not a checkpoint');
  }
  if (member.size > maxPickleBytes)
    throw new ZipError(`its pickle of ${String(member.size)} bytes is too long`);
  const { handlers } = torchHandlers();
  const { value } = readPickle(await readZipMember(source, member), 0, handlers);

  const order = members.get(`${prefix}byteorder`);
  const byteOrder =
    order && order.size < 16 ? new TextDecoder().decode(await readZipMember(source, order)) : 'little';
  if (byteOrder !== 'little' && byteOrder !== 'big') {
    throw new ZipError(`its byte order is ${byteOrder}`);
  }
  const readStorage: ReadStorage = async (storage) => {
    const data = members.get(`${prefix}data/${storage.key}`);
    if (data === undefined) throw new ZipError(`its storage ${storage.key} is missing`);
    checkSize(storage, data.size);
    return { bytes: await readZipMember(source, data), bigEndian: byteOrder === 'big' };
  };
  return { root: value, readStorage };
}

function checkSize(storage: TorchStorage, bytes: number): void {
  const wanted = storage.length * torchBytes[storage.dtype];
  if (bytes !== wanted) {
    throw new PickleError(
      `its storage ${storage.key} has ${String(bytes)} bytes instead of ${String(wanted)}`,
    );
  }
}

/** Five pickles in a row, then every storage: a 64-bit count and its elements, little-endian on all machines. */
async function openLegacy(source: ByteSource): Promise<{ root: unknown; readStorage: ReadStorage }> {
  const { handlers, storages } = torchHandlers();
  let at = 0;
  let window = await source.read(0, Math.min(firstWindow, source.size));
  const next = async (with_: PickleHandlers): Promise<unknown> => {
    for (;;) {
      try {
        const { value, end } = readPickle(window, at, with_);
        at = end;
        return value;
      } catch (error) {
        const more =
          error instanceof PickleError && error.reason === 'truncated' && window.length < source.size;
        if (!more || window.length >= maxPickleBytes) throw error;
        window = await source.read(0, Math.min(window.length * 4, source.size, maxPickleBytes));
      }
    }
  };
  const plain: PickleHandlers = {
    call: (global) => {
      throw new PickleError(`it would run ${global.path}`, 'refused');
    },
    persistent: () => {
      throw new PickleError('its header refers to a storage');
    },
  };
  const first = await source.read(0, Math.min(2, source.size));
  const notOurs = 'it begins neither as a zip archive nor as a legacy file of torch.save';
  if (first[0] !== 0x80) throw new PickleError(notOurs);
  if ((await next(plain)) !== legacyMagic) throw new PickleError(notOurs);
  const protocol = await next(plain);
  if (protocol !== legacyProtocol)
    throw new PickleError(`its legacy format is ${String(protocol)}, wanted 1001`);
  await next(plain); // the machine's sizes of integers
  const root = await next(handlers);
  const keys = await next(plain);
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) {
    throw new PickleError('its list of storages is missing');
  }

  const places = new Map<string, number>();
  for (const key of keys) {
    const storage = storages.get(key);
    if (storage === undefined || places.has(key))
      throw new PickleError(`its storage ${key} belongs to nothing`);
    if (at + 8 > source.size) throw new PickleError(`it ends before its storage ${key}`);
    const count = new DataView((await source.read(at, 8)).slice().buffer).getBigInt64(0, true);
    if (count !== BigInt(storage.length)) {
      throw new PickleError(
        `its storage ${key} has ${String(count)} elements instead of ${String(storage.length)}`,
      );
    }
    places.set(key, at + 8);
    at += 8 + storage.length * torchBytes[storage.dtype];
    if (at > source.size) throw new PickleError(`it ends inside its storage ${key}`);
  }
  const readStorage: ReadStorage = async (storage) => {
    const place = places.get(storage.key);
    if (place === undefined) throw new PickleError(`its storage ${storage.key} is missing`);
    const bytes = await source.read(place, storage.length * torchBytes[storage.dtype]);
    return { bytes, bigEndian: false };
  };
  return { root, readStorage };
}

/** The tensor lies in its storage, and is not much larger than it. */
function checkTensor({ storage, offset, shape, strides }: TorchTensor): void {
  const count = shape.reduce((a, b) => a * b, 1);
  if (count === 0) return;
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * (strides[i] ?? 0), offset);
  if (last >= storage.length || count > storage.length) {
    throw new PickleError(
      `a tensor [${shape.join()}] reaches beyond its storage of ${String(storage.length)} elements`,
    );
  }
}

function valuesOf(tensor: TorchTensor, { bytes, bigEndian }: StorageBytes): Float32Array<ArrayBuffer> {
  const { storage, offset, shape, strides } = tensor;
  const count = shape.reduce((a, b) => a * b, 1);
  const size = torchBytes[storage.dtype];
  const rowMajor = shape.every((length, i) => {
    const below = shape.slice(i + 1).reduce((a, b) => a * b, 1);
    return length === 1 || strides[i] === below;
  });
  if (count === 0) return new Float32Array(0);
  if (rowMajor) {
    return toFloats(bytes.slice(offset * size, (offset + count) * size), storage.dtype, bigEndian);
  }
  const all = toFloats(bytes.slice(), storage.dtype, bigEndian);
  const values = new Float32Array(count);
  const index = shape.map(() => 0);
  let at = offset;
  for (let i = 0; i < count; i++) {
    values[i] = all[at]!;
    for (let d = shape.length - 1; d >= 0; d--) {
      at += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      at -= shape[d]! * strides[d]!;
      index[d] = 0;
    }
  }
  return values;
}

/** @param own its own buffer, which is changed when big-endian */
function toFloats(
  own: Uint8Array<ArrayBuffer>,
  dtype: TorchDtype,
  bigEndian: boolean,
): Float32Array<ArrayBuffer> {
  const size = torchBytes[dtype];
  if (bigEndian && size > 1) {
    for (let i = 0; i < own.length; i += size) own.subarray(i, i + size).reverse();
  }
  const { buffer } = own;
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return float16ToFloat32(new Uint16Array(buffer));
    case 'BF16':
      // The upper half of a 32-bit float.
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (half) => (half << 16) >>> 0).buffer);
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer), Number);
    case 'I32':
      return Float32Array.from(new Int32Array(buffer));
    case 'I16':
      return Float32Array.from(new Int16Array(buffer));
    case 'I8':
      return Float32Array.from(new Int8Array(buffer));
    case 'U8':
    case 'BOOL':
      return Float32Array.from(own);
  }
}
