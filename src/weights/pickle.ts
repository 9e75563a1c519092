// Python's pickle format as data: opcodes move values on a stack, and nothing is looked up, imported or run. What a global
// stands for is decided by the reader's own short list; all others may be named but not called.
import { ByteReader, PickleError } from './pickle-bytes.ts';

/** A Python class or function that the file names, as `module.name`: a name, nothing more. */
export class PickleGlobal {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
}

/** An instance of a listed class that is kept as a record, such as argparse.Namespace. */
export class PickleObject {
  readonly type: string;
  readonly fields = new Map<string, unknown>();
  constructor(type: string) {
    this.type = type;
  }
}

/** What a file says beyond plain values. */
export interface PickleHandlers {
  /** The outcome of a call (or construction) of a listed global. @throws PickleError for any other */
  readonly call: (global: PickleGlobal, args: readonly unknown[]) => unknown;
  /** The object that a persistent id stands for. @throws PickleError */
  readonly persistent: (id: unknown) => unknown;
}

/**
 * One pickle of protocol 2 to 5. Dictionaries become Maps, lists and tuples arrays, byte strings Uint8Arrays, integers numbers
 * (bigint beyond 2^53).
 * @param start where in `bytes` it begins
 * @returns its value and where it ends
 * @throws PickleError for what torch.save does not write, and for what would have to be executed
 */
export function readPickle(
  bytes: Uint8Array,
  start: number,
  handlers: PickleHandlers,
): { readonly value: unknown; readonly end: number } {
  return new Machine(bytes, start, handlers).run();
}

/** Python's latin-1: each byte one character. TextDecoder's is Windows-1252. */
const latin1 = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

/** The stack machine; a class because opcode handlers share its stack, marks, memo and place. */
class Machine {
  private readonly bytes: ByteReader;
  private readonly handlers: PickleHandlers;
  private stack: unknown[] = [];
  /** The stacks below each mark. */
  private readonly marks: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, start: number, handlers: PickleHandlers) {
    this.bytes = new ByteReader(bytes, start);
    this.handlers = handlers;
  }

  run(): { value: unknown; end: number } {
    for (;;) {
      const opcode = this.bytes.uint8();
      if (opcode === 0x2e) return { value: this.pop(), end: this.bytes.at }; // STOP
      this.step(opcode);
    }
  }

  private step(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        this.protocol();
        break;
      case 0x95: // FRAME: its length only helps those who read ahead
        this.bytes.take(8);
        break;
      case 0x28: // MARK
        this.marks.push(this.stack);
        this.stack = [];
        break;
      case 0x30: // POP
        if (this.stack.length === 0 && this.marks.length > 0) this.popMark();
        else this.pop();
        break;
      case 0x31: // POP_MARK
        this.popMark();
        break;
      case 0x32: // DUP
        this.stack.push(this.top());
        break;
      case 0x51: // BINPERSID
        this.stack.push(this.handlers.persistent(this.pop()));
        break;
      case 0x63: // GLOBAL
        this.stack.push(new PickleGlobal(`${this.bytes.line()}.${this.bytes.line()}`));
        break;
      case 0x93: {
        // STACK_GLOBAL
        const name = this.pop();
        const module = this.pop();
        if (typeof name !== 'string' || typeof module !== 'string')
          return void this.fail('a global without a name');
        this.stack.push(new PickleGlobal(`${module}.${name}`));
        break;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.pop();
        this.stack.push(this.call(this.pop(), args));
        break;
      }
      case 0x92: {
        // NEWOBJ_EX
        const keywords = this.pop();
        const args = this.pop();
        const callee = this.pop();
        if (!(keywords instanceof Map) || keywords.size > 0) {
          this.fail(`${callee instanceof PickleGlobal ? callee.path : 'something'} made with keywords`);
        }
        this.stack.push(this.call(callee, args));
        break;
      }
      case 0x62: // BUILD
        this.build(this.pop());
        break;
      default:
        if (!this.literal(opcode) && !this.container(opcode) && !this.remember(opcode)) {
          this.fail(
            `opcode 0x${opcode.toString(16).padStart(2, '0')} at byte ${String(this.bytes.at - 1)}, which torch.save does not write`,
          );
        }
    }
  }

  /** Opcodes that push a plain value. @returns whether it was one */
  private literal(opcode: number): boolean {
    const value = this.literalValue(opcode);
    if (value !== undefined) this.stack.push(value);
    return value !== undefined;
  }

  private literalValue(opcode: number): unknown {
    switch (opcode) {
      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4b: // BININT1
        return this.bytes.uint8();
      case 0x4d: // BININT2
        return this.bytes.uint16();
      case 0x4a: // BININT
        return this.bytes.int32();
      case 0x8a: // LONG1
        return this.bytes.integer(this.bytes.uint8());
      case 0x8b: // LONG4
        return this.bytes.integer(this.bytes.uint32());
      case 0x47: // BINFLOAT
        return this.bytes.float64();
      case 0x58: // BINUNICODE
        return this.bytes.text(this.bytes.uint32());
      case 0x8c: // SHORT_BINUNICODE
        return this.bytes.text(this.bytes.uint8());
      case 0x8d: // BINUNICODE8
        return this.bytes.text(this.bytes.uint64());
      case 0x54: // BINSTRING, of Python 2
        return latin1(this.bytes.take(this.bytes.uint32()));
      case 0x55: // SHORT_BINSTRING
        return latin1(this.bytes.take(this.bytes.uint8()));
      case 0x42: // BINBYTES
        return this.bytes.take(this.bytes.uint32());
      case 0x43: // SHORT_BINBYTES
        return this.bytes.take(this.bytes.uint8());
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.bytes.take(this.bytes.uint64());
      default:
        return undefined;
    }
  }

  /** Opcodes of lists, tuples, dictionaries and sets. @returns whether it was one */
  private container(opcode: number): boolean {
    switch (opcode) {
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        this.stack.push([]);
        return true;
      case 0x7d: // EMPTY_DICT
        this.stack.push(new Map());
        return true;
      case 0x8f: // EMPTY_SET
        this.stack.push(new Set());
        return true;
      case 0x6c: // LIST
      case 0x74: {
        // TUPLE
        const items = this.popMark();
        this.stack.push(items);
        return true;
      }
      case 0x91: {
        // FROZENSET
        const items = this.popMark();
        this.stack.push(new Set(items));
        return true;
      }
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: {
        // TUPLE3
        const count = opcode - 0x84;
        if (this.stack.length < count) this.fail('a stack that runs out');
        this.stack.push(this.stack.splice(-count));
        return true;
      }
      case 0x64: {
        // DICT
        const items = this.popMark();
        const map = new Map();
        this.stack.push(map);
        this.setItems(map, items);
        return true;
      }
      case 0x61: {
        // APPEND
        const item = this.pop();
        this.list().push(item);
        return true;
      }
      case 0x65: {
        // APPENDS
        const items = this.popMark();
        const list = this.list();
        for (const item of items) list.push(item);
        return true;
      }
      case 0x73: {
        // SETITEM
        const value = this.pop();
        const key = this.pop();
        this.setItems(this.top(), [key, value]);
        return true;
      }
      case 0x75: {
        // SETITEMS
        const items = this.popMark();
        this.setItems(this.top(), items);
        return true;
      }
      case 0x90: {
        // ADDITEMS
        const items = this.popMark();
        const set = this.top();
        if (!(set instanceof Set)) return this.fail('items added to what is no set');
        for (const item of items) set.add(item);
        return true;
      }
      default:
        return false;
    }
  }

  /** Opcodes of the memo. @returns whether it was one */
  private remember(opcode: number): boolean {
    switch (opcode) {
      case 0x71: // BINPUT
        this.memo.set(this.bytes.uint8(), this.top());
        return true;
      case 0x72: // LONG_BINPUT
        this.memo.set(this.bytes.uint32(), this.top());
        return true;
      case 0x94: // MEMOIZE
        this.memo.set(this.memo.size, this.top());
        return true;
      case 0x68: // BINGET
        this.recall(this.bytes.uint8());
        return true;
      case 0x6a: // LONG_BINGET
        this.recall(this.bytes.uint32());
        return true;
      default:
        return false;
    }
  }

  private recall(index: number): void {
    if (!this.memo.has(index)) this.fail(`memo ${String(index)}, which was never filled`);
    this.stack.push(this.memo.get(index));
  }

  private protocol(): void {
    const version = this.bytes.uint8();
    if (version < 2 || version > 5) this.fail(`pickle protocol ${String(version)}, wanted 2 to 5`);
  }

  private call(callee: unknown, args: unknown): unknown {
    if (!(callee instanceof PickleGlobal)) return this.fail('a call of what is no class or function');
    if (!Array.isArray(args)) return this.fail(`${callee.path} called without a tuple of arguments`);
    return this.handlers.call(callee, args as readonly unknown[]);
  }

  /** Attributes of an object, if named; those of a dictionary (a state_dict's _metadata) are left out. */
  private build(state: unknown): void {
    const object = this.top();
    if (object instanceof Map) return;
    if (!(object instanceof PickleObject)) {
      this.fail(`a state for ${object instanceof PickleGlobal ? object.path : 'what is no object'}`);
    } else if (state instanceof Map) {
      for (const [key, value] of state) if (typeof key === 'string') object.fields.set(key, value);
    }
  }

  private setItems(map: unknown, items: readonly unknown[]): void {
    if (!(map instanceof Map) || items.length % 2 !== 0) {
      this.fail('entries for what is no dictionary');
      return;
    }
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  private list(): unknown[] {
    const list = this.top();
    return Array.isArray(list) ? (list as unknown[]) : this.fail('items appended to what is no list');
  }

  private pop(): unknown {
    if (this.stack.length === 0) this.fail('a stack that runs out');
    return this.stack.pop();
  }

  private top(): unknown {
    if (this.stack.length === 0) this.fail('a stack that runs out');
    return this.stack.at(-1);
  }

  /** The items above the last mark, which is removed. */
  private popMark(): unknown[] {
    const below = this.marks.pop();
    if (below === undefined) return this.fail('a mark that was never set');
    const items = this.stack;
    this.stack = below;
    return items;
  }

  private fail(got: string): never {
    throw new PickleError(`its pickle holds ${got}`);
  }
}
