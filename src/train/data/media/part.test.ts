import { describe, expect, it } from 'vitest';
import { partOf } from './part.ts';

const slurm = (id: string, count: string, more: Record<string, string> = {}) => ({
  SLURM_ARRAY_TASK_ID: id,
  SLURM_ARRAY_TASK_COUNT: count,
  ...more,
});

describe('partOf', () => {
  it('is all of the work when nothing is said', () => {
    expect(partOf(undefined, undefined, {})).toEqual({ index: 1, count: 1 });
    expect(partOf('3/8', undefined, {})).toEqual({ index: 3, count: 8 });
  });

  it('reads an array of Slurm, wherever it begins', () => {
    expect(partOf(undefined, undefined, slurm('0', '4'))).toEqual({ index: 1, count: 4 });
    expect(partOf(undefined, undefined, slurm('4', '4', { SLURM_ARRAY_TASK_MIN: '1' }))).toEqual({
      index: 4,
      count: 4,
    });
    const stepped = { SLURM_ARRAY_TASK_MIN: '10', SLURM_ARRAY_TASK_STEP: '5' };
    expect(partOf(undefined, undefined, slurm('20', '3', stepped))).toEqual({ index: 3, count: 3 });
    expect(partOf(undefined, undefined, slurm('7', '3', { SLURM_ARRAY_TASK_MAX: '8' }))).toEqual({
      index: 2,
      count: 3,
    });
  });

  it('reads an indexed Job of Kubernetes', () => {
    expect(partOf(undefined, 5, { JOB_COMPLETION_INDEX: '4' })).toEqual({ index: 5, count: 5 });
    expect(partOf(undefined, undefined, { JOB_COMPLETION_INDEX: '0', JOB_COMPLETIONS: '2' })).toEqual({
      index: 1,
      count: 2,
    });
  });

  it('takes the same said twice, and refuses contradictions', () => {
    expect(partOf('1/4', 4, slurm('0', '4'))).toEqual({ index: 1, count: 4 });
    expect(() => partOf('2/4', undefined, slurm('0', '4'))).toThrow(
      '--shard says 2/4, SLURM_ARRAY_TASK_ID says 1/4',
    );
    expect(() => partOf('2/4', 5, {})).toThrow('--shard-count says 5');
    expect(() => partOf(undefined, 3, { JOB_COMPLETION_INDEX: '0', JOB_COMPLETIONS: '2' })).toThrow(
      'say it once',
    );
  });

  it.each([
    ['0/4', undefined, {}, 'i from 1 to n'],
    ['5/4', undefined, {}, 'i from 1 to n'],
    ['half', undefined, {}, 'for example 1/8'],
    [undefined, 4, {}, 'give --shard i/4'],
    [undefined, undefined, { SLURM_ARRAY_TASK_ID: '1' }, 'SLURM_ARRAY_TASK_COUNT is not set'],
    [undefined, undefined, { SLURM_ARRAY_TASK_COUNT: '4' }, 'SLURM_ARRAY_TASK_ID is not set'],
    [undefined, undefined, slurm('4', '4'), 'no array without holes'],
    [undefined, undefined, slurm('x', '4'), 'SLURM_ARRAY_TASK_ID is "x"'],
    [undefined, undefined, slurm('9', '3', { SLURM_ARRAY_TASK_MIN: '1' }), 'no array without holes'],
    [undefined, undefined, { JOB_COMPLETION_INDEX: '1' }, 'give --shard-count'],
    [undefined, undefined, { JOB_COMPLETIONS: '1' }, 'completionMode: Indexed'],
    [undefined, 2, { JOB_COMPLETION_INDEX: '2' }, 'wanted 0 to 1'],
  ])('refuses %s, %s, %o', (shard, count, env, message) => {
    expect(() => partOf(shard, count, env)).toThrow(message);
  });
});
