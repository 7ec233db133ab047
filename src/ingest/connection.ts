/**
 * One connection: cuts what it reads into whole lines and puts them into the ring. A half line waits in the carry, which is
 * bounded by the longest line allowed; what is longer is thrown away up to its end and said as one refused line.
 */

import { KIND_CLOSE, KIND_LINES, KIND_TAIL, KIND_TOO_LONG, KIND_TOO_LONG_TAIL } from '../ring/layout.js';
import type { Ledger } from '../ring/ledger.js';
import type { RingWriter } from '../ring/writer.js';
import { countLineEnds } from './line-count.js';

const LINE_END = 10;
/** How much of an over-long line is kept to show what it was. */
const TOO_LONG_KEPT_BYTES = 1024;
const CARRY_FIRST_BYTES = 1024;
/** What the ring can say of the length of a line. */
const LINE_BYTES_MAX = 2 ** 31 - 1;

/** What all connections of a server share. */
export interface ConnectionHost {
  readonly ring: RingWriter;
  readonly ledger: Ledger;
  readonly now: () => number;
  readonly maxLineBytes: number;
  /** Called after records were published. */
  readonly published: () => void;
}

export class LineCollector {
  readonly slot: number;
  readonly #host: ConnectionHost;
  #carry: Uint8Array = new Uint8Array(0);
  #carryBytes = 0;
  /** Inside an over-long line, whose beginning is in the carry. */
  #tooLong = false;
  /** Of that line, so far. */
  #lineBytes = 0;

  constructor(slot: number, host: ConnectionHost) {
    this.slot = slot;
    this.#host = host;
  }

  /** Bytes of the half line that waits. */
  get carriedBytes(): number {
    return this.#carryBytes;
  }

  /**
   * Takes what a read has brought. The ring must have room for carry and chunk.
   * @param words the chunk's memory in words; `bytes` begins at its offset 0
   */
  take(bytes: Uint8Array, words: Int32Array, length: number): void {
    const host = this.#host;
    host.ledger.countRead(this.slot, 0, length);
    let from = 0;
    if (this.#tooLong) {
      const end = bytes.subarray(0, length).indexOf(LINE_END);
      this.#lineBytes += end < 0 ? length : end;
      if (end < 0) return;
      this.#publishTooLong(KIND_TOO_LONG);
      from = end + 1;
    }
    const last = bytes.subarray(from, length).lastIndexOf(LINE_END);
    if (last >= 0) {
      const to = from + last + 1;
      this.#publishLines(bytes, from, to, countLineEnds(bytes, words, from, to));
      from = to;
    }
    if (from < length) this.#keep(bytes, from, length);
  }

  /** The client has closed: its last line may have no end. @param keepTail false where the daemon ended the connection */
  end(keepTail: boolean): void {
    const { ring, ledger } = this.#host;
    if (this.#tooLong && keepTail) {
      this.#publishTooLong(KIND_TOO_LONG_TAIL);
    } else if (this.#carryBytes > 0 && keepTail) {
      const at = this.#reserve(this.#carryBytes + 1, 0);
      ring.bytes.set(this.#carry.subarray(0, this.#carryBytes), at);
      ring.bytes[at + this.#carryBytes] = LINE_END;
      ledger.countRead(this.slot, 1, 0);
      ring.publish(KIND_TAIL, this.slot, at, this.#carryBytes + 1, 1, this.#host.now());
    }
    this.#carryBytes = 0;
    const at = this.#reserve(0, 0);
    ring.publish(KIND_CLOSE, this.slot, at, 0, 0, this.#host.now());
    this.#host.published();
  }

  /** The ring's room was asked for before the read, so here it is there. */
  #reserve(bytes: number, phase: number): number {
    const at = this.#host.ring.tryReserve(bytes, phase);
    if (at < 0) throw new Error(`the ring has no room for a record of ${bytes} bytes that it had room for`);
    return at;
  }

  #publishLines(bytes: Uint8Array, chunkFrom: number, to: number, chunkLines: number): void {
    const { ring, ledger } = this.#host;
    let from = chunkFrom;
    let lines = chunkLines;
    if (this.#carryBytes > 0) {
      const lineEnd = bytes.indexOf(LINE_END, from);
      if (this.#carryBytes + lineEnd - from > this.#host.maxLineBytes) {
        // Its end is here: the line is too long only by what this read has brought.
        this.#lineBytes = this.#carryBytes + lineEnd - from;
        this.#publishTooLong(KIND_TOO_LONG);
        from = lineEnd + 1;
        lines--;
        if (from >= to) return;
      }
    }
    const carried = this.#carryBytes;
    const phase = (from - carried) & 7;
    const at = this.#reserve(carried + to - from, phase);
    if (carried > 0) ring.bytes.set(this.#carry.subarray(0, carried), at);
    ring.bytes.set(bytes.subarray(from, to), at + carried);
    this.#carryBytes = 0;
    ledger.countRead(this.slot, lines, 0);
    ring.publish(KIND_LINES, this.slot, at, carried + to - from, lines, this.#host.now());
    this.#host.published();
  }

  /** Says the over-long line, of which the carry has the beginning. */
  #publishTooLong(kind: typeof KIND_TOO_LONG | typeof KIND_TOO_LONG_TAIL): void {
    const { ring, ledger } = this.#host;
    const kept = Math.min(this.#carryBytes, TOO_LONG_KEPT_BYTES);
    const at = this.#reserve(kept, 0);
    ring.bytes.set(this.#carry.subarray(0, kept), at);
    this.#tooLong = false;
    this.#carryBytes = 0;
    this.#carry = new Uint8Array(0);
    ledger.countRead(this.slot, 1, 0);
    const lineBytes = Math.min(this.#lineBytes, LINE_BYTES_MAX);
    ring.publish(kind, this.slot, at, kept, 1, this.#host.now(), lineBytes);
    this.#host.published();
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    const { maxLineBytes } = this.#host;
    const wanted = this.#carryBytes + to - from;
    if (wanted > maxLineBytes) {
      this.#tooLong = true;
      this.#lineBytes = wanted;
      if (this.#carryBytes < TOO_LONG_KEPT_BYTES) {
        this.#append(bytes, from, Math.min(to, from + TOO_LONG_KEPT_BYTES - this.#carryBytes));
      }
      this.#carryBytes = Math.min(this.#carryBytes, TOO_LONG_KEPT_BYTES);
      this.#carry = this.#carry.slice(0, this.#carryBytes);
      return;
    }
    this.#append(bytes, from, to);
  }

  #append(bytes: Uint8Array, from: number, to: number): void {
    const wanted = this.#carryBytes + to - from;
    if (wanted > this.#carry.length) {
      const size = Math.max(CARRY_FIRST_BYTES, Math.min(wanted * 2, this.#host.maxLineBytes));
      const larger = new Uint8Array(Math.max(size, wanted));
      larger.set(this.#carry.subarray(0, this.#carryBytes));
      this.#carry = larger;
    }
    this.#carry.set(bytes.subarray(from, to), this.#carryBytes);
    this.#carryBytes = wanted;
  }
}
