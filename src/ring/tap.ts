/**
 * A tap: an onlooker that copies folded records out of the ring. It is no gate: it moves no cursor, nobody waits for it, and
 * the writer knows nothing of it. So a record may be written over while it is copied, and is looked at only after a
 * check that it was not:
 *
 *     position                      folded        published
 *        ├──── copied ────┐            │              ├─ reserved ─┐
 *   ─────┴────────────────┴────────────┴──────────────┴────────────┴───▶
 *        ◀──────────────────── capacity ──────────────────────────▶
 *
 * Bytes at a position are written over by what lies `capacity` further on. The writer makes plain stores only up to the end
 * of the record that it has reserved, which is at most two records (a pad and the record) behind `published`. So a
 * copy is whole if, after it was taken, `published` and two of the largest records are still within `capacity` of its
 * position; or if `archived` has not passed it, since up to there the writer has no room.
 *
 * Memory order: the copy, a full fence, then the load of `published`. A store that the copy has seen was made after the
 * store of an older `published`, so the load sees that one or a newer (x86 keeps both orders, as sequence-lock.ts says).
 * A stale view of `folded` shows fewer records than there are.
 */

import { wordsOf } from '../model/memory.js';
import {
  CURSOR_ARCHIVED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  KIND_PAD,
  positionOf,
  RECORD_ACCEPTED,
  RECORD_CUTS,
  RECORD_HEADER_BYTES,
  RECORD_KIND,
  RECORD_PAYLOAD_BYTES,
  RECORD_PAYLOAD_FROM,
  RECORD_SIZE,
  type RingMemory,
} from './layout.js';

/** No record beyond the current one is folded yet. */
export const TAP_EMPTY = 0;
/** The next record is copied, and whole. */
export const TAP_TAKEN = 1;
/** The next record has been written over, or may have been. Only `seek` goes on from there. */
export const TAP_LAPPED = 2;

const FIRST_BYTES = 64 * 1024;
/** Behind the payload, for readers that look a few bytes ahead. */
export const TAP_SPARE_BYTES = 64;

export class RingTap {
  /** The record that was taken last; another array when a larger one was needed. */
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  /** Position behind that record. */
  end = 0;
  readonly #shared: Uint8Array;
  readonly #sharedWords: Int32Array;
  readonly #cursors: Int32Array;
  readonly #capacityBytes: number;
  readonly #reservedBytesMax: number;
  readonly #fence = new Int32Array(new SharedArrayBuffer(4));
  #words = new Int32Array(this.bytes.buffer);
  #folded = 0;

  /** @param payloadBytesMax the most that the writer reserves for one record */
  constructor(memory: RingMemory, payloadBytesMax: number) {
    this.#shared = memory.data;
    this.#sharedWords = wordsOf(memory.data);
    this.#cursors = new Int32Array(memory.cursors);
    this.#capacityBytes = memory.capacityBytes;
    this.#reservedBytesMax = 2 * (RECORD_HEADER_BYTES + 16 + payloadBytesMax);
  }

  /** Goes on at the beginning of a record. */
  seek(position: number): void {
    this.end = position;
  }

  /** Looks how far the fold is. @param near a position that is less than 2^31 away from there */
  look(near: number): void {
    this.#folded = positionOf(Atomics.load(this.#cursors, CURSOR_FOLDED), near);
  }

  /** Takes the next record of those that were folded at the last look. */
  tryTake(): number {
    return this.#tryTake(false);
  }

  /** The same without the payload. */
  tryTakeHeader(): number {
    return this.#tryTake(true);
  }

  get kind(): number {
    return this.#words[RECORD_KIND]!;
  }

  /** Offset in `bytes`. */
  get payloadFrom(): number {
    return this.#words[RECORD_PAYLOAD_FROM]!;
  }

  get payloadBytes(): number {
    return this.#words[RECORD_PAYLOAD_BYTES]!;
  }

  /** What the fold said of the record. */
  get accepted(): number {
    return this.#words[RECORD_ACCEPTED]!;
  }

  get cuts(): number {
    return this.#words[RECORD_CUTS]!;
  }

  #tryTake(headerOnly: boolean): number {
    const position = this.end;
    if (position >= this.#folded) return TAP_EMPTY;
    let offset = position % this.#capacityBytes;
    let pad = 0;
    if (this.#sharedWords[(offset >> 2) + RECORD_KIND] === KIND_PAD) {
      pad = this.#capacityBytes - offset;
      offset = 0;
    }
    const size = this.#sharedWords[(offset >> 2) + RECORD_SIZE]!;
    // Such a size is another record's payload. All others are checked below.
    if (size < RECORD_HEADER_BYTES || size > this.#capacityBytes - offset) return TAP_LAPPED;
    this.#copy(offset, headerOnly ? RECORD_HEADER_BYTES : size);
    if (!this.#isWhole(position)) return TAP_LAPPED;
    this.end = position + pad + size;
    return TAP_TAKEN;
  }

  /** To a multiple of 8 from a multiple of 8: the phases match (layout.ts). */
  #copy(offset: number, size: number): void {
    if (this.bytes.length < size + TAP_SPARE_BYTES) {
      this.bytes = new Uint8Array(2 * size + TAP_SPARE_BYTES);
      this.#words = new Int32Array(this.bytes.buffer, 0, this.bytes.length >> 2);
    }
    this.bytes.set(this.#shared.subarray(offset, offset + size));
  }

  #isWhole(position: number): boolean {
    Atomics.exchange(this.#fence, 0, 0);
    const published = positionOf(Atomics.load(this.#cursors, CURSOR_PUBLISHED), this.#folded);
    const safeFrom = published + this.#reservedBytesMax - this.#capacityBytes;
    // Behind `folded` it can only seem to be: this thread has slept for more than 2^31 bytes.
    if (published >= this.#folded && safeFrom <= position) return true;
    const archived = positionOf(Atomics.load(this.#cursors, CURSOR_ARCHIVED), this.#folded);
    return archived <= position;
  }
}
