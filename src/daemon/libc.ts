/**
 * Calls of the system that Node has not: a lock that dies with its process, the end of a socket's reading side, what a
 * socket is and who is behind it, datagrams between processes, and whether the clock is kept right. koffi calls the C library without a compiler at install;
 * only this file imports it.
 */

import { closeSync, openSync } from 'node:fs';
import { endianness } from 'node:os';
import koffi from 'koffi';
import { Failure, failureOfSystemError } from '../model/failure.js';

const LOCK_EXCLUSIVE = 2;
const LOCK_NONBLOCKING = 4;
const SHUT_RD = 0;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
// asm-generic/socket.h: the numbers of x64 and arm64, and of every other machine that koffi has a build for but MIPS.
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_PEERCRED = 17;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const SOCKET_ADDRESS_BYTES = 110;
/** More than struct timex has; its first word, 0, asks for no change. */
const TIMEX_BYTES = 256;
const TIME_ERROR = 5;

const libc = koffi.load(null);
const flock = libc.func('int flock(int, int)');
const shutdown = libc.func('int shutdown(int, int)');
const socket = libc.func('int socket(int, int, int)');
const sendto = libc.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)');
const adjtimex = libc.func('int adjtimex(void *)');
const getsockname = libc.func('int getsockname(int, void *, void *)');
const getsockopt = libc.func('int getsockopt(int, int, int, void *, void *)');

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

/** Whether a descriptor is a Unix stream socket that listens. */
export function isListeningUnixSocket(fd: number): boolean {
  return (
    socketNumber(fd, SO_DOMAIN) === AF_UNIX &&
    socketNumber(fd, SO_TYPE) === SOCK_STREAM &&
    socketNumber(fd, SO_ACCEPTCONN) === 1
  );
}

/** The path that a Unix socket is bound to. */
export function socketPath(fd: number): string {
  const name = Buffer.alloc(SOCKET_ADDRESS_BYTES);
  const size = new Uint32Array([name.length]);
  if (getsockname(fd, name, size) !== 0) return '';
  const path = name.toString('utf8', 2, size[0]);
  return path.startsWith('\0') ? `@${path.slice(1)}` : path.replace(/\0.*$/, '');
}

/** @returns null where the descriptor is no socket */
function socketNumber(fd: number, option: number): number | null {
  const value = new Int32Array(1);
  const size = new Uint32Array([value.byteLength]);
  return getsockopt(fd, SOL_SOCKET, option, value, size) === 0 ? value[0]! : null;
}

/** Who has connected, as the kernel saw it at that moment: struct ucred, unix(7). @returns null where it does not say it */
export function peerOf(fd: number): { pid: number; uid: number; gid: number } | null {
  const words = new Uint32Array(3);
  const size = new Uint32Array([words.byteLength]);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, words, size) !== 0 || size[0] !== words.byteLength) return null;
  return { pid: words[0]!, uid: words[1]!, gid: words[2]! };
}

export interface DatagramSender {
  /** Does not wait. @returns the name of the error, or null */
  send(bytes: Uint8Array): string | null;
}

/**
 * Datagrams to a Unix socket.
 * @param address its path, or with `@` in front a name of the abstract namespace
 */
export function openDatagramSender(address: string): DatagramSender {
  const fd: number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    throw new Failure('ERR_IO', `cannot make a socket: ${errorName()}; see the limit of open files`);
  const name = socketAddress(address);
  return {
    send: (bytes) => {
      const sent = sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, name, name.length);
      return sent < 0 ? errorName() : null;
    },
  };
}

/** struct sockaddr_un, unix(7): the family, and the path with its NUL, or NUL and the abstract name. */
function socketAddress(address: string): Uint8Array {
  const path = address.startsWith('@') ? `\0${address.slice(1)}` : `${address}\0`;
  const family = endianness() === 'LE' ? [AF_UNIX, 0] : [0, AF_UNIX];
  return Buffer.concat([Buffer.from(family), Buffer.from(path)]);
}

/** Whether something keeps the clock right (adjtimex(2), read only). @returns null where the system does not say it */
export function isClockSynchronized(): boolean | null {
  const timex = Buffer.alloc(TIMEX_BYTES);
  const state: number = adjtimex(timex);
  return state < 0 ? null : state !== TIME_ERROR;
}

function errorName(): string {
  const number = koffi.errno();
  const name = Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0];
  return name ?? `error ${number}`;
}
