/**
 * Calls of the system that Node has not: a lock that dies with its process, and the end of a socket's reading side.
 * koffi calls the C library without a compiler at install; only this file imports it.
 */

import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { Failure, failureOfSystemError } from '../model/failure.js';

const LOCK_EXCLUSIVE = 2;
const LOCK_NONBLOCKING = 4;
const SHUT_RD = 0;

const libc = koffi.load(null);
const flock = libc.func('int flock(int, int)');
const shutdown = libc.func('int shutdown(int, int)');

/**
 * Locks a file for this process: flock(2), which the kernel gives back when the process ends, however it ends.
 * @throws Failure ERR_TAKEN where another process holds it
 */
export function lockFile(path: string, what: string): { release(): void } {
  let fd: number;
  try {
    fd = openSync(path, 'a', 0o640);
  } catch (error) {
    throw failureOfSystemError(error, 'open the lock', path);
  }
  if (flock(fd, LOCK_EXCLUSIVE | LOCK_NONBLOCKING) !== 0) {
    closeSync(fd);
    throw new Failure(
      'ERR_TAKEN',
      `another tallyd holds ${what}; stop it, or give this one a folder of its own with --state-dir and --runtime-dir`,
    );
  }
  return { release: () => closeSync(fd) };
}

/** No more can be written to this socket from the other side; what was written can still be read, and then it ends. */
export function shutdownRead(fd: number): void {
  shutdown(fd, SHUT_RD);
}
