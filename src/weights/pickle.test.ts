// Pickles made by hand, opcode by opcode: what they mean, and that nothing in them is ever executed.
import { describe, expect, it } from 'vitest';
import { PickleError } from './pickle-bytes.ts';
import { PickleGlobal, PickleObject, readPickle } from './pickle.ts';
import { TorchTensor, torchHandlers } from './torch-globals.ts';

type Part = string | number | readonly number[];

/** Opcodes as numbers, texts as their characters. */
function bytes(...parts: readonly Part[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === 'number'
        ? [part]
        : typeof part === 'string'
          ? Array.from(part, (c) => c.charCodeAt(0))
          : part,
    ),
  );
}

const text = (value: string): readonly number[] => [
  0x58,
  value.length,
  0,
  0,
  0,
  ...Array.from(value, (c) => c.charCodeAt(0)),
];
const global = (module: string, name: string): string => `c${module}\n${name}\n`;

const read = (...parts: readonly Part[]): unknown =>
  readPickle(bytes([0x80, 2], ...parts, '.'), 0, torchHandlers().handlers).value;

function refusal(...parts: readonly Part[]): PickleError {
  try {
    read(...parts);
  } catch (error) {
    if (error instanceof PickleError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('pickles', () => {
  it.each<[string, readonly Part[], unknown]>([
    ['None, True, False', ['N', 0x88, 0x89, 0x87], [null, true, false]],
    ['small integers', ['K', 200, 'M', [1, 2], 'J', [255, 255, 255, 255], 0x87], [200, 513, -1]],
    ['an empty long', [0x8a, 0], 0],
    ['a negative long', [0x8a, 2, [0, 255]], -256],
    ['a long of four length bytes', [0x8b, [1, 0, 0, 0], 7], 7],
    ['a long beyond doubles', [0x8a, 9, [1, 0, 0, 0, 0, 0, 0, 0, 1]], 2n ** 64n + 1n],
    ['a float', ['G', [0x3f, 0xf8, 0, 0, 0, 0, 0, 0]], 1.5],
    ['text of two bytes a character', ['X', [2, 0, 0, 0], [0xc3, 0xbc]], 'ü'],
    ['short text', [0x8c, 2, 'ab'], 'ab'],
    ['long text', [0x8d, [2, 0, 0, 0, 0, 0, 0, 0], 'ab'], 'ab'],
    ["Python 2's strings", ['U', 1, 'a', 'T', [1, 0, 0, 0], 'b', 0x86], ['a', 'b']],
    ['byte strings', ['C', 1, 'a', 'B', [1, 0, 0, 0], 'b', 0x86], [bytes('a'), bytes('b')]],
    ['a tuple of marks', ['(', 'K', 1, 'K', 2, 't'], [1, 2]],
    ['a list', [']', '(', 'K', 1, 'K', 2, 'e', 'K', 3, 'a'], [1, 2, 3]],
    ['a dictionary', ['}', text('a'), 'K', 1, 's', '(', text('b'), 'K', 2, 'u'], new Map([['a', 1], ['b', 2]])], // prettier-ignore
    ['a set', [0x8f, '(', 'K', 1, 'K', 1, 0x90], new Set([1])],
    ['a frozen set', ['(', 'K', 1, 0x91], new Set([1])],
    ['the memo', ['K', 5, 'q', 0, 'r', [1, 1, 0, 0], 'h', 0, 'j', [1, 1, 0, 0], 0x87], [5, 5, 5]],
    ['protocol 4: frames, memoize', [0x95, [9, 0, 0, 0, 0, 0, 0, 0], 'K', 5, 0x94, 'h', 0, 0x86], [5, 5]],
    ['pop, duplicate', ['K', 1, 'K', 2, '0', '2', 0x86], [1, 1]],
    ['pop to a mark', ['K', 1, '(', 'K', 2, 'K', 3, '1', 0x85], [1]],
  ])('%s', (_name, parts, value) => {
    expect(read(...parts)).toEqual(value);
  });

  it('names a global without looking it up', () => {
    const value = read(global('os', 'system'));
    expect(value).toBeInstanceOf(PickleGlobal);
    expect((value as PickleGlobal).path).toBe('os.system');
  });

  it('reads argparse.Namespace as a record', () => {
    const value = read(global('argparse', 'Namespace'), ')', 0x81, '}', text('lr'), 'K', 1, 's', 'b');
    expect(value).toBeInstanceOf(PickleObject);
    expect((value as PickleObject).fields).toEqual(new Map([['lr', 1]]));
  });

  it('reads a state_dict: an ordered dictionary, whose attributes are left out', () => {
    const value = read(global('collections', 'OrderedDict'), ')', 'R', text('a'), 'K', 1, 's', '}', 'b');
    expect(value).toEqual(new Map([['a', 1]]));
  });

  it('does not care how deep lists are nested', () => {
    const depth = 200_000;
    let value = read(
      Array.from({ length: depth }, () => 0x5d),
      Array.from({ length: depth - 1 }, () => 0x61),
    );
    for (let i = 1; i < depth; i++) [value] = value as unknown[];
    expect(value).toEqual([]);
  });
});

describe('what would have to be executed', () => {
  const command = [text('touch owned'), 0x85] as const;
  it.each<[string, readonly Part[], string]>([
    ['os.system', [global('os', 'system'), ...command, 'R'], 'os.system'],
    ['posix.system', [global('posix', 'system'), ...command, 'R'], 'posix.system'],
    ['eval', [global('builtins', 'eval'), ...command, 'R'], 'builtins.eval'],
    ["Python 2's eval", [global('__builtin__', 'eval'), ...command, 'R'], '__builtin__.eval'],
    ['getattr', [global('builtins', 'getattr'), ...command, 'R'], 'builtins.getattr'],
    ['a class made', [global('subprocess', 'Popen'), ...command, 0x81], 'subprocess.Popen'],
    [
      'a class made with keywords',
      [global('subprocess', 'Popen'), ...command, '}', 0x92],
      'subprocess.Popen',
    ],
    ['a name from the stack', [text('os'), text('system'), 0x93, ...command, 'R'], 'os.system'],
    ['a name from the memo', [global('os', 'system'), 'q', 0, '0', 'h', 0, ...command, 'R'], 'os.system'],
    ['a whole model', [global('torch.nn.modules.linear', 'Linear'), ')', 0x81], 'Linear'],
    [
      'bytes loaded as a file',
      [global('torch.storage', '_load_from_bytes'), 'C', 0, 0x85, 'R'],
      '_load_from_bytes',
    ],
    ['a name of JavaScript', [global('constructor', 'constructor'), ')', 'R'], 'constructor.constructor'],
    ['a name of a record', [global('torch', 'FloatStorage'), ')', 'R'], 'torch.FloatStorage'],
  ])('%s is refused by name', (_name, parts, name) => {
    const { message, reason } = refusal(...parts);
    expect(message).toContain(`it would run `);
    expect(message).toContain(name);
    expect(reason).toBe('refused');
  });

  it.each<[string, readonly Part[], string]>([
    ['INST', ['(', text('touch owned'), 'ios\nsystem\n'], 'opcode 0x69'],
    ['OBJ', ['(', global('os', 'system'), text('touch owned'), 'o'], 'opcode 0x6f'],
    ['an extension', [0x82, 1], 'opcode 0x82'],
    ['an out-of-band buffer', [0x97], 'opcode 0x97'],
    ['an id in text', ['P1\n'], 'opcode 0x50'],
    ['a state for a function', [global('os', 'system'), '}', 'b'], 'a state for os.system'],
    ['a call of a number', ['K', 1, ')', 'R'], 'a call of what is no class'],
    [
      'keywords',
      [global('argparse', 'Namespace'), ')', '}', text('a'), 'K', 1, 's', 0x92],
      'made with keywords',
    ],
    ['a call without a tuple', [global('argparse', 'Namespace'), 'K', 1, 'R'], 'without a tuple'],
    ['a module', [text('module'), 0x85, 'Q'], 'what is no storage'],
  ])('%s is refused', (_name, parts, message) => {
    expect(refusal(...parts).message).toContain(message);
  });
});

describe('damaged pickles', () => {
  it.each<[string, readonly Part[], string]>([
    ['an old protocol', [0x80, 1], 'pickle protocol 1'],
    ['an unknown opcode', [0xff], 'opcode 0xff at byte 2'],
    ['an empty stack', [], 'a stack that runs out'],
    ['a tuple of nothing', [0x87], 'a stack that runs out'],
    ['no mark', ['t'], 'a mark that was never set'],
    ['an empty memo', ['h', 3], 'memo 3'],
    ['a dictionary of one', ['}', '(', 'K', 1, 'u'], 'entries for what is no dictionary'],
    ['appending to a number', ['K', 1, 'K', 2, 'a'], 'appended to what is no list'],
    ['adding to a number', ['K', 1, '(', 'K', 2, 0x90], 'added to what is no set'],
    ['an integer of a gigabyte', [0x8b, [0, 0, 0, 64]], 'an integer of 1073741824 bytes'],
  ])('%s', (_name, parts, message) => {
    expect(refusal(...parts).message).toContain(message);
  });

  it.each<[string, readonly Part[]]>([
    ['text of 2^63 bytes', [0x8d, [0, 0, 0, 0, 0, 0, 0, 128]]],
    ['bytes of 4 GiB', ['B', [255, 255, 255, 255]]],
    ['a name without an end', ['cos']],
    ['a float cut off', ['G', 1]],
  ])('%s end early, and nothing is reserved for them', (_name, parts) => {
    expect(refusal(...parts).reason).toBe('truncated');
  });
});

describe('tensors in pickles', () => {
  const storage = (type: string, length: number): readonly Part[] => [
    '(',
    text('storage'),
    global('torch', type),
    text('0'),
    text('cpu'),
    ['K'.charCodeAt(0), length],
    't',
    'Q',
  ];
  const rebuild = global('torch._utils', '_rebuild_tensor_v2');
  const tensor = (...parts: readonly Part[]): readonly Part[] => [rebuild, '(', ...parts, 't', 'R'];

  it('become their storage, offset, shape and strides', () => {
    const value = read(
      ...tensor(...storage('HalfStorage', 9), 'K', 1, 'K', 2, 'K', 3, 0x86, 'K', 1, 'K', 2, 0x86, 0x89, 'N'),
    );
    expect(value).toEqual(new TorchTensor({ key: '0', dtype: 'F16', length: 9 }, 1, [2, 3], [1, 2]));
  });

  it.each<[string, readonly Part[], string]>([
    ['a quantized storage', storage('QInt8Storage', 1), 'a storage of type torch.QInt8Storage'],
    ['a storage that is a function', storage('__proto__', 1), 'a storage of type'],
    ['one storage of two types', [...storage('HalfStorage', 1), ...storage('FloatStorage', 1)], 'two types'],
    ['a tensor of a number', tensor('K', 1, 'K', 0, ')', ')'), 'a tensor without a storage'],
    ['a negative shape', tensor(...storage('FloatStorage', 1), 'K', 0, 'J', [255, 255, 255, 255], 0x85, 'K', 1, 0x85), 'without a shape'], // prettier-ignore
    ['strides of another length', tensor(...storage('FloatStorage', 1), 'K', 0, 'K', 1, 0x85, ')'), 'without a shape'], // prettier-ignore
  ])('%s is refused', (_name, parts, message) => {
    expect(refusal(...parts).message).toContain(message);
  });

  it('calls cannot copy without end', () => {
    // A list of a thousand pairs, made into a dictionary two thousand times.
    const pairs = Array.from({ length: 1000 }, () => [0x4e, 0x4e, 0x86]).flat();
    const again = bytes('h', 0, 'h', 1, 'R', '0');
    const { message } = refusal(
      global('collections', 'OrderedDict'),
      'q',
      0,
      ']',
      '(',
      pairs,
      'e',
      0x85,
      'q',
      1,
      Array.from({ length: 2000 }, () => [...again]).flat(),
    );
    expect(message).toContain('more copies');
  });
});
