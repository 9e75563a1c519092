// `bench -- training`: one training step of tiny in Node, ours against stock tfjs, each in a process of its own.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { withTimeout } from '../base/timeout.ts';
import { colorOf, labelOf } from './contest.ts';
import { trainingFlops, wholeShape } from './flops.ts';
import type { Shape } from './flops.ts';
import { threadsText } from './inference-row.ts';
import { machineFacts } from './machine.ts';
import { megabytes, ratioText, spreadText } from './report.ts';
import type { Report } from './report.ts';
import { alternate, ratio } from './statistics.ts';
import type { Spread } from './statistics.ts';
import type { ProcessData, ProcessReply, ProcessRequest } from './training-process.ts';
import type { TrainingKind } from './training-thread.ts';
import { configOf } from './weights.ts';

export interface TrainingOptions {
  readonly rounds: number;
  /** Steps of stock tfjs at all tokens, where one takes minutes; 0 leaves it out there. */
  readonly stockRounds: number;
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

/** One measured step. */
interface Case {
  readonly label: string;
  readonly shape: Shape;
  readonly threads: number;
  /** 0: not measured. */
  readonly stockRounds: number;
}

interface Measured {
  readonly times: Spread;
  readonly updateMs: number;
  readonly peakBytes: number | null;
  readonly detail: string;
}

interface Row extends Case {
  readonly ours: Measured;
  readonly stock: Measured | null;
  /** Stock tfjs without explicit transposes; measured where stock tfjs takes longest. */
  readonly plain: Measured | null;
  readonly stockProblem: string | null;
  /** GFLOP of the step. */
  readonly gigaflops: number;
}

const config = configOf('tiny');
const stepLimitMs = 30 * 60_000;

function cases({ rounds, stockRounds, quick }: TrainingOptions): Case[] {
  const found: Case[] = [];
  const whole = wholeShape(config);
  // The share of visible tokens in HiCMAE's pre-training: 10 % of video, 20 % of audio.
  const visible = {
    videoTokens: Math.round(whole.videoTokens * 0.1),
    audioTokens: Math.round(whole.audioTokens * 0.2),
  };
  for (const batch of quick ? [4] : [4, 8]) {
    for (const threads of [2, 1]) {
      if (quick && threads === 1) continue;
      // A single batch of 4 of stock takes minutes; the ratio hardly depends on the batch.
      const stock = batch === 4 && threads === 2 && !quick ? stockRounds : 0;
      if (!quick) {
        found.push({ label: 'fine-tuning', shape: { ...whole, batch }, threads, stockRounds: stock });
      }
      const few = Math.min(rounds, 3);
      const pretraining = { ...visible, batch };
      found.push({ label: 'pre-training', shape: pretraining, threads, stockRounds: few });
    }
  }
  return found;
}

export async function benchTraining(options: TrainingOptions): Promise<Report> {
  const rows: Row[] = [];
  for (const one of cases(options)) {
    const row = await measure(one, options);
    rows.push(row);
    options.say(
      `${row.label}, batch ${row.shape.batch}, ${threadsText(row.threads)}: ours ${spreadText(row.ours.times)}; stock tfjs ${row.stock ? spreadText(row.stock.times) : (row.stockProblem ?? 'not measured')}`,
    );
  }
  return reportOf(rows);
}

/** A contender's process. */
interface Stepper {
  readonly detail: string;
  step(): Promise<Extract<ProcessReply, { type: 'stepped' }>>;
  close(): void;
}

async function startStepper(data: ProcessData): Promise<Stepper> {
  const child = fork(fileURLToPath(new URL('./training-process.ts', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ask = (request: ProcessRequest): Promise<ProcessReply> =>
    withTimeout(
      new Promise((resolve, reject) => {
        const ended = (code: number | null): void => {
          reject(new Error(`the process ended (exit code ${String(code)}): out of memory?`));
        };
        child.once('exit', ended);
        child.once('message', (reply: ProcessReply) => {
          child.off('exit', ended);
          resolve(reply);
        });
        child.send(request);
      }),
      stepLimitMs,
      'a training step did not end',
    );
  try {
    const started = await ask({ type: 'start', data });
    if (started.type !== 'started') throw new Error(started.type === 'failed' ? started.message : '');
    return {
      detail: started.detail,
      step: async () => {
        const reply = await ask({ type: 'step' });
        if (reply.type !== 'stepped') throw new Error(reply.type === 'failed' ? reply.message : '');
        return reply;
      },
      close: () => void child.kill(),
    };
  } catch (error) {
    child.kill();
    throw error;
  }
}

async function measure(one: Case, { rounds }: TrainingOptions): Promise<Row> {
  const { shape, threads } = one;
  const kinds: TrainingKind[] = one.stockRounds > 0 ? ['ours', 'tfjs'] : ['ours'];
  if (one.stockRounds > 0 && one.label === 'fine-tuning') kinds.push('plain');
  const steppers = new Map<TrainingKind, Stepper>();
  const last = new Map<TrainingKind, { updateMs: number; peakBytes: number | null }>();
  let stockProblem: string | null = null;
  try {
    for (const kind of kinds) {
      try {
        const stepper = await startStepper({ kind, config, shape, threads });
        steppers.set(kind, stepper);
        // Ours warms up with one step. Where stock's takes minutes, it begins cold: compiling is a fraction of it.
        if (kind === 'ours' || one.label === 'pre-training') await stepper.step();
      } catch (error) {
        if (kind === 'ours') throw error;
        stockProblem = error instanceof Error ? error.message : String(error);
        steppers.get(kind)?.close();
        steppers.delete(kind);
      }
    }
    const times = await alternate(
      [...steppers].map(([kind, stepper]) => ({
        name: kind,
        rounds: kind === 'ours' ? rounds : one.stockRounds,
        measure: async () => {
          const { ms, updateMs, peakBytes } = await stepper.step();
          last.set(kind, { updateMs, peakBytes });
          return ms;
        },
      })),
    );
    const measured = (kind: TrainingKind): Measured | null => {
      const [spread, figures, stepper] = [times.get(kind), last.get(kind), steppers.get(kind)];
      return spread && figures && stepper ? { times: spread, ...figures, detail: stepper.detail } : null;
    };
    const ours = measured('ours');
    if (!ours) throw new Error('internal: our own step was not measured');
    const gigaflops = trainingFlops(config, shape) / 1e9;
    return { ...one, ours, stock: measured('tfjs'), plain: measured('plain'), stockProblem, gigaflops };
  } finally {
    for (const stepper of steppers.values()) stepper.close();
  }
}

/** GFLOP/s of each thread. */
function rate({ gigaflops, threads }: Row, times: Spread): number {
  return gigaflops / (times.median / 1000) / threads;
}

function reportOf(rows: readonly Row[]): Report {
  const details = [...new Set(rows.flatMap((row) => [row.ours.detail, row.stock?.detail ?? '']))];
  const name = ({ label, shape, threads }: Row): string => `${label}, ${shape.batch}, ${threads}`;
  const notes = [
    `Tiny, both modalities: forward, backward and AdamW of the classifier, stochastic depth 0.1, threads with equal parts of the batch; our AdamW updates the parameters of both contenders. Fine-tuning: all 800 video and 128 audio tokens of every clip. Pre-training: the ${String(rows.find((row) => row.label === 'pre-training')?.shape.videoTokens ?? 80)} video and ${String(rows.find((row) => row.label === 'pre-training')?.shape.audioTokens ?? 26)} audio tokens that HiCMAE's pre-training shows its encoders; encoders, fusion and head are in it, the decoders and the contrastive losses are not.`,
    'GFLOP count two for each multiply and add of every product, the backward pass twice the forward pass; what is computed again counts once.',
    'Ours: one step to warm up, then the rounds. Stock tfjs at all tokens takes minutes: there it has the steps that the column says, without warming up. Memory: the most that the process had resident (VmHWM), Node included.',
  ];
  return {
    command: 'training',
    facts: [...machineFacts(), ['backends', details.filter(Boolean).join('; ')]],
    tables: [
      {
        title: 'One training step of tiny in Node, WebAssembly',
        columns: [
          'shape, batch, threads',
          'GFLOP',
          'ours, ms',
          'of it averaging and AdamW, ms',
          'ours, GFLOP/s a thread',
          'ours, memory',
          'stock tfjs, ms',
          'stock steps',
          'stock, GFLOP/s a thread',
          'stock, memory',
          'ours / stock',
          'times faster',
        ],
        rows: rows.map((row) => {
          const { ours, stock } = row;
          const against = ratio(ours.times, stock?.times);
          return [
            name(row),
            row.gigaflops.toFixed(0),
            spreadText(ours.times),
            ours.updateMs.toFixed(0),
            rate(row, ours.times).toFixed(1),
            megabytes(ours.peakBytes),
            stock ? spreadText(stock.times) : '-',
            stock ? String(stock.times.count) : '-',
            stock ? rate(row, stock.times).toFixed(1) : '-',
            megabytes(stock?.peakBytes ?? null),
            ratioText(against),
            against === null ? '-' : (1 / against).toFixed(1),
          ];
        }),
        notes: [
          ...notes,
          ...rows.flatMap((row) =>
            row.plain === null
              ? []
              : [
                  `Stock tfjs in the table has each transpose made explicit, by its own kernels, since its products are slow otherwise. Left as it is, it took ${(row.plain.times.median / 1000).toFixed(1)} s at ${name(row)}: ${(row.plain.times.median / row.ours.times.median).toFixed(1)} times ours.`,
                ],
          ),
          ...rows.flatMap((row) =>
            row.stockProblem === null ? [] : [`Stock tfjs failed at ${name(row)}: ${row.stockProblem}`],
          ),
        ],
      },
    ],
    figure: {
      title: 'Training',
      subtitle: 'One training step of tiny in Node on WebAssembly',
      legend: { [colorOf.ours]: labelOf('ours'), [colorOf.tfjs]: labelOf('tfjs') },
      panels: [
        {
          kind: 'bars',
          title: 'Arithmetic done',
          axis: 'GFLOP/s a thread (more is faster)',
          groups: rows.map((row) => ({
            label: `${row.label}, batch ${row.shape.batch}, ${threadsText(row.threads)}`,
            bars: (['ours', 'tfjs'] as const).flatMap((kind) => {
              const measured = kind === 'ours' ? row.ours : row.stock;
              return measured
                ? [
                    {
                      series: colorOf[kind],
                      value: rate(row, measured.times),
                      text: `${rate(row, measured.times).toFixed(1)} (${(measured.times.median / 1000).toFixed(1)} s)`,
                    },
                  ]
                : [];
            }),
          })),
        },
      ],
    },
    data: rows,
  };
}
