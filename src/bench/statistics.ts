// Times of contenders measured in turn: on a machine that others use, ratios from one run are all that can be trusted.

/** Several measurements of one thing. */
export interface Spread {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** The middle value, or the mean of the two in the middle. @throws RangeError when there are none */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('median: no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function spreadOf(values: readonly number[]): Spread {
  return {
    count: values.length,
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
  };
}

/** Median against median; above 1 means that `a` takes longer. Null when either was not measured. */
export function ratio(a: Spread | null | undefined, b: Spread | null | undefined): number | null {
  return a && b && b.median > 0 ? a.median / b.median : null;
}

/** One contender of an alternation. */
export interface Turn {
  readonly name: string;
  /** Rounds that it takes part in; a slow one may sit out the last ones. */
  readonly rounds: number;
  /** One measurement, milliseconds. */
  measure(): Promise<number>;
}

/** Measures all in turn, beginning with another one each round; a spread by name. */
export async function alternate(turns: readonly Turn[]): Promise<ReadonlyMap<string, Spread>> {
  const times = new Map<string, number[]>(turns.map(({ name }) => [name, []]));
  const rounds = Math.max(0, ...turns.map((turn) => turn.rounds));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < turns.length; i++) {
      const turn = turns[(i + round) % turns.length];
      if (turn === undefined || round >= turn.rounds) continue;
      times.get(turn.name)?.push(await turn.measure());
    }
  }
  return new Map(
    [...times].filter(([, values]) => values.length > 0).map(([name, values]) => [name, spreadOf(values)]),
  );
}
