// The backend's memory and who has which part of it. Shared, so that helper threads see it; any page may make such a
// memory, but only a cross-origin isolated one may hand it to its workers.
import { Problem } from '../../base/errors.ts';

const pageBytes = 65536;
/** All that 32-bit pointers reach, then less, for devices that refuse to reserve so much. */
const maximumPages = [65536, 32768, 16384, 8192] as const;
/** Blocks begin at multiples of a cache line. */
const lineBytes = 64;

interface Block {
  readonly at: number;
  readonly byteCount: number;
}

export interface Heap {
  readonly memory: WebAssembly.Memory;
  /**
   * A pointer to at least `byteCount` bytes, a multiple of 64, with whatever was there before.
   * @throws Problem when the memory is full
   */
  allocate(byteCount: number): number;
  /** Gives back what `allocate` answered. */
  release(at: number): void;
  /** Numbers in memory; valid until their block is given back. */
  floats(at: number, count: number): Float32Array<SharedArrayBuffer>;
  integers(at: number, count: number): Int32Array<SharedArrayBuffer>;
  /** Bytes in use now. */
  readonly usedBytes: number;
}

function createMemory(): { memory: WebAssembly.Memory; limitBytes: number } {
  let refusal: unknown;
  for (const maximum of maximumPages) {
    try {
      return {
        memory: new WebAssembly.Memory({ initial: 1, maximum, shared: true }),
        limitBytes: maximum * pageBytes,
      };
    } catch (error) {
      refusal = error;
    }
  }
  throw new Problem('worker-failed', `no shared WebAssembly memory (${String(refusal)})`);
}

/** A memory of its own, which grows as it is filled. @throws Problem where the engine has no shared memory */
export function createHeap(): Heap {
  const { memory, limitBytes } = createMemory();
  const sizes = new Map<number, number>();
  /** Free blocks in the order of their addresses; no two touch. */
  const free: Block[] = [];
  // Pointer 0 means "none" to the kernels.
  let top = lineBytes;
  let grown = pageBytes;
  let used = 0;

  const rounded = (byteCount: number): number => Math.max(1, Math.ceil(byteCount / lineBytes)) * lineBytes;

  /** The smallest free block that is large enough. */
  const bestFit = (byteCount: number): number => {
    let best = -1;
    for (let i = 0; i < free.length; i++) {
      const size = free[i]!.byteCount;
      if (size === byteCount) return i;
      if (size > byteCount && (best < 0 || size < free[best]!.byteCount)) best = i;
    }
    return best;
  };

  const take = (byteCount: number): number => {
    const i = bestFit(byteCount);
    if (i >= 0) {
      const block = free[i]!;
      if (block.byteCount === byteCount) free.splice(i, 1);
      else free[i] = { at: block.at + byteCount, byteCount: block.byteCount - byteCount };
      return block.at;
    }
    const end = top + byteCount;
    if (end > grown) {
      const pages = Math.ceil((end - grown) / pageBytes);
      try {
        if (end > limitBytes) throw new RangeError('beyond the limit');
        memory.grow(pages);
      } catch {
        throw new Problem(
          'internal',
          `internal: the wasm heap (${limitBytes / 2 ** 20} MiB at most, ${Math.round(used / 2 ** 20)} in use) has no ${byteCount} bytes left; use a smaller batch or release tensors`,
        );
      }
      grown += pages * pageBytes;
    }
    const at = top;
    top = end;
    return at;
  };

  return {
    memory,
    allocate(byteCount) {
      const size = rounded(byteCount);
      const at = take(size);
      sizes.set(at, size);
      used += size;
      return at;
    },
    release(at) {
      const byteCount = sizes.get(at);
      if (byteCount === undefined)
        throw new Problem('internal', `internal: no block at ${at} in the wasm heap`);
      sizes.delete(at);
      used -= byteCount;
      let low = 0;
      for (let high = free.length; low < high;) {
        const middle = (low + high) >> 1;
        if (free[middle]!.at < at) low = middle + 1;
        else high = middle;
      }
      const before = free[low - 1];
      const after = free[low];
      const joinsBefore = before !== undefined && before.at + before.byteCount === at;
      const joinsAfter = after !== undefined && at + byteCount === after.at;
      const merged: Block = {
        at: joinsBefore ? before.at : at,
        byteCount: byteCount + (joinsBefore ? before.byteCount : 0) + (joinsAfter ? after.byteCount : 0),
      };
      free.splice(joinsBefore ? low - 1 : low, Number(joinsBefore) + Number(joinsAfter), merged);
    },
    floats: (at, count) => new Float32Array(memory.buffer as unknown as SharedArrayBuffer, at, count),
    integers: (at, count) => new Int32Array(memory.buffer as unknown as SharedArrayBuffer, at, count),
    get usedBytes() {
      return used;
    },
  };
}
