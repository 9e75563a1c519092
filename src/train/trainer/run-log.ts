// What a person sees of a run: a bar on a terminal, a line now and then elsewhere; and TensorBoard's event files.
import { join } from 'node:path';
import cliProgress from 'cli-progress';
import { createEventWriter } from './tensorboard.ts';
import type { EventWriter } from './tensorboard.ts';
import type { LogEntry } from './trainer.ts';

/** Plain lines are this far apart. */
const betweenMs = 10_000;

const facts = new Set([
  'time',
  'event',
  'step',
  'minutes',
  'leftMinutes',
  'stepMs',
  'prepareMs',
  'computeMs',
]);

function measured(entry: LogEntry): [string, number][] {
  return Object.entries(entry).filter(
    (pair): pair is [string, number] => !facts.has(pair[0]) && typeof pair[1] === 'number',
  );
}

function number(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toFixed(3);
}

function duration(minutes: number): string {
  if (!Number.isFinite(minutes)) return '?';
  if (minutes < 1.5) return `${(60 * Math.max(0, minutes)).toFixed(0)} s`;
  const whole = Math.round(minutes);
  return whole < 60
    ? `${String(whole)} min`
    : `${String(Math.floor(whole / 60))} h ${String(whole % 60)} min`;
}

export interface RunLog {
  readonly log: (entry: LogEntry) => void;
  readonly image: EventWriter['image'];
  /** Ends the bar and the event file. */
  close(): void;
}

/**
 * @param run folder of the run; event files go to its `tensorboard` folder, a new one for every session
 * @param samplesPerStep for the rate
 * @param say prints a line
 */
export function runLog(run: string, samplesPerStep: number, say: (line: string) => void): RunLog {
  const events = createEventWriter(join(run, 'tensorboard'));
  const bar = process.stderr.isTTY
    ? new cliProgress.SingleBar({
        format: '{bar} {value}/{total}  loss {loss}  {rate}/s  {left} left',
        hideCursor: true,
        stream: process.stderr,
      })
    : null;
  let total = 0;
  let said = 0;
  return {
    image: (...picture) => {
      events.image(...picture);
    },
    log: (entry) => {
      const step = Number(entry['step']);
      if (entry['event'] === 'start') {
        total = Number(entry['steps']);
        say(
          `${String(entry['parameters'])} parameters, ${String(entry['threads'])} threads, ${String(entry['backend'])}`,
        );
        bar?.start(total, step, { loss: '-', rate: '-', left: '?' });
        return;
      }
      for (const [name, value] of measured(entry)) {
        events.scalar(entry['event'] === 'validation' ? `validation/${name}` : `train/${name}`, step, value);
      }
      if (entry['event'] === 'validation') {
        const scores = measured(entry).map(([name, value]) => `${name} ${number(value)}`);
        if (scores.length > 0) say(`${bar ? '\n' : ''}step ${String(step)} validation: ${scores.join(', ')}`);
        return;
      }
      const rate = ((samplesPerStep * 1000) / Math.max(1, Number(entry['stepMs']))).toFixed(1);
      const left = duration(Number(entry['leftMinutes']));
      if (bar) {
        bar.update(step, { loss: number(Number(entry['loss'])), rate, left });
        return;
      }
      if (Date.now() - said < betweenMs && step < total) return;
      said = Date.now();
      const losses = measured(entry).map(([name, value]) => `${name} ${number(value)}`);
      say(`step ${String(step)} of ${String(total)}: ${losses.join(', ')}; ${rate} samples/s, ${left} left`);
    },
    close: () => {
      bar?.stop();
      events.close();
    },
  };
}
