// A file that torch.load opens, in any PyTorch since 1.6 and with weights_only too: dictionaries, lists, plain values and
// tensors, the same bytes every time.
import { assert } from '../base/assert.ts';
import { storedValues } from './safetensors.ts';
import type { Tensor } from './safetensors.ts';
import { writeZip } from './zip.ts';

/** What can be saved. A Map becomes an OrderedDict if it holds tensors, as a state_dict does, and a dict otherwise. */
export type TorchValue = string | number | boolean | null | readonly TorchValue[] | TorchMap | Tensor;

/** By key, in order. */
export type TorchMap = ReadonlyMap<string, TorchValue>;

const isTensor = (value: TorchValue): value is Tensor =>
  typeof value === 'object' && value !== null && 'data' in value;

const isList = (value: TorchValue): value is readonly TorchValue[] => Array.isArray(value);

/**
 * The bytes of a file like torch.save's.
 * @param root what torch.load returns
 * @param dtype of all tensors
 * @param name the archive's inner folder
 * @throws Problem `model-invalid` when a value exceeds half precision
 */
export function writeTorch(root: TorchMap, dtype: 'F32' | 'F16', name = 'archive'): Uint8Array<ArrayBuffer> {
  const storages: Uint8Array[] = [];
  const pickle = new PickleWriter(dtype, (tensor, path) => {
    storages.push(storedValues(tensor.data, dtype, path));
    return String(storages.length - 1);
  });
  pickle.write(root);
  const text = new TextEncoder();
  return writeZip([
    { name: `${name}/data.pkl`, bytes: pickle.finish() },
    { name: `${name}/byteorder`, bytes: text.encode('little') },
    ...storages.map((bytes, i) => ({ name: `${name}/data/${String(i)}`, bytes })),
    { name: `${name}/version`, bytes: text.encode('3\n') },
  ]);
}

/** Pickle protocol 2, torch.save's; a class because every value is appended to one growing buffer. */
class PickleWriter {
  private bytes = new Uint8Array(4096);
  private length = 0;
  private readonly storageType: string;
  private readonly store: (tensor: Tensor, path: string) => string;

  constructor(dtype: 'F32' | 'F16', store: (tensor: Tensor, path: string) => string) {
    this.storageType = dtype === 'F32' ? 'FloatStorage' : 'HalfStorage';
    this.store = store;
    this.put(0x80, 2); // PROTO
  }

  finish(): Uint8Array {
    this.put(0x2e); // STOP
    return this.bytes.slice(0, this.length);
  }

  write(value: TorchValue, path = ''): void {
    if (value === null)
      this.put(0x4e); // NONE
    else if (typeof value === 'boolean')
      this.put(value ? 0x88 : 0x89); // NEWTRUE, NEWFALSE
    else if (typeof value === 'number') this.number(value);
    else if (typeof value === 'string') this.text(value);
    else if (isTensor(value)) this.tensor(value, path);
    else if (isList(value)) this.items(value, path);
    else this.map(value, path);
  }

  private items(list: readonly TorchValue[], path: string): void {
    this.put(0x5d, 0x28); // EMPTY_LIST, MARK
    for (const [i, item] of list.entries()) this.write(item, `${path}[${String(i)}]`);
    this.put(0x65); // APPENDS
  }

  private map(map: TorchMap, path: string): void {
    if ([...map.values()].some((value) => isTensor(value))) {
      this.global('collections', 'OrderedDict');
      this.put(0x29, 0x52); // EMPTY_TUPLE, REDUCE
    } else this.put(0x7d); // EMPTY_DICT
    this.put(0x28); // MARK
    for (const [key, value] of map) {
      this.text(key);
      this.write(value, path === '' ? key : `${path}.${key}`);
    }
    this.put(0x75); // SETITEMS
  }

  private tensor(tensor: Tensor, path: string): void {
    const { shape, data } = tensor;
    assert(data.length === shape.reduce((a, b) => a * b, 1), `tensor ${path} does not fill its shape`);
    this.global('torch._utils', '_rebuild_tensor_v2');
    this.put(0x28, 0x28); // MARK, MARK
    this.text('storage');
    this.global('torch', this.storageType);
    this.text(this.store(tensor, path));
    this.text('cpu');
    this.number(data.length);
    this.put(0x74, 0x51); // TUPLE, BINPERSID
    this.number(0);
    this.tuple(shape);
    this.tuple(shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1)));
    this.put(0x89); // NEWFALSE: no gradient is asked for
    this.global('collections', 'OrderedDict');
    this.put(0x29, 0x52, 0x74, 0x52); // EMPTY_TUPLE, REDUCE, TUPLE, REDUCE
  }

  private tuple(numbers: readonly number[]): void {
    this.put(0x28); // MARK
    for (const value of numbers) this.number(value);
    this.put(0x74); // TUPLE
  }

  private number(value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    if (Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31 && !Object.is(value, -0)) {
      view.setInt32(0, value, true);
      this.put(0x4a, ...new Uint8Array(view.buffer, 0, 4)); // BININT
    } else {
      view.setFloat64(0, value, false);
      this.put(0x47, ...new Uint8Array(view.buffer)); // BINFLOAT
    }
  }

  private text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const size = new DataView(new ArrayBuffer(4));
    size.setUint32(0, bytes.length, true);
    this.put(0x58, ...new Uint8Array(size.buffer)); // BINUNICODE
    this.append(bytes);
  }

  private global(module: string, name: string): void {
    this.put(0x63); // GLOBAL
    this.append(new TextEncoder().encode(`${module}\n${name}\n`));
  }

  private put(...bytes: number[]): void {
    this.append(Uint8Array.from(bytes));
  }

  private append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.bytes.length) {
      const larger = new Uint8Array(2 * (this.length + bytes.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }
}
