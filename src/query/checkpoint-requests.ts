/** A checkpoint on request: of the state as it is now, or later. `tallyd replay` compares with it. */

import { join, resolve } from 'node:path';
import { checkpointName } from '../checkpoint/checkpoint-files.js';
import { type CopiesMemory, TableCopies } from '../checkpoint/table-copies.js';
import { Bell } from '../ring/bell.js';
import { Problem } from './problem.js';

export interface CheckpointRequestsMemory {
  readonly copies: CopiesMemory;
  readonly mainBell: SharedArrayBuffer;
}

/** A disk that takes longer is not going to. */
const WAIT_MS = 30_000;
const POLL_MS = 5;

export interface TakenCheckpoint {
  /** The last line that is in it; 0: there is no line yet, and no file. */
  readonly line: number;
  readonly path: string | null;
}

export class CheckpointRequests {
  readonly #copies: TableCopies;
  readonly #mainBell: Bell;
  readonly #board: { readonly line: number };
  readonly #directory: string;

  /** @param board of the state */
  constructor(memory: CheckpointRequestsMemory, board: { readonly line: number }, directory: string) {
    this.#copies = new TableCopies(memory.copies);
    this.#mainBell = new Bell(memory.mainBell);
    this.#board = board;
    this.#directory = resolve(directory);
  }

  /** @throws Problem where it cannot be written */
  async take(): Promise<TakenCheckpoint> {
    const { line } = this.#board;
    const count = this.#copies.request();
    this.#mainBell.ring();
    const until = performance.now() + WAIT_MS;
    while (this.#copies.answered < count) {
      if (performance.now() > until) {
        throw new Problem(503, 'No checkpoint', `none was written within ${WAIT_MS / 1000} s; ask again`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    const last = this.#copies.last?.line ?? 0;
    if (last < line) {
      throw new Problem(503, 'No checkpoint', "it could not be written; the daemon's log says why");
    }
    return { line: last, path: last === 0 ? null : join(this.#directory, checkpointName(last)) };
  }
}
