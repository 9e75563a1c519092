// Work shared between threads. Each thread has its own instance of this module over the same memory; one of them, the
// leader, runs the kernels and hands parts of the big ones to the others through a job block in memory.
//
// A part is taken by counting NEXT down. NEXT is set last, so whoever gets a number >= 0 sees all of that job; a helper
// that comes late gets a negative one and takes nothing, whatever the leader is writing meanwhile.

/** Bytes of the job block, zeroed by its owner. The counters lie on cache lines of their own. */
export const JOB_BYTES: usize = 512;
const GENERATION: usize = 0;
const NEXT: usize = 64;
const PENDING: usize = 128;
const KERNEL: usize = 192;
const PARTS: usize = 196;
const ARGUMENTS: usize = 200;

/** Looks at a counter before a thread goes to sleep: about 100 microseconds, longer than the gap between most kernels. */
const SPINS: i32 = 200000;

let job: usize = 0;
let threads: i32 = 1;
/** This instance's number; the leader is 0. */
let thread: i32 = 0;

/** Binds this instance: `count` threads in all, this one is number `own`. */
export function usePool(pointer: usize, count: i32, own: i32): void {
  job = pointer;
  threads = count;
  thread = own;
}

/**
 * How many parts a kernel of about `operations` multiply-adds should be split into: two for each thread, so that one that
 * is held up does less.
 */
export function partsFor(operations: i64): i32 {
  // Below this a kernel ends before a sleeping helper wakes up.
  return threads == 1 || operations < 500000 ? 1 : 2 * threads;
}

@inline
export function threadCount(): i32 {
  return threads;
}

@inline
export function threadNumber(): i32 {
  return thread;
}

@inline
export function setArgument(i: i32, value: usize): void {
  store<usize>(job + ARGUMENTS + ((<usize>i) << 2), value);
}

@inline
export function setFloat(i: i32, value: f32): void {
  store<f32>(job + ARGUMENTS + ((<usize>i) << 2), value);
}

@inline
export function argument(i: i32): usize {
  return load<usize>(job + ARGUMENTS + ((<usize>i) << 2));
}

@inline
export function integer(i: i32): i32 {
  return load<i32>(job + ARGUMENTS + ((<usize>i) << 2));
}

@inline
export function float(i: i32): f32 {
  return load<f32>(job + ARGUMENTS + ((<usize>i) << 2));
}

/** Parts of the present job. */
@inline
export function partCount(): i32 {
  return load<i32>(job + PARTS);
}

/** The leader's side: writes the job down (its arguments are there already) and opens it to the helpers. */
export function openJob(kernel: i32, parts: i32): void {
  store<i32>(job + KERNEL, kernel);
  store<i32>(job + PARTS, parts);
  atomic.store<i32>(job + PENDING, parts);
  atomic.store<i32>(job + NEXT, parts);
  if (parts > 1 && threads > 1) {
    atomic.add<i32>(job + GENERATION, 1);
    atomic.notify(job + GENERATION, threads - 1);
  }
}

/** The number of a part to do now, or a negative number when none is left. */
@inline
export function takePart(): i32 {
  return atomic.sub<i32>(job + NEXT, 1) - 1;
}

@inline
export function jobKernel(): i32 {
  return load<i32>(job + KERNEL);
}

/** Says that a part is done. */
@inline
export function finishPart(): void {
  if (atomic.sub<i32>(job + PENDING, 1) == 1 && thread != 0) atomic.notify(job + PENDING, 1);
}

/** The leader waits here until all parts are done. */
export function awaitParts(): void {
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(job + PENDING) == 0) return;
  for (;;) {
    const left = atomic.load<i32>(job + PENDING);
    if (left == 0) return;
    atomic.wait<i32>(job + PENDING, left, 1000000);
  }
}

/** A helper waits here for a job that is not `seen`; answers its generation. */
export function awaitJob(seen: i32): i32 {
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(job + GENERATION) != seen) break;
  while (atomic.load<i32>(job + GENERATION) == seen) atomic.wait<i32>(job + GENERATION, seen, -1);
  return atomic.load<i32>(job + GENERATION);
}

/** The present generation: what a new helper has seen. */
export function generation(): i32 {
  return atomic.load<i32>(job + GENERATION);
}
