/**
 * Watches the archive for the daemon's log: says when it holds, when it goes on, and what a failed sync came to. During a
 * drain it says when to give up: what holds the archive may never come right, and nobody is served by a daemon that
 * waits for systemd to kill it.
 */

import type { ArchiveBoard } from '../archive/board.js';
import { diskFaults } from '../archive/disk-fault.js';
import type { Log } from './log.js';

/** How long a drain waits for a disk that refuses. */
export const DRAIN_HOLDS_MS = 5000;

export class DiskWatch {
  readonly #board: ArchiveBoard;
  readonly #directory: string;
  readonly #log: Log;
  #said = '';
  #refusals = 0;
  #syncFailures = 0;
  /** Since when the archive has not gone on, as far as was seen; Infinity: it does. */
  #sinceMs = Number.POSITIVE_INFINITY;

  constructor(board: ArchiveBoard, directory: string, log: Log) {
    this.#board = board;
    this.#directory = directory;
    this.#log = log;
  }

  /** Call it now and then. */
  look(nowMs: number): void {
    const faults = diskFaults(this.#board);
    const { refusals, syncFailures, durableLine } = this.#board;
    const facts = { archive: this.#directory, durable_seq: durableLine };
    if (syncFailures > this.#syncFailures) {
      const failures = syncFailures - this.#syncFailures;
      this.#log.error({ ...facts, failures }, 'a sync failed; all that it was for is written again');
    }
    const text = faults.join('; ');
    if (text !== '' && text !== this.#said) this.#log.error(facts, text);
    else if (text === '' && (this.#said !== '' || refusals > this.#refusals)) {
      this.#log.warn(facts, 'the disk refused, and takes the archive again');
    }
    this.#said = text;
    this.#refusals = refusals;
    this.#syncFailures = syncFailures;
    if (text === '') this.#sinceMs = Number.POSITIVE_INFINITY;
    else this.#sinceMs = Math.min(this.#sinceMs, nowMs);
  }

  /** @param sinceMs when the drain began */
  hasHeldTooLong(sinceMs: number, nowMs: number): boolean {
    return nowMs - Math.max(sinceMs, this.#sinceMs) >= DRAIN_HOLDS_MS;
  }
}
