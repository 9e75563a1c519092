// Which part of the work is this job's: said on the command line, or by Slurm or Kubernetes.
import { Problem } from '../../../base/errors.ts';
import type { Part } from '../shards/dataset.ts';

/** What the environment says; only these names are read. */
export type Environment = Readonly<Record<string, string | undefined>>;

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text.trim()) && value >= least) return value;
  throw new Problem('unsupported-file', `${name} is "${text}"; wanted a whole number from ${String(least)}.`);
}

/** `2/8` */
function fromOption(text: string): Part {
  const [, index = '', count = ''] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const part = { index: Number(index), count: Number(count) };
  if (part.index >= 1 && part.index <= part.count) return part;
  throw new Problem(
    'unsupported-file',
    `--shard is "${text}"; wanted i/n with i from 1 to n, for example 1/8.`,
  );
}

function fromSlurm(env: Environment, countOption: number | undefined): Part | null {
  const id = env['SLURM_ARRAY_TASK_ID'];
  const countText = env['SLURM_ARRAY_TASK_COUNT'];
  if (id === undefined && countText === undefined) return null;
  if (id === undefined) {
    throw new Problem(
      'unsupported-file',
      `SLURM_ARRAY_TASK_COUNT is ${String(countText)} but SLURM_ARRAY_TASK_ID is not set: run this as a task of the array (sbatch --array), or unset it.`,
    );
  }
  if (countText === undefined && countOption === undefined) {
    throw new Problem(
      'unsupported-file',
      `SLURM_ARRAY_TASK_ID is ${id} but SLURM_ARRAY_TASK_COUNT is not set: set it, or give --shard-count.`,
    );
  }
  const count = countText === undefined ? (countOption ?? 0) : whole('SLURM_ARRAY_TASK_COUNT', countText, 1);
  const most = env['SLURM_ARRAY_TASK_MAX'];
  const step = whole('SLURM_ARRAY_TASK_STEP', env['SLURM_ARRAY_TASK_STEP'] ?? '1', 1);
  const leastText =
    env['SLURM_ARRAY_TASK_MIN'] ??
    (most === undefined ? '0' : String(whole('SLURM_ARRAY_TASK_MAX', most, 0) - (count - 1) * step));
  const least = whole('SLURM_ARRAY_TASK_MIN', leastText, 0);
  const index = (whole('SLURM_ARRAY_TASK_ID', id, 0) - least) / step + 1;
  if (!Number.isInteger(index) || index < 1 || index > count) {
    throw new Problem(
      'unsupported-file',
      `SLURM_ARRAY_TASK_ID is ${id}, SLURM_ARRAY_TASK_MIN ${leastText}${env['SLURM_ARRAY_TASK_MIN'] === undefined ? ' (not set)' : ''} and SLURM_ARRAY_TASK_COUNT ${String(count)}: this is no array without holes. Use --array=0-${String(count - 1)}, or give --shard i/n and unset them.`,
    );
  }
  return { index, count };
}

function fromKubernetes(env: Environment, countOption: number | undefined): Part | null {
  const id = env['JOB_COMPLETION_INDEX'];
  const countText = env['JOB_COMPLETIONS'];
  if (id === undefined && countText === undefined) return null;
  if (id === undefined) {
    throw new Problem(
      'unsupported-file',
      `JOB_COMPLETIONS is ${String(countText)} but JOB_COMPLETION_INDEX is not set: the Job needs completionMode: Indexed.`,
    );
  }
  if (countText === undefined && countOption === undefined) {
    throw new Problem(
      'unsupported-file',
      `JOB_COMPLETION_INDEX is ${id} but how many there are is not said: give --shard-count (the Job's completions), or set JOB_COMPLETIONS to it.`,
    );
  }
  const count = countText === undefined ? (countOption ?? 0) : whole('JOB_COMPLETIONS', countText, 1);
  const index = whole('JOB_COMPLETION_INDEX', id, 0) + 1;
  if (index > count) {
    throw new Problem('unsupported-file', `JOB_COMPLETION_INDEX is ${id}; wanted 0 to ${String(count - 1)}.`);
  }
  return { index, count };
}

/**
 * This job's part; 1/1 when nothing is said.
 * @param shard --shard, i/n
 * @param shardCount --shard-count: how many, where the environment says only which
 * @throws Problem when what is said is half, impossible, or contradicts itself
 */
export function partOf(shard: string | undefined, shardCount: number | undefined, env: Environment): Part {
  const said = [
    { by: '--shard', part: shard === undefined ? null : fromOption(shard) },
    { by: 'SLURM_ARRAY_TASK_ID', part: fromSlurm(env, shardCount) },
    { by: 'JOB_COMPLETION_INDEX', part: fromKubernetes(env, shardCount) },
  ].flatMap(({ by, part }) => (part ? [{ by, part }] : []));
  const [first] = said;
  if (first === undefined) {
    if (shardCount === undefined || shardCount === 1) return { index: 1, count: 1 };
    throw new Problem(
      'unsupported-file',
      `--shard-count is ${String(shardCount)} but nothing says which of them this is: give --shard i/${String(shardCount)}, or run it as an array task.`,
    );
  }
  const inWords = said.map(({ by, part }) => `${by} says ${String(part.index)}/${String(part.count)}`);
  const { index, count } = first.part;
  const differs = said.some(({ part }) => part.index !== index || part.count !== count);
  if (differs || (shardCount !== undefined && shardCount !== count)) {
    if (shardCount !== undefined) inWords.push(`--shard-count says ${String(shardCount)}`);
    throw new Problem('unsupported-file', `${inWords.join(', ')}: say it once.`);
  }
  return first.part;
}
