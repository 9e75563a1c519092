// Work done side by side whose results are taken in order.

/**
 * Runs work(from) to work(to - 1), some at a time, and hands each result on in order. Work begins only so far ahead of
 * the results handed on that few of them wait.
 * @param stopped asked before each piece of work and each result: true ends early, what is under way is left
 * @throws what work or take threw first
 */
export async function inOrder<T>(
  { from, to, jobs }: { readonly from: number; readonly to: number; readonly jobs: number },
  work: (i: number, job: number) => Promise<T>,
  take: (i: number, result: T) => void,
  stopped: () => boolean,
): Promise<void> {
  const ahead = 3 * jobs;
  const ready = new Map<number, T>();
  let next = from;
  let taken = from;
  let failure: { readonly error: unknown } | undefined;
  let waiting: (() => void)[] = [];
  const wake = (): void => {
    const all = waiting;
    waiting = [];
    for (const each of all) each();
  };
  const takeReady = (): void => {
    for (;;) {
      const result = ready.get(taken);
      if (result === undefined || stopped()) return;
      take(taken, result);
      ready.delete(taken);
      taken += 1;
    }
  };
  await Promise.all(
    Array.from({ length: jobs }, async (_, job) => {
      for (;;) {
        while (next < to && next >= taken + ahead && failure === undefined) {
          await new Promise<void>((resolve) => waiting.push(resolve));
        }
        if (failure !== undefined || next >= to || stopped()) return;
        const i = next++;
        try {
          ready.set(i, await work(i, job));
          takeReady();
        } catch (error) {
          failure ??= { error };
        }
        wake();
      }
    }),
  );
  if (failure !== undefined && !stopped()) throw failure.error;
}
