// What a measurement was made on.
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, platform, release, totalmem } from 'node:os';

/** Lines of facts: a name and what it is. */
export type Facts = readonly (readonly [name: string, value: string])[];

export function machineFacts(): Facts {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  return [
    ['CPU', `${model}, ${availableParallelism()} cores`],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(0)} GiB`],
    ['system', `${platform()} ${release()}`],
    ['Node', process.version],
    ['date', new Date().toISOString().slice(0, 10)],
  ];
}

/**
 * The most memory that a process ever had resident, bytes.
 * @param pid null is this process
 * @returns null where /proc does not tell (only Linux does), or the process is gone
 */
export function peakResidentBytes(pid: number | null = null): number | null {
  try {
    const status = readFileSync(`/proc/${pid === null ? 'self' : pid}/status`, 'utf8');
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(status);
    return match ? Number(match[1]) * 1024 : null;
  } catch {
    return null;
  }
}
