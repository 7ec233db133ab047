/**
 * Shares the file descriptors that the process may have between its sockets and its files. Where a process has none left,
 * libuv closes connections as they come, which is harmless, but the archive cannot open its next segment, and holds. So
 * connections are limited before that, and clients never keep the log from being written.
 */

import { readFileSync } from 'node:fs';

/** What ingest leaves: for connections to the control socket, and for what is none (threads, segments, checkpoints: about 40). */
export const FILES_BESIDE_CONNECTIONS = 100;
const CONTROL_MIN = 40;
const CONTROL_MAX = 1024;

export interface Connections {
  readonly ingest: number;
  readonly control: number;
}

export function shareDescriptors(limit: number, configured: number): Connections {
  const ingest = Math.max(1, Math.min(configured, limit - FILES_BESIDE_CONNECTIONS));
  const rest = Math.max(0, limit - FILES_BESIDE_CONNECTIONS - ingest);
  return { ingest, control: Math.min(CONTROL_MAX, CONTROL_MIN + rest) };
}

/** Infinity where the system does not say. */
export function descriptorLimit(): number {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return Number.POSITIVE_INFINITY; // without /proc
  }
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
