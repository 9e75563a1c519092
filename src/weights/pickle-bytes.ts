// Bytes read in order, for the pickle machine: sizes, integers and texts, each checked against what is left.

/** Why a pickle is refused, without the file's name. */
export class PickleError extends Error {
  /** `truncated`: the bytes ended before the pickle did; `refused`: it would have to be executed. */
  readonly reason: 'damaged' | 'truncated' | 'refused';
  constructor(message: string, reason: PickleError['reason'] = 'damaged') {
    super(message);
    this.reason = reason;
  }
}

/** Longest integer, in bytes: the format's magic number has 10. */
const maxIntegerBytes = 32;

const utf8 = new TextDecoder('utf-8');

/** A place in bytes; a class because every read moves it. */
export class ByteReader {
  /** Where the next read begins. */
  at: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, start: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
  }

  uint16(): number {
    return this.view.getUint16(this.skip(2), true);
  }

  int32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  /** Big-endian. */
  float64(): number {
    return this.view.getFloat64(this.skip(8), false);
  }

  text(length: number): string {
    return utf8.decode(this.take(length));
  }

  uint8(): number {
    return this.view.getUint8(this.skip(1));
  }

  uint32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  uint64(): number {
    const at = this.skip(8);
    return this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 2 ** 32;
  }

  /** Two's complement, little-endian. */
  integer(length: number): number | bigint {
    if (length > maxIntegerBytes)
      throw new PickleError(`its pickle holds an integer of ${String(length)} bytes`);
    const digits = this.take(length);
    let value = 0n;
    for (const byte of digits.toReversed()) value = value * 256n + BigInt(byte);
    if (length > 0 && (digits[length - 1] ?? 0) >= 128) value -= 1n << BigInt(8 * length);
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : value;
  }

  /** Text up to the end of the line. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new PickleError('it ends inside a name', 'truncated');
    const text = utf8.decode(this.bytes.subarray(this.at, end));
    this.at = end + 1;
    return text;
  }

  take(length: number): Uint8Array {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Steps over bytes that must be there. @returns where they begin */
  private skip(length: number): number {
    const at = this.at;
    if (length > this.bytes.length - at) throw new PickleError('it ends inside the pickle', 'truncated');
    this.at = at + length;
    return at;
  }
}
