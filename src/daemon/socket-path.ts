/** The path of a Unix socket, made free to listen on: what a dead daemon left is removed, a live one is respected. */

import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { Failure, failureOfSystemError } from '../model/failure.js';

/** @throws Failure ERR_TAKEN where somebody answers on it, ERR_IO where something else lies there */
export async function freeSocketPath(path: string): Promise<void> {
  try {
    if (!lstatSync(path).isSocket()) {
      throw new Failure('ERR_IO', `${path} is not a socket; move it away, or choose another --runtime-dir`);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw failureOfSystemError(error, 'look at', path);
  }
  if (await answers(path)) {
    throw new Failure(
      'ERR_TAKEN',
      `another program listens on ${path}; stop it, or choose another --runtime-dir`,
    );
  }
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // EAGAIN: somebody listens, and is behind with accepting.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
  });
}

/** @param group name or number; null: as it is */
export function setSocketAccess(path: string, mode: number, group: string | null): void {
  try {
    chmodSync(path, mode);
    if (group !== null) chownSync(path, process.getuid?.() ?? -1, groupId(group));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw failureOfSystemError(error, 'set mode and group of', path);
  }
}

function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${group}:`));
  if (line === undefined) {
    throw new Failure(
      'ERR_CONFIG_INVALID',
      `ingest.group is ${group}, which is no group of this host; name one that is`,
    );
  }
  return Number(line.split(':')[2]);
}
