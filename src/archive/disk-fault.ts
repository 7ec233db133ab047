/**
 * Faults of the system under the archive: no room, no rights, no descriptors, a disk that fails. All of them may come right
 * while the daemon waits, whoever mends them, so none of them ends it. An error that says that our own call was wrong is a
 * bug, and is none of them.
 */

import { constants } from 'node:os';
import { Failure } from '../model/failure.js';
import type { ArchiveBoard } from './board.js';

const errno: Readonly<Record<string, number>> = constants.errno;
/** Not `getSystemErrorName`, which knows what libuv does: "Unknown system error -122" for EDQUOT. */
const NAMES = new Map(Object.entries(errno).map(([name, number]) => [number, name]));
const BUGS: ReadonlySet<number> = new Set([
  constants.errno.EBADF,
  constants.errno.EINVAL,
  constants.errno.EFAULT,
]);

/** The number of the system's error, which a Failure has as its cause; 0: it is no fault of the system. */
export function faultNumberOf(error: unknown): number {
  if (error instanceof Failure && error.code !== 'ERR_IO' && error.code !== 'ERR_DENIED') return 0;
  const cause = error instanceof Failure ? error.cause : error;
  if (!(cause instanceof Error)) return 0;
  const { errno: negative = 0, code = '' } = cause as NodeJS.ErrnoException;
  const number = negative === 0 ? (errno[code] ?? 0) : -negative;
  return BUGS.has(number) ? 0 : number;
}

export function isDiskFull(number: number): boolean {
  return number === constants.errno.ENOSPC || number === constants.errno.EDQUOT;
}

/** What keeps the archive from going on, as the status shows it: a word that stays, and what it means. Empty: nothing. */
export function diskFaults(board: ArchiveBoard): string[] {
  const faults: string[] = [];
  const { holdsFor, syncError, readError } = board;
  if (isDiskFull(holdsFor)) {
    faults.push(`disk_full: no room for the archive (${nameOf(holdsFor)}); senders wait until there is some`);
  } else if (holdsFor !== 0) {
    faults.push(
      `archive_write_failed: the archive cannot be written (${nameOf(holdsFor)}); senders wait until it can`,
    );
  }
  if (syncError !== 0) {
    faults.push(
      `archive_sync_failed: what is written does not get to the disk (${nameOf(syncError)}); nothing is acknowledged until it does`,
    );
  }
  if (readError !== 0) {
    faults.push(
      `archive_read_failed: lines after the checkpoint cannot be read (${nameOf(readError)}); the state is made when they can`,
    );
  }
  return faults;
}

/** `ENOSPC` */
function nameOf(number: number): string {
  return NAMES.get(number) ?? `error ${number}`;
}
