/**
 * Deaths on order, and disks that refuse on order, for the worker files beside this. How often a place was passed is counted
 * in shared memory, since the thread that counts is the one that dies.
 */

import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import type { ArchiveFiles } from '../../src/archive/archive-files.js';
import { type ErrorCode, systemError } from '../support/system-error.js';

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

/**
 * Where and how a stage that writes dies, or is refused: at the n-th call (from 0) of one operation on the file system.
 * An fdatasync that is refused leaves zeros in the file, in the place of all that no sync before it had covered.
 */
export interface FileFault {
  readonly operation: keyof ArchiveFiles;
  readonly call: number;
  readonly when: 'before' | 'half' | 'after';
  readonly how: 'throw' | 'exit' | ErrorCode;
  /** How many calls from that one on. */
  readonly times?: number;
  /** Counts only calls on files whose paths hold this. */
  readonly path?: string;
}

/** Two counters a fault: passes, and deaths or refusals. */
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

export function die(
  counts: SharedArrayBuffer,
  fault: number,
  how: 'throw' | 'exit' | ErrorCode,
  text: string,
): never {
  Atomics.add(new Int32Array(counts), 2 * fault + 1, 1);
  if (how === 'exit') process.exit(9);
  if (how === 'throw') throw new Error(`a death on order: ${text}`);
  throw systemError(how, `refused on order: ${text}`);
}

/** The file system, on which the chosen calls kill the caller, or are refused. */
export function faultyFiles(
  real: ArchiveFiles,
  faults: readonly FileFault[],
  counts: SharedArrayBuffer,
): ArchiveFiles {
  const files = { ...real } as Record<keyof ArchiveFiles, (...args: never[]) => unknown>;
  const synced = new Map<number, number>();
  const paths = new Map<number, string>();
  files.openSync = (path: string, flags: string | number, mode?: number) => {
    const fd = real.openSync(path, flags, mode);
    paths.set(fd, path);
    return fd;
  };
  for (const operation of new Set(faults.map((fault) => fault.operation))) {
    const call = files[operation]!;
    files[operation] = (...args: never[]) => {
      const subject: string | number = args[0]!;
      const place = typeof subject === 'number' ? (paths.get(subject) ?? '') : subject;
      const isMeant = ({ operation: name, path = '' }: FileFault) =>
        name === operation && String(place).includes(path);
      // Each counts every call, also the one at which another one kills.
      const passes = faults.map((fault, i) => (isMeant(fault) ? countPass(counts, i) : -1));
      const dying = faults.findIndex(
        ({ call, times = 1 }, i) => passes[i]! >= call && passes[i]! < call + times,
      );
      const fault = faults[dying];
      const fd = Number(subject);
      if (fault === undefined) {
        if (operation === 'fdatasyncSync') synced.set(fstatSync(fd).ino, fstatSync(fd).size);
        return call(...args);
      }
      if (operation === 'fdatasyncSync' && fault.how !== 'throw' && fault.how !== 'exit') {
        loseBehind(fd, synced.get(fstatSync(fd).ino) ?? 0);
      }
      if (fault.when === 'half') writeHalf(real, args);
      if (fault.when === 'after') call(...args);
      return die(counts, dying, fault.how, `${fault.when} ${operation} ${fault.call}`);
    };
  }
  return files as unknown as ArchiveFiles;
}

/** What a system may do with pages that it could not write: it takes them for clean, and reads them from the disk again. */
function loseBehind(fd: number, offset: number): void {
  const { size } = fstatSync(fd);
  const writing = openSync(`/proc/self/fd/${fd}`, 'r+');
  writeSync(writing, Buffer.alloc(Math.max(0, size - offset)), 0, undefined, offset);
  closeSync(writing);
}

/** Of a `writevSync`: its first part, and half of the second. */
function writeHalf(real: ArchiveFiles, args: readonly unknown[]): void {
  const [fd, parts, position] = args as [number, Uint8Array[], number];
  const last = parts.at(-1)!;
  real.writevSync(fd, [...parts.slice(0, -1), last.subarray(0, last.length >> 1)], position);
}
