/**
 * Deaths on order, for the worker files beside this. How often a place was passed is counted in shared memory, since the
 * thread that counts is the one that dies.
 */

import type { ArchiveFiles } from '../../src/archive/archive-files.js';

/** Steps of the fold between which it can die, beside those of a line's own changes. */
export type FoldStep =
  | 'Clients.assign'
  | 'Clients.restart'
  | 'Clients.setOwner'
  | 'Clients.setFolded'
  | 'Ledger.supersede'
  | 'MailboxWriter.tryPost'
  | 'Progress.commit';

/** Where and how the fold dies. Lines are known by the number that they carry in their field `n`. */
export interface FoldFault {
  /**
   * `rebuild`: when it begins to rebuild, `rebuilt`: when that is done; at any tick, when it is about to be applied, is half
   * applied, or is said to be done and its record is not; otherwise at line `n`.
   */
  readonly at:
    | 'decode'
    | 'before'
    | 'after'
    | 'rebuild'
    | 'rebuilt'
    | 'before tick'
    | 'after tick'
    | 'tick done'
    | `before ${FoldStep}`
    | `after ${FoldStep}`;
  readonly n?: number;
  readonly how: 'throw' | 'exit';
  /** How often it passes the place unharmed, and how often it dies there after that. */
  readonly skip?: number;
  readonly times?: number;
}

/** Where and how a stage dies that writes: at the n-th call (from 0) of one operation on the file system. */
export interface FileFault {
  readonly operation: keyof ArchiveFiles;
  readonly call: number;
  readonly when: 'before' | 'half' | 'after';
  readonly how: 'throw' | 'exit';
}

/** Two counters a fault: passes, and deaths. */
export function allocateFaultCounts(faults: readonly unknown[]): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(1, faults.length) * 8);
}

export function deathsOf(counts: SharedArrayBuffer, faults: readonly unknown[]): number[] {
  const words = new Int32Array(counts);
  return faults.map((_, i) => words[2 * i + 1]!);
}

export function countPass(counts: SharedArrayBuffer, fault: number): number {
  return Atomics.add(new Int32Array(counts), 2 * fault, 1);
}

export function die(counts: SharedArrayBuffer, fault: number, how: 'throw' | 'exit', text: string): never {
  Atomics.add(new Int32Array(counts), 2 * fault + 1, 1);
  if (how === 'exit') process.exit(9);
  throw new Error(`a death on order: ${text}`);
}

/** The file system, on which the chosen calls kill the caller. */
export function faultyFiles(
  real: ArchiveFiles,
  faults: readonly FileFault[],
  counts: SharedArrayBuffer,
): ArchiveFiles {
  const files = { ...real } as Record<keyof ArchiveFiles, (...args: never[]) => unknown>;
  for (const operation of new Set(faults.map((fault) => fault.operation))) {
    const call = real[operation] as (...args: never[]) => unknown;
    files[operation] = (...args: never[]) => {
      // Each counts every call, also the one at which another one kills.
      const passes = faults.map((fault, i) => (fault.operation === operation ? countPass(counts, i) : -1));
      const dying = faults.findIndex((fault, i) => passes[i] === fault.call);
      const fault = faults[dying];
      if (fault === undefined) return call(...args);
      if (fault.when === 'half') writeHalf(real, args);
      if (fault.when === 'after') call(...args);
      return die(counts, dying, fault.how, `${fault.when} ${operation} ${fault.call}`);
    };
  }
  return files as unknown as ArchiveFiles;
}

/** Of a `writevSync`: its first part, and half of the second. */
function writeHalf(real: ArchiveFiles, args: readonly unknown[]): void {
  const [fd, parts, position] = args as [number, Uint8Array[], number];
  const last = parts.at(-1)!;
  real.writevSync(fd, [...parts.slice(0, -1), last.subarray(0, last.length >> 1)], position);
}
