/**
 * Texts of workflows and tasks (request, description, output, error). They are not state: state keeps the number of the
 * line that brought one, and the line is read out of the archive.
 */

import { ArchiveBoard } from '../archive/board.js';
import { readLines } from '../archive/line-lookup.js';
import { parseAcceptedLine } from '../decode/field-text.js';
import { Bell } from '../ring/bell.js';
import { CURSOR_ASKED, CURSOR_FOLDED, type RingMemory } from '../ring/layout.js';

export interface TextsMemory {
  readonly ring: RingMemory;
  readonly archiveBoard: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
}

/** How long the archive may take to close a frame that a query waits for. A disk that holds it longer gives null texts. */
const WAIT_MS = 1000;
const POLL_MS = 1;

export type Line = Record<string, unknown>;

export class Texts {
  readonly #cursors: Int32Array;
  readonly #board: ArchiveBoard;
  readonly #bell: Bell;
  readonly #directory: string;

  constructor(memory: TextsMemory, directory: string) {
    this.#cursors = new Int32Array(memory.ring.cursors);
    this.#board = new ArchiveBoard(memory.archiveBoard);
    this.#bell = new Bell(memory.archiveBell);
    this.#directory = directory;
  }

  /** The lines of these numbers, parsed; one that is not there any more is left out. 0 stands for none. */
  async lines(numbers: Iterable<number>): Promise<Map<number, Line>> {
    const wanted = [...new Set(numbers)].filter((line) => line > 0).sort((a, b) => a - b);
    if (wanted.length === 0) return new Map();
    await this.#written(wanted.at(-1)!);
    const { segment, segmentBytes } = this.#board.written();
    const found = await readLines(this.#directory, wanted, { upTo: { segment, offset: segmentBytes } });
    return new Map([...found].map(([line, bytes]) => [line, parseAcceptedLine(bytes)]));
  }

  /** Asks the archive to close the frame of a line that is folded, and waits for it. */
  async #written(line: number): Promise<void> {
    const until = performance.now() + WAIT_MS;
    while (this.#board.written().line < line && performance.now() < until) {
      Atomics.store(this.#cursors, CURSOR_ASKED, Atomics.load(this.#cursors, CURSOR_FOLDED));
      this.#bell.ring();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
