/** What a process has used so far, as /proc has it. */

import { readFileSync } from 'node:fs';

/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface Usage {
  readonly atSeconds: number;
  /** User and system time of all threads, to a hundredth. */
  readonly cpuSeconds: number;
  readonly rssMib: number;
}

export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in brackets, may hold blanks: fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    atSeconds: performance.now() / 1000,
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    rssMib: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024,
  };
}
