// Files that PyTorch 1.13 wrote (testing/golden/checkpoints), files of our own, and damaged ones.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Problem } from '../base/errors.ts';
import { random } from '../base/random.ts';
import { PickleGlobal, PickleObject } from './pickle.ts';
import { openTorch } from './pytorch-read.ts';
import type { TorchFile } from './pytorch-read.ts';
import { writeTorch } from './pytorch-write.ts';
import type { TorchValue } from './pytorch-write.ts';
import { TorchTensor } from './torch-globals.ts';
import { crc32, readZipDirectory, readZipMember, writeZip } from './zip.ts';
import type { ByteSource } from './zip.ts';

const folder = join(import.meta.dirname, '../testing/golden/checkpoints');
const fixtures = readdirSync(folder).filter((name) => name.startsWith('torch-'));
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));

const sourceOf = (bytes: Uint8Array, name = 'x.pth'): ByteSource => ({
  name,
  size: bytes.length,
  read: (offset, length) => {
    if (offset < 0 || offset + length > bytes.length) throw new Error('internal: a read outside of the file');
    return Promise.resolve(bytes.subarray(offset, offset + length));
  },
});

async function problem(action: Promise<unknown>): Promise<Problem> {
  const outcome = await action.catch((error: unknown) => error);
  if (outcome instanceof Problem) return outcome;
  throw outcome instanceof Error ? outcome : new Error('it was accepted');
}

function tensorOf(map: unknown, name: string): TorchTensor {
  const tensor: unknown = map instanceof Map ? map.get(name) : undefined;
  if (tensor instanceof TorchTensor) return tensor;
  throw new Error(`${name} is no tensor`);
}

async function values(
  file: TorchFile,
  name: string,
): Promise<readonly [readonly number[], readonly number[]]> {
  const tensor = tensorOf(file.root, name);
  return [tensor.shape, [...(await file.read(tensor))]];
}

describe.each(fixtures)('%s, of PyTorch', (name) => {
  it('gives tensors of any type and stride', async () => {
    const file = await openTorch(sourceOf(fixture(name)));
    const grid = [-0.5, -0.375, -0.25, -0.125, 0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];
    const wanted: Readonly<Record<string, readonly [readonly number[], readonly number[]]>> = {
      plain: [[3, 4], grid],
      transposed: [[4, 3], [0, 1, 2, 3].flatMap((row) => [grid[row]!, grid[row + 4]!, grid[row + 8]!])],
      column: [[3], [-0.375, 0.125, 0.625]],
      part: [[4], [5, 6, 7, 8]],
      whole: [[20], Array.from({ length: 20 }, (_, i) => i)],
      stepped: [[7], [1, 4, 7, 10, 13, 16, 19]],
      scalar: [[], [2.5]],
      empty: [[0, 3], []],
      one: [[1, 1, 1], [1]],
      double: [[2], [Math.fround(0.1), -10]],
      half: [[2], [0.5, -65504]],
      bfloat: [[3], [1, -2.5, Math.fround(3.00405527047391e38)]],
      long: [[3], [1, -2, 2 ** 40]],
      int: [[1], [-7]],
      short: [[1], [-300]],
      char: [[1], [-5]],
      byte: [[1], [200]],
      bool: [[2], [1, 0]],
      parameter: [[2], [4, 5]],
    };
    for (const [key, expected] of Object.entries(wanted)) expect([key, await values(file, key)]).toEqual([key, expected]); // prettier-ignore
  });

  it('gives the rest as plain values', async () => {
    const { root } = await openTorch(sourceOf(fixture(name)));
    const map = root as ReadonlyMap<string, unknown>;
    expect(map.get('epoch')).toBe(12);
    expect([...(map.get('model') as Map<string, unknown>).keys()]).toEqual(['weight', 'bias']);
    const args = map.get('args') as PickleObject;
    expect(args.type).toBe('argparse.Namespace');
    expect(Object.fromEntries(args.fields)).toEqual({
      lr: 3e-4,
      name: 'grün',
      out: '/a/b',
      device: 'cuda:1',
      size: [2, 3],
      best: 0.75,
      count: 5,
      flag: true,
      none: null,
      yes: true,
      large: 2n ** 70n,
      minus: -5,
      tup: [1, 2, 3, 4],
      s: new Set([1, 2]),
      dtype: new PickleGlobal('torch.float32'),
      bts: Uint8Array.of(0, 255),
    });
  });

  it('refuses a view that is larger than its storage', async () => {
    const file = await openTorch(sourceOf(fixture(name)));
    const { message } = await problem(file.read(tensorOf(file.root, 'expanded')));
    expect(message).toContain('a tensor [4] reaches beyond its storage of 1 elements');
  });

  it('cut off anywhere is a clear problem', async () => {
    const whole = fixture(name);
    for (let length = 0; length < whole.length; length += 7) {
      const { kind } = await problem(openTorch(sourceOf(whole.subarray(0, length))));
      expect([length, kind]).toEqual([length, 'unsupported-file']);
    }
  });

  it('with any byte changed gives values or a problem, never anything else', async () => {
    const draw = random(3);
    const whole = fixture(name);
    let problems = 0;
    for (let at = 0; at < whole.length; at += 11) {
      const bytes = whole.slice();
      bytes[at]! ^= 1 + draw.integer(255);
      try {
        const file = await openTorch(sourceOf(bytes));
        const tensors = file.root instanceof Map ? [...(file.root as Map<unknown, unknown>).values()] : [];
        for (const tensor of tensors) if (tensor instanceof TorchTensor) await file.read(tensor);
      } catch (error) {
        expect([at, error]).toEqual([at, expect.any(Problem)]);
        expect((error as Problem).kind).toBe('unsupported-file');
        problems++;
      }
    }
    expect(problems).toBeGreaterThan(whole.length / 44);
  });
});

describe('files of ours', () => {
  const special = Float32Array.of(1, -0, 2 ** -149, -(2 ** 127), NaN, Infinity, 0.1);
  const root = new Map<string, TorchValue>([
    ['model', new Map([['a', { shape: [7], data: special }], ['b.c', { shape: [2, 1, 1], data: Float32Array.of(3, 4) }], ['s', { shape: [], data: Float32Array.of(5) }]])], // prettier-ignore
    ['epoch', 12],
    ['about', 'gr\u00fcn'],
    ['list', [1.5, -1, 2 ** 40, true, null, new Map([['k', 'v']])]],
  ]);

  it('come back bit for bit, in order', async () => {
    const file = await openTorch(sourceOf(writeTorch(root, 'F32')));
    const map = file.root as Map<string, unknown>;
    expect([...map.keys()]).toEqual(['model', 'epoch', 'about', 'list']);
    expect([map.get('epoch'), map.get('about')]).toEqual([12, 'grün']);
    expect(map.get('list')).toEqual([1.5, -1, 2 ** 40, true, null, new Map([['k', 'v']])]);
    const model = map.get('model');
    expect([...(model as Map<string, unknown>).keys()]).toEqual(['a', 'b.c', 's']);
    const a = await file.read(tensorOf(model, 'a'));
    expect(new Uint32Array(a.buffer)).toEqual(new Uint32Array(special.slice().buffer));
    expect([tensorOf(model, 'b.c').shape, tensorOf(model, 's').shape]).toEqual([[2, 1, 1], []]);
    expect([...(await file.read(tensorOf(model, 's')))]).toEqual([5]);
  });

  it('are the same bytes every time, with aligned data', async () => {
    const bytes = writeTorch(root, 'F32');
    expect(writeTorch(root, 'F32')).toEqual(bytes);
    const source = sourceOf(bytes);
    for (const member of (await readZipDirectory(source)).values()) {
      const data = await readZipMember(source, member);
      expect(data.byteOffset % 64).toBe(0);
    }
  });

  it('in half precision come back rounded; what is too large is named', async () => {
    const model = new Map<string, TorchValue>([['a', { shape: [2], data: Float32Array.of(0.1, 65504) }]]);
    const file = await openTorch(sourceOf(writeTorch(model, 'F16')));
    expect(await values(file, 'a')).toEqual([[2], [0.0999755859375, 65504]]);
    model.set('a', { shape: [1], data: Float32Array.of(1e5) });
    expect(() => writeTorch(model, 'F16')).toThrow('tensor a holds 100000, beyond half precision');
  });
});

describe('zip archives', () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);

  /** Our own file with some members replaced; null removes one. */
  async function changed(changes: Readonly<Record<string, Uint8Array | null>>): Promise<Uint8Array> {
    const bytes = writeTorch(new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]), 'F32', 'm');
    const source = sourceOf(bytes);
    const members = await readZipDirectory(source);
    const kept = await Promise.all(
      [...members].map(async ([name, member]) => ({ name, bytes: await readZipMember(source, member) })),
    );
    const added = Object.keys(changes).filter((name) => !members.has(name));
    return writeZip(
      [...kept, ...added.map((name) => ({ name, bytes: new Uint8Array(0) }))].flatMap((member) => {
        const change = changes[member.name];
        return change === null ? [] : [{ name: member.name, bytes: change ?? member.bytes }];
      }),
    );
  }

  it('CRC-32 is that of the standard', () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926);
  });

  it('of a big-endian machine are read', async () => {
    const swapped = new Uint8Array(12);
    [1, 2, 3].forEach((value, i) => {
      new DataView(swapped.buffer).setFloat32(4 * i, value, false);
    });
    const bytes = await changed({ 'm/byteorder': text('big'), 'm/data/0': swapped });
    expect(await values(await openTorch(sourceOf(bytes)), 'a')).toEqual([[3], [1, 2, 3]]);
  });

  it.each<[string, Readonly<Record<string, Uint8Array | null>>, string]>([
    ['without a pickle', { 'm/data.pkl': null }, 'a zip file without data.pkl'],
    ['of TorchScript', { 'm/constants.pkl': text('x') }, 'a program of TorchScript'],
    ['of an unknown byte order', { 'm/byteorder': text('middle') }, 'its byte order is middle'],
  ])('%s are refused', async (_name, changes, message) => {
    expect((await problem(openTorch(sourceOf(await changed(changes))))).message).toContain(message);
  });

  it.each<[string, Readonly<Record<string, Uint8Array | null>>, string]>([
    ['is missing', { 'm/data/0': null }, 'its storage 0 is missing'],
    ['is too short', { 'm/data/0': new Uint8Array(8) }, 'has 8 bytes instead of 12'],
    ['is too long', { 'm/data/0': new Uint8Array(16) }, 'has 16 bytes instead of 12'],
  ])('whose storage %s are refused when it is read', async (_name, changes, message) => {
    const file = await openTorch(sourceOf(await changed(changes)));
    expect((await problem(file.read(tensorOf(file.root, 'a')))).message).toContain(message);
  });

  it('a flipped bit of a tensor is noticed', async () => {
    const bytes = await changed({});
    const data = [...(await readZipDirectory(sourceOf(bytes))).values()].find(
      ({ name }) => name === 'm/data/0',
    );
    const at = (data?.headerOffset ?? 0) + 30 + 'm/data/0'.length + 4;
    bytes[Math.ceil(at / 64) * 64]! ^= 1;
    const file = await openTorch(sourceOf(bytes));
    const { message } = await problem(file.read(tensorOf(file.root, 'a')));
    expect(message).toMatch(/its member m\/data\/0 is damaged \(CRC/);
  });

  it('compressed members are refused', async () => {
    const bytes = await changed({});
    const directory = bytes.length - 22 - [...(await readZipDirectory(sourceOf(bytes))).keys()].reduce((sum, name) => sum + 46 + name.length, 0); // prettier-ignore
    bytes[directory + 10] = 8;
    expect((await problem(openTorch(sourceOf(bytes)))).message).toContain('m/data.pkl is compressed');
  });

  it('zip64 is understood', async () => {
    const plain = writeZip([{ name: 'm/x', bytes: text('hello') }]);
    const entry = plain.slice(-22 - 49, -22);
    const start = plain.length - 22 - 49;
    const view = new DataView(entry.buffer);
    view.setUint16(30, 28, true);
    for (const at of [20, 24, 42]) view.setUint32(at, 0xffffffff, true);
    const tail = new DataView(new ArrayBuffer(28 + 56 + 20 + 22));
    const wide = (at: number, value: number): void => {
      tail.setBigUint64(at, BigInt(value), true);
    };
    tail.setUint16(0, 1, true);
    tail.setUint16(2, 24, true);
    [5, 5, 0].forEach((value, i) => {
      wide(4 + 8 * i, value);
    });
    tail.setUint32(28, 0x06064b50, true);
    wide(28 + 4, 44);
    wide(28 + 24, 1);
    wide(28 + 32, 1);
    wide(28 + 40, 49 + 28);
    wide(28 + 48, start);
    tail.setUint32(84, 0x07064b50, true);
    wide(92, start + 49 + 28);
    tail.setUint32(104, 0x06054b50, true);
    tail.setUint16(114, 0xffff, true);
    tail.setUint32(116, 0xffffffff, true);
    tail.setUint32(120, 0xffffffff, true);
    const bytes = new Uint8Array([...plain.subarray(0, start), ...entry, ...new Uint8Array(tail.buffer)]);
    const member = (await readZipDirectory(sourceOf(bytes))).get('m/x');
    expect(member).toMatchObject({ size: 5, headerOffset: 0 });
    const data = member && (await readZipMember(sourceOf(bytes), member));
    expect(new TextDecoder().decode(data)).toBe('hello');
  });
});

describe('no checkpoints', () => {
  it.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'it is empty'],
    ['text', new TextEncoder().encode('version https://git-lfs'), 'it begins neither as a zip'],
    ['another pickle', Uint8Array.of(0x80, 2, 0x4b, 1, 0x2e), 'it begins neither as a zip'],
    ['an image', Uint8Array.of(0x89, 0x50, 0x4e, 0x47), 'it begins neither as a zip'],
    ['the head of a zip', Uint8Array.of(0x50, 0x4b, 3, 4), 'its end is missing'],
    [
      'random bytes',
      Uint8Array.from({ length: 4000 }, (_, i) => (i * 7919) >> 3),
      'it begins neither as a zip',
    ],
  ])('%s', async (_name, bytes, message) => {
    const problem_ = await problem(openTorch(sourceOf(bytes, 'given.pth')));
    expect(problem_.kind).toBe('unsupported-file');
    expect(problem_.message).toContain(`given.pth: ${message}`);
  });

  it('a legacy file whose pickle is longer than what is read at first', async () => {
    // A text of 3 MB before the end: read again, with more of the file.
    const head = fixture('torch-legacy.pth').subarray(0, 137); // magic, version and machine
    const long = new Uint8Array(3_000_000).fill(0x61);
    const size = new DataView(new ArrayBuffer(4));
    size.setUint32(0, long.length, true);
    const main = [0x80, 2, 0x58, ...new Uint8Array(size.buffer)];
    const bytes = new Uint8Array(head.length + main.length + long.length + 1 + 4);
    bytes.set(head);
    bytes.set(main, head.length);
    bytes.set(long, head.length + main.length);
    bytes.set([0x2e, 0x80, 2, 0x5d, 0x2e], head.length + main.length + long.length);
    const { root } = await openTorch(sourceOf(bytes));
    expect(root).toHaveLength(3_000_000);
  });
});
