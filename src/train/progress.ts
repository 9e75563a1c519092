// A line now and then about work that takes long.

const betweenMs = 5000;

/** A reporter that says `WHAT: DONE of TOTAL`, but not more often than every few seconds. */
export function progress(what: string, say: (line: string) => void): (done: number, total: number) => void {
  let said = Date.now();
  return (done, total) => {
    if (Date.now() - said < betweenMs) return;
    said = Date.now();
    say(`${what}: ${String(done)} of ${String(total)}`);
  };
}
