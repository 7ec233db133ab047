/** The writing end of the ring: one thread, which reserves, fills and publishes. Layout and memory order: layout.ts. */

import assert from 'node:assert/strict';
import { doublesOf, wordsOf } from '../model/memory.js';
import {
  CURSOR_ARCHIVED,
  CURSOR_PUBLISHED,
  KIND_PAD,
  positionOf,
  RECORD_ACCEPTED,
  RECORD_ARRIVED,
  RECORD_CLIENT,
  RECORD_CONNECTION,
  RECORD_CUTS,
  RECORD_HEADER_BYTES,
  RECORD_KIND,
  RECORD_LINE_BYTES,
  RECORD_LINES,
  RECORD_PAYLOAD_BYTES,
  RECORD_PAYLOAD_FROM,
  RECORD_SIZE,
  type RingMemory,
  recordBytesMax,
} from './layout.js';

export class RingWriter {
  /** The data of the ring: write the payload here, from what `tryReserve` returned. */
  readonly bytes: Uint8Array;
  readonly #cursors: Int32Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly capacityBytes: number;
  /** Position behind the last published record. */
  #published: number;
  #freed: number;
  #reservedAt = 0;
  #reservedEnd = 0;

  constructor(memory: RingMemory) {
    this.bytes = memory.data;
    this.#cursors = new Int32Array(memory.cursors);
    this.#words = wordsOf(memory.data);
    this.#doubles = doublesOf(memory.data);
    this.capacityBytes = memory.capacityBytes;
    this.#published = positionOf(Atomics.load(this.#cursors, CURSOR_PUBLISHED), memory.origin);
    this.#freed = this.#published;
  }

  get published(): number {
    return this.#published;
  }

  /** Bytes that the archive has not freed yet. */
  usedBytes(): number {
    this.#freed = positionOf(Atomics.load(this.#cursors, CURSOR_ARCHIVED), this.#published);
    return this.#published - this.#freed;
  }

  /** Whether a record of this payload surely finds room, wherever the ring's end lies. */
  hasRoom(payloadBytes: number): boolean {
    const worst = 2 * (RECORD_HEADER_BYTES + 16 + payloadBytes);
    if (this.capacityBytes - (this.#published - this.#freed) >= worst) return true;
    return this.capacityBytes - this.usedBytes() >= worst;
  }

  /**
   * Takes room for one record and returns the offset in `bytes` at which its payload begins, or -1 if there is none.
   * @param phase the payload's offset modulo 8
   */
  tryReserve(payloadBytes: number, phase: number): number {
    const size = (RECORD_HEADER_BYTES + phase + payloadBytes + 7) & ~7;
    assert(size <= recordBytesMax(this.capacityBytes), 'a record is larger than half the ring');
    const offset = (this.#published | 0) & (this.capacityBytes - 1);
    const toEnd = this.capacityBytes - offset;
    const pad = toEnd < size ? toEnd : 0;
    if (this.capacityBytes - (this.#published - this.#freed) < pad + size) {
      if (this.capacityBytes - this.usedBytes() < pad + size) return -1;
    }
    let at = offset;
    if (pad > 0) {
      this.#words[offset >> 2] = pad;
      this.#words[(offset >> 2) + RECORD_KIND] = KIND_PAD;
      at = 0;
    }
    this.#words[(at >> 2) + RECORD_SIZE] = size;
    this.#reservedAt = at;
    this.#reservedEnd = this.#published + pad + size;
    return at + RECORD_HEADER_BYTES + phase;
  }

  /**
   * Makes the reserved record visible. A payload shorter than reserved is allowed.
   * @param lineBytes length of an over-long line, below 2^31
   */
  publish(
    kind: number,
    connection: number,
    payloadFrom: number,
    payloadBytes: number,
    lines: number,
    arrivedUs: number,
    lineBytes = 0,
  ): void {
    const at = this.#reservedAt;
    const word = at >> 2;
    this.#words[word + RECORD_KIND] = kind;
    this.#words[word + RECORD_CONNECTION] = connection;
    this.#words[word + RECORD_PAYLOAD_FROM] = payloadFrom - at;
    this.#words[word + RECORD_PAYLOAD_BYTES] = payloadBytes;
    this.#words[word + RECORD_LINES] = lines;
    this.#words[word + RECORD_ACCEPTED] = 0;
    this.#words[word + RECORD_CUTS] = 0;
    this.#words[word + RECORD_CLIENT] = 0;
    this.#words[word + RECORD_LINE_BYTES] = lineBytes;
    this.#doubles[(at >> 3) + RECORD_ARRIVED] = arrivedUs;
    this.#published = this.#reservedEnd;
    Atomics.store(this.#cursors, CURSOR_PUBLISHED, this.#published | 0);
  }
}
