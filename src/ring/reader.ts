/**
 * A reading end of the ring: follows one cursor (its gate) record by record and moves another (its own). The fold
 * follows `published`, the archive follows `folded`. Layout and memory order: layout.ts.
 */

import { doublesOf, wordsOf } from '../model/memory.js';
import {
  KIND_PAD,
  positionOf,
  RECORD_ACCEPTED,
  RECORD_ARRIVED,
  RECORD_CLIENT,
  RECORD_CLIENT_LINE,
  RECORD_CONNECTION,
  RECORD_CUTS,
  RECORD_KIND,
  RECORD_LINE_BYTES,
  RECORD_LINES,
  RECORD_PAYLOAD_BYTES,
  RECORD_PAYLOAD_FROM,
  RECORD_SIZE,
  type RingMemory,
} from './layout.js';

export class RingReader {
  readonly bytes: Uint8Array;
  readonly memory: RingMemory;
  readonly cursors: Int32Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #gate: number;
  readonly #capacityBytes: number;
  /** Position of the current record, and behind it. */
  position: number;
  end: number;
  #known: number;
  #word = 0;

  /**
   * @param gate the cursor that bounds what may be read
   * @param position of the first record to read
   */
  constructor(memory: RingMemory, gate: number, position: number) {
    this.memory = memory;
    this.bytes = memory.data;
    this.cursors = new Int32Array(memory.cursors);
    this.#words = wordsOf(memory.data);
    this.#doubles = doublesOf(memory.data);
    this.#gate = gate;
    this.#capacityBytes = memory.capacityBytes;
    this.position = position;
    this.end = position;
    this.#known = position;
  }

  /** Whether a record lies beyond the current one, without a step. */
  hasNext(): boolean {
    return this.end < this.#known || this.end < this.gatePosition();
  }

  /** Where the gate stands, freshly read. */
  gatePosition(): number {
    this.#known = positionOf(Atomics.load(this.cursors, this.#gate), this.end);
    return this.#known;
  }

  /** Steps to the next record. Pads are passed over, but stay inside [position, end). False: none there yet. */
  tryNext(): boolean {
    if (!this.hasNext()) return false;
    this.position = this.end;
    let offset = (this.end | 0) & (this.#capacityBytes - 1);
    if (this.#words[(offset >> 2) + RECORD_KIND] === KIND_PAD) {
      // A pad is published together with the record behind it, so that one is there.
      this.end += this.#words[offset >> 2]!;
      offset = 0;
    }
    this.#word = offset >> 2;
    this.end += this.#words[this.#word + RECORD_SIZE]!;
    return true;
  }

  get kind(): number {
    return this.#words[this.#word + RECORD_KIND]!;
  }

  get connection(): number {
    return this.#words[this.#word + RECORD_CONNECTION]!;
  }

  /** Offset in `bytes`. */
  get payloadFrom(): number {
    return this.#word * 4 + this.#words[this.#word + RECORD_PAYLOAD_FROM]!;
  }

  get payloadBytes(): number {
    return this.#words[this.#word + RECORD_PAYLOAD_BYTES]!;
  }

  get lines(): number {
    return this.#words[this.#word + RECORD_LINES]!;
  }

  get arrivedUs(): number {
    return this.#doubles[(this.#word >> 1) + RECORD_ARRIVED]!;
  }

  get accepted(): number {
    return this.#words[this.#word + RECORD_ACCEPTED]!;
  }

  get cuts(): number {
    return this.#words[this.#word + RECORD_CUTS]!;
  }

  /** Slot of the client of which lines counted in this record; 0: none. */
  get client(): number {
    return this.#words[this.#word + RECORD_CLIENT]!;
  }

  /** That client's number of its last line so far. */
  get clientLine(): number {
    return this.#doubles[(this.#word >> 1) + RECORD_CLIENT_LINE]!;
  }

  /** Of an over-long line: its whole length, or the largest number that the field holds. */
  get lineBytes(): number {
    return this.#words[this.#word + RECORD_LINE_BYTES]!;
  }

  /** The fold's word to the archive on the current record. */
  setOutcome(accepted: number, cuts: number, client: number, clientLine: number): void {
    this.#words[this.#word + RECORD_ACCEPTED] = accepted;
    this.#words[this.#word + RECORD_CUTS] = cuts;
    this.#words[this.#word + RECORD_CLIENT] = client;
    this.#doubles[(this.#word >> 1) + RECORD_CLIENT_LINE] = clientLine;
  }
}
