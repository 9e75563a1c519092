// Frames on their way from the decoding thread to the one that looks at them, through shared memory: a decoder that is
// ahead waits, so that a long film needs no more memory than a short one.
const slots = 2;
/** Room of a slot in bytes: three of the largest frames, dozens of usual ones. */
const slotBytes = 9_000_000;
/** Per slot: frames, width, height. */
const infoLength = 3;
const writtenAt = 0;
const readAt = 1;
const infoAt = 2;
/** No message tells the reader of new frames; so often it looks. */
const pollMs = 2;

export interface FrameRing {
  readonly data: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
}

/** Frames of one size, one after the other. */
export interface FrameChunk {
  /** RGB 0..255; shape [count, height, width, 3]. Lent until the next chunk is asked for. */
  readonly data: Uint8Array;
  readonly count: number;
  readonly width: number;
  readonly height: number;
}

export function createRing(): FrameRing {
  return {
    data: new SharedArrayBuffer(slots * slotBytes),
    control: new SharedArrayBuffer(4 * (infoAt + slots * infoLength)),
  };
}

/** The decoder's side: a sink of binary PPM images, one after the other, as FFmpeg writes them. */
export function ringWriter(ring: FrameRing): { write(bytes: Uint8Array): void; end(): number } {
  const control = new Int32Array(ring.control);
  const data = new Uint8Array(ring.data);
  let total = 0;
  let header = '';
  let [width, height, frameBytes] = [0, 0, 0];
  /** Bytes of the current frame that are still to come; 0: a header comes. */
  let missing = 0;
  let inSlot = 0;
  let slotFrames = 0;
  let slotWidth = 0;
  let slotHeight = 0;

  const slotStart = (): number => (control[writtenAt]! % slots) * slotBytes;
  const waitForRoom = (): void => {
    for (;;) {
      const read = Atomics.load(control, readAt);
      if (control[writtenAt]! - read < slots) return;
      Atomics.wait(control, readAt, read);
    }
  };
  const flush = (): void => {
    if (slotFrames === 0) return;
    control.set([slotFrames, slotWidth, slotHeight], infoAt + (control[writtenAt]! % slots) * infoLength);
    Atomics.add(control, writtenAt, 1);
    slotFrames = 0;
    inSlot = 0;
  };
  const beginFrame = (): void => {
    const [, sizes = '', most] = /^P6\n(\d+ \d+)\n(\d+)\n$/.exec(header) ?? [];
    [width = 0, height = 0] = sizes.split(' ').map(Number);
    frameBytes = width * height * 3;
    if (most !== '255' || frameBytes === 0 || frameBytes > slotBytes) {
      throw new Error(`internal: a frame begins with ${JSON.stringify(header)}`);
    }
    if (slotFrames > 0 && (width !== slotWidth || height !== slotHeight || inSlot + frameBytes > slotBytes))
      flush();
    if (slotFrames === 0) waitForRoom();
    slotWidth = width;
    slotHeight = height;
    missing = frameBytes;
    header = '';
  };
  return {
    write(bytes) {
      for (let at = 0; at < bytes.length;) {
        if (missing === 0) {
          header += String.fromCharCode(bytes[at++]!);
          if (header.endsWith('\n') && header.split('\n').length === 4) beginFrame();
          else if (header.length > 64) throw new Error(`internal: no frame begins with ${header}`);
          continue;
        }
        const count = Math.min(missing, bytes.length - at);
        data.set(bytes.subarray(at, at + count), slotStart() + inSlot);
        inSlot += count;
        at += count;
        missing -= count;
        if (missing === 0) {
          slotFrames += 1;
          total += 1;
        }
      }
    },
    end() {
      flush();
      return total;
    },
  };
}

/** The other side: chunks until `finished` is settled and all are taken. A rejection of `finished` is thrown. */
export async function* readRing(
  ring: FrameRing,
  finished: Promise<unknown>,
): AsyncGenerator<FrameChunk, void> {
  const control = new Int32Array(ring.control);
  const state = { done: false };
  const watched = finished.then(
    () => (state.done = true),
    () => (state.done = true),
  );
  for (;;) {
    const read = control[readAt]!;
    if (Atomics.load(control, writtenAt) === read) {
      if (state.done && Atomics.load(control, writtenAt) === read) break;
      await Promise.race([watched, new Promise((resolve) => setTimeout(resolve, pollMs))]);
      continue;
    }
    const slot = read % slots;
    const [count = 0, width = 0, height = 0] = control.subarray(infoAt + slot * infoLength);
    yield {
      data: new Uint8Array(ring.data, slot * slotBytes, count * width * height * 3),
      count,
      width,
      height,
    };
    Atomics.add(control, readAt, 1);
    Atomics.notify(control, readAt);
  }
  await finished;
}
