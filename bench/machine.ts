/** What a figure depends on beside the code: printed at the head of every run, and kept with its results. */

import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { readVersion } from '../src/config/version.js';

export interface Machine {
  readonly version: string;
  /** `+` behind it: with changes that are in no commit; null outside of a clone. */
  readonly commit: string | null;
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly kernel: string;
  /** Of the last minute, before the run: above a few tenths, others were at work. */
  readonly load: number;
}

export function describeMachine(rootDirectory: string): Machine {
  return {
    version: readVersion(),
    commit: commitOf(rootDirectory),
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    node: process.version,
    kernel: `Linux ${release()}`,
    load: Math.round(loadavg()[0]! * 100) / 100,
  };
}

export function machineText(machine: Machine): string {
  const { version, commit, date, cpu, cores, node, kernel, load } = machine;
  const parts = [`tallyd ${version}`, `commit ${commit ?? 'unknown'}`, date, `${cpu}, ${cores} cores`];
  return [...parts, `Node ${node}`, kernel, `load ${load}`].join(' · ');
}

function commitOf(directory: string): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const changes = git('status', '--porcelain', '--', 'src', 'workers', 'bench', ':!bench/results');
    return git('rev-parse', '--short=12', 'HEAD').trim() + (changes === '' ? '' : '+');
  } catch {
    return null;
  }
}
