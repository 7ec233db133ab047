/**
 * Cuts: the spans of a record that do not belong into the log (refused, empty and control lines, neighbours of one
 * reason joined), from the fold to the archive. A ring of fixed entries beside the ring of records:
 *
 *   ┌──────┬────────┬────────┬───────┐
 *   │ from │ length │ reason │ lines │ × entries        from: offset in the record's payload
 *   └──────┴────────┴────────┴───────┘
 *
 * The fold writes the entries of a record before it moves `folded` past it, and their count into the record; the
 * archive reads them in the same order, so the cursors of the ring guard them too. An entry is free once `archived`
 * has passed its record: the fold waits while the archive holds more than the room allows. The entries of one record
 * always fit an empty ring, since a record of one read has at most one line for every byte of it.
 */

export const CUT_SILENT = -1; // an empty or a control line: cut out, and told to nobody

const WORDS_PER_CUT = 4;

export interface CutsMemory {
  readonly entries: number;
  readonly data: SharedArrayBuffer;
  /** [0]: entries that the archive has done with, modulo 2^32 */
  readonly done: SharedArrayBuffer;
}

/** @param entries a power of two, at least the lines that one record can hold */
export function allocateCuts(entries: number): CutsMemory {
  return {
    entries,
    data: new SharedArrayBuffer(entries * WORDS_PER_CUT * 4),
    done: new SharedArrayBuffer(8),
  };
}

export class CutsWriter {
  readonly #words: Int32Array;
  readonly #done: Int32Array;
  readonly #mask: number;
  readonly #entries: number;
  /** Entries written since the start of the process, the open one included. */
  #written: number;
  #first: number;
  #last = -1;

  /** @param written entries of the records already folded */
  constructor(memory: CutsMemory, written: number) {
    this.#words = new Int32Array(memory.data);
    this.#done = new Int32Array(memory.done);
    this.#mask = memory.entries - 1;
    this.#entries = memory.entries;
    this.#written = written;
    this.#first = written;
  }

  get written(): number {
    return this.#written;
  }

  beginRecord(): void {
    this.#first = this.#written;
    this.#last = -1;
  }

  /** Entries of the current record. */
  get count(): number {
    return this.#written - this.#first;
  }

  /** Whether one more entry may be written now; if not, wait until the archive has come further. */
  hasRoom(): boolean {
    return ((this.#written - Atomics.load(this.#done, 0)) | 0) < this.#entries;
  }

  /** Adds a span, or lengthens the last one if it touches it and is cut for the same reason. Needs `hasRoom()`. */
  cut(from: number, length: number, reason: number): void {
    const words = this.#words;
    if (this.#last >= 0) {
      const last = this.#last;
      if (words[last + 2] === reason && words[last]! + words[last + 1]! === from) {
        words[last + 1]! += length;
        words[last + 3]! += 1;
        return;
      }
    }
    const at = (this.#written & this.#mask) * WORDS_PER_CUT;
    words[at] = from;
    words[at + 1] = length;
    words[at + 2] = reason;
    words[at + 3] = 1;
    this.#last = at;
    this.#written += 1;
  }
}

export class CutsReader {
  readonly #words: Int32Array;
  readonly #done: Int32Array;
  readonly #mask: number;
  #read: number;
  #at = 0;

  constructor(memory: CutsMemory, read: number) {
    this.#words = new Int32Array(memory.data);
    this.#done = new Int32Array(memory.done);
    this.#mask = memory.entries - 1;
    this.#read = read;
  }

  get read(): number {
    return this.#read;
  }

  /** Steps to the next entry, which the record's count says is there. */
  next(): void {
    this.#at = (this.#read & this.#mask) * WORDS_PER_CUT;
    this.#read += 1;
  }

  get from(): number {
    return this.#words[this.#at]!;
  }

  get length(): number {
    return this.#words[this.#at + 1]!;
  }

  get reason(): number {
    return this.#words[this.#at + 2]!;
  }

  get lines(): number {
    return this.#words[this.#at + 3]!;
  }

  /** Frees everything read so far, once the records that it belongs to are archived. */
  free(read: number): void {
    Atomics.store(this.#done, 0, read | 0);
  }
}
