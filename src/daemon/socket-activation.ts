/**
 * The ingest socket that systemd has opened for the daemon (sd_listen_fds(3)): it listens before the daemon runs and after it
 * has ended, so clients that connect meanwhile wait in the backlog instead of being refused.
 */

import { Failure } from '../model/failure.js';
import { isListeningUnixSocket, socketPath } from './libc.js';

const FIRST_FD = 3;

export interface ActivatedSocket {
  readonly fd: number;
  readonly path: string;
}

/**
 * Takes the variables out of the environment: they are meant for this process alone.
 * @returns null where systemd has opened none
 * @throws Failure ERR_CONFIG_INVALID where the socket unit passes something else
 */
export function takeActivatedSocket(env: NodeJS.ProcessEnv, pid: number): ActivatedSocket | null {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  // Else they were meant for a parent that has left them in the environment.
  if (LISTEN_PID !== String(pid)) return null;
  const count = Number(LISTEN_FDS);
  if (!Number.isInteger(count) || count < 1) return null;
  if (count > 1) {
    const names = LISTEN_FDNAMES ? ` (${LISTEN_FDNAMES.replaceAll(':', ', ')})` : '';
    throw new Failure(
      'ERR_CONFIG_INVALID',
      `systemd passes ${count} sockets${names}, tallyd takes one, ingest.sock; leave one ListenStream= in the socket units`,
    );
  }
  if (!isListeningUnixSocket(FIRST_FD)) {
    throw new Failure(
      'ERR_CONFIG_INVALID',
      `what systemd passes as descriptor ${FIRST_FD} is no Unix stream socket that listens; ` +
        'the socket unit needs ListenStream= with a path, and Accept=no',
    );
  }
  return { fd: FIRST_FD, path: socketPath(FIRST_FD) };
}
