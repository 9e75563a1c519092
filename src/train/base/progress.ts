// How far long work is: a bar with rate and time left on a terminal, a line now and then elsewhere.
import cliProgress from 'cli-progress';

const betweenMs = 5000;

/**
 * A reporter of work on `total` things.
 * @param say prints a line: `WHAT: DONE of TOTAL, RATE/s`, not more often than every few seconds; on a terminal a bar is
 *   drawn instead
 */
export function progress(what: string, say: (line: string) => void): (done: number, total: number) => void {
  const begun = Date.now();
  if (process.stderr.isTTY) {
    const bar = new cliProgress.SingleBar({
      format: `${what} {bar} {value}/{total}  {rate}/s  {eta_formatted} left`,
      hideCursor: true,
      stream: process.stderr,
    });
    return (done, total) => {
      const rate = ((1000 * done) / Math.max(1, Date.now() - begun)).toFixed(1);
      if (bar.getProgress() === 0 && !bar.isActive) bar.start(total, done, { rate });
      else bar.update(done, { rate });
      if (done >= total) bar.stop();
    };
  }
  let said = begun;
  return (done, total) => {
    const now = Date.now();
    if (now - said < betweenMs) return;
    said = now;
    say(`${what}: ${String(done)} of ${String(total)}, ${((1000 * done) / (now - begun)).toFixed(1)}/s`);
  };
}
