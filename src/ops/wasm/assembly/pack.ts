// Copies a block of a matrix into the order in which the micro-kernel reads it: A in panels of MR rows, B in panels
// of 8 columns, step after step along the shared dimension, padded with zeros. Any transpose or row stride becomes
// the same thing. Pointers and strides (`ld`) are in bytes.
import { WIDE } from './wide';

/**
 * Rows of a micro-tile: as many as the 16 vector registers of x86 hold beside what a step needs. Unfused, that is one
 * register more, for products; wide, a register holds both halves of a row.
 */
export const MR: i32 = WIDE ? 12 : ASC_FEATURE_RELAXED_SIMD ? 6 : 5;
/** Bytes of one step in a panel of A. */
export const PANEL: i32 = MR * 4;
/** Columns of a micro-tile. */
export const NR: i32 = 8;

export function roundUp(n: i32, unit: i32): i32 {
  return ((n + unit - 1) / unit) * unit;
}

/** Four rows of four floats, transposed, to `to`, `to + step`, `to + 2 step`, `to + 3 step`. */
function storeTransposed(r0: v128, r1: v128, r2: v128, r3: v128, to: usize, step: usize): void {
  const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(t0, t2, 0, 1, 4, 5));
  v128.store(to + step, v128.shuffle<f32>(t0, t2, 2, 3, 6, 7));
  v128.store(to + 2 * step, v128.shuffle<f32>(t1, t3, 0, 1, 4, 5));
  v128.store(to + 3 * step, v128.shuffle<f32>(t1, t3, 2, 3, 6, 7));
}

/** Any panel, one number at a time: for the last, partial one. */
function packEdge(from: usize, lineStep: usize, depthStep: usize, lines: i32, k: i32, to: usize, width: i32): void {
  for (let p = 0; p < k; p++) {
    for (let i = 0; i < width; i++) {
      store<f32>(to, i < lines ? load<f32>(from + <usize>i * lineStep) : 0);
      to += 4;
    }
    from += depthStep;
  }
}

/** A [m, k] (or, transposed, [k, m]) into ceil(m / MR) panels of [k, MR]. */
export function packA(a: usize, ld: usize, transposed: bool, m: i32, k: i32, to: usize): void {
  let i = 0;
  for (; i + MR <= m; i += MR) {
    if (transposed) {
      let from = a + ((<usize>i) << 2);
      for (let p = 0; p < k; p++) {
        v128.store(to, v128.load(from));
        if (MR == 12) {
          v128.store(to, v128.load(from, 16), 16);
          v128.store(to, v128.load(from, 32), 32);
        } else if (MR == 6) store<u64>(to, load<u64>(from, 16), 16);
        else store<f32>(to, load<f32>(from, 16), 16);
        from += ld;
        to += PANEL;
      }
    } else {
      let r = a + <usize>i * ld;
      let p = 0;
      for (; p + 4 <= k; p += 4) {
        let line = r;
        let group: usize = 0;
        for (; group + 16 <= <usize>PANEL; group += 16) {
          const third = line + ld + ld;
          storeTransposed(
            v128.load(line), v128.load(line + ld), v128.load(third), v128.load(third + ld), to + group, PANEL,
          );
          line = third + ld + ld;
        }
        for (; group < <usize>PANEL; group += 4) {
          for (let j: usize = 0; j < 4; j++) store<f32>(to + group + j * PANEL, load<f32>(line + (j << 2)));
          line += ld;
        }
        r += 16;
        to += 4 * PANEL;
      }
      for (; p < k; p++) {
        for (let j = 0; j < MR; j++) store<f32>(to + ((<usize>j) << 2), load<f32>(r + <usize>j * ld));
        r += 4;
        to += PANEL;
      }
    }
  }
  if (i < m) {
    const lineStep: usize = transposed ? 4 : ld;
    packEdge(a + <usize>i * lineStep, lineStep, transposed ? ld : 4, m - i, k, to, MR);
  }
}

/** B [k, n] (or, transposed, [n, k]) into ceil(n / 8) panels of [k, 8]. */
export function packB(b: usize, ld: usize, transposed: bool, k: i32, n: i32, to: usize): void {
  let j = 0;
  for (; j + NR <= n; j += NR) {
    if (!transposed) {
      let from = b + ((<usize>j) << 2);
      for (let p = 0; p < k; p++) {
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
        from += ld;
        to += 32;
      }
    } else {
      let r = b + <usize>j * ld;
      const r3 = <usize>3 * ld;
      let p = 0;
      for (; p + 4 <= k; p += 4) {
        const s = r + <usize>4 * ld;
        storeTransposed(v128.load(r), v128.load(r + ld), v128.load(r + <usize>2 * ld), v128.load(r + r3), to, 32);
        storeTransposed(v128.load(s), v128.load(s + ld), v128.load(s + <usize>2 * ld), v128.load(s + r3), to + 16, 32);
        r += 16;
        to += 128;
      }
      for (; p < k; p++) {
        for (let i = 0; i < NR; i++) store<f32>(to + ((<usize>i) << 2), load<f32>(r + <usize>i * ld));
        r += 4;
        to += 32;
      }
    }
  }
  if (j < n) {
    const lineStep: usize = transposed ? ld : 4;
    packEdge(b + <usize>j * lineStep, lineStep, transposed ? 4 : ld, n - j, k, to, NR);
  }
}
