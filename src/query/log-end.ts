/** How far the log can be read, and with which lines: the archive is asked to close the frame that it has begun. */

import { ArchiveBoard } from '../archive/board.js';
import type { LogPosition } from '../archive/log-reader.js';
import { Bell } from '../ring/bell.js';
import { CURSOR_ASKED, CURSOR_FOLDED, type RingMemory } from '../ring/layout.js';

export interface LogEndMemory {
  readonly ring: RingMemory;
  readonly archiveBoard: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
}

/** How long the archive may take to close a frame that a query waits for. A disk that holds it longer gives less. */
const WAIT_MS = 1000;
const POLL_MS = 1;

export class LogEnd {
  readonly #cursors: Int32Array;
  readonly #board: ArchiveBoard;
  readonly #bell: Bell;

  constructor(memory: LogEndMemory) {
    this.#cursors = new Int32Array(memory.ring.cursors);
    this.#board = new ArchiveBoard(memory.archiveBoard);
    this.#bell = new Bell(memory.archiveBell);
  }

  /** What is written now. */
  get position(): LogPosition {
    const { segment, segmentBytes } = this.#board.written();
    return { segment, offset: segmentBytes };
  }

  /** Waits until a line that is folded is written. @returns what is written then, with the line or without it */
  async behind(line: number): Promise<LogPosition> {
    const until = performance.now() + WAIT_MS;
    while (this.#board.written().line < line && performance.now() < until) {
      Atomics.store(this.#cursors, CURSOR_ASKED, Atomics.load(this.#cursors, CURSOR_FOLDED));
      this.#bell.ring();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return this.position;
  }
}
