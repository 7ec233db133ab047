/**
 * Section 1 of a frame header: the records of the ring that brought the frame's lines. Each is two varints: its
 * accepted lines in this frame, and the µs since the arrival before it (the first: since the frame's first arrival).
 * Arrivals never go back within the log. A record without lines stands last where refused lines of a client, whose numbers
 * the frame tells, came after all of its lines.
 */

import assert from 'node:assert';
import type { FrameFacts } from './frame-header.js';
import { VARINT_BYTES_MAX, VarintCursor, writeVarint } from './varint.js';

/** Collects the records of the frame in work. Used again for every frame; its buffer grows and stays. */
export class FrameRecords {
  #bytes: Uint8Array = new Uint8Array(4096);
  #used = 0;
  #recordCount = 0;
  #lineCount = 0;
  #firstArrivalUs = 0;
  #lastArrivalUs = 0;

  get recordCount(): number {
    return this.#recordCount;
  }

  get lineCount(): number {
    return this.#lineCount;
  }

  /** Without records: the last arrival of the frame before. */
  get firstArrivalUs(): number {
    return this.#firstArrivalUs;
  }

  get lastArrivalUs(): number {
    return this.#lastArrivalUs;
  }

  /** A view, until the next `add` or `reset`. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  add(lineCount: number, arrivalUs: number): void {
    assert(lineCount >= 0 && arrivalUs >= this.#lastArrivalUs);
    if (this.#recordCount === 0) {
      this.#firstArrivalUs = arrivalUs;
      this.#lastArrivalUs = arrivalUs;
    }
    if (this.#used + 2 * VARINT_BYTES_MAX > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#used = writeVarint(this.#bytes, this.#used, lineCount);
    this.#used = writeVarint(this.#bytes, this.#used, arrivalUs - this.#lastArrivalUs);
    this.#lastArrivalUs = arrivalUs;
    this.#lineCount += lineCount;
    this.#recordCount++;
  }

  /** Begins the next frame. @param lastArrivalUs the log's last arrival so far; by default that of this frame */
  reset(lastArrivalUs = this.#lastArrivalUs): void {
    this.#used = 0;
    this.#recordCount = 0;
    this.#lineCount = 0;
    this.#firstArrivalUs = lastArrivalUs;
    this.#lastArrivalUs = lastArrivalUs;
  }
}

/** Goes through the records of a frame whose section is known to be right (`flawOfRecords`). */
export class RecordCursor {
  readonly #varints: VarintCursor;
  lineCount = 0;
  arrivalUs: number;

  constructor(facts: FrameFacts, records: Uint8Array) {
    this.#varints = new VarintCursor(records);
    this.arrivalUs = facts.firstArrivalUs;
  }

  /** @returns false after the last record; otherwise `lineCount` and `arrivalUs` are those of the next */
  next(): boolean {
    if (this.#varints.isAtEnd) return false;
    this.lineCount = this.#varints.next();
    this.arrivalUs += this.#varints.next();
    return !this.#varints.flawed;
  }
}

/** Whether the section agrees with the head of its frame. @returns null, or what is wrong */
export function flawOfRecords(facts: FrameFacts, records: Uint8Array): string | null {
  const varints = new VarintCursor(records);
  let lineCount = 0;
  let arrivalUs = facts.firstArrivalUs;
  while (!varints.isAtEnd) {
    lineCount += varints.next();
    arrivalUs += varints.next();
  }
  if (varints.flawed) return 'the records section holds a malformed number';
  if (lineCount !== facts.lineCount) {
    return `the records section counts ${lineCount} lines, the head ${facts.lineCount}`;
  }
  if (arrivalUs !== facts.lastArrivalUs) return 'the records section ends at another arrival than the head';
  return null;
}
