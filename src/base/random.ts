// Seeded pseudo-random numbers, the same in browser and Node, so that a run can be repeated from its seed.

/** A stream of pseudo-random numbers; its whole state is one 32-bit integer, so it can be checkpointed. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Uniform integer in [0, limit). */
  integer(limit: number): number;
  /** Normal, mean 0, standard deviation 1 (Box-Muller). */
  normal(): number;
  /** The state: `random(state)` continues the stream. */
  state(): number;
}

/** mulberry32 (Tommy Ettinger, public domain): a 32-bit state, passes gjrand's tests. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    uniform,
    integer: (limit) => Math.floor(uniform() * limit),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    state: () => state,
  };
}
