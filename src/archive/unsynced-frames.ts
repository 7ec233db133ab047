/**
 * The frames that are written and not yet on the disk, as they are in the log: a copy in shared memory, out of which they
 * are written once more where the sync fails, also by a thread that takes over from a dead one. After a failed fdatasync
 * the system may take its own copy for clean, and show it or lose it as it likes ("fsyncgate", 2018).
 *
 * A circle of bytes, without a word of its own: a byte lies where its number, counted over all frames that this process
 * has written, says (`frameBytes` of the board). What lies between the durable number and the written one is not written over.
 */

import assert from 'node:assert';

/** Some hundred milliseconds at full load, so that no healthy disk is waited for. */
const CAPACITY_BYTES_MIN = 8 * 1024 * 1024;

export class UnsyncedFrames {
  readonly capacityBytes: number;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#bytes = new Uint8Array(memory);
    this.capacityBytes = memory.byteLength;
  }

  /** @param frameBytesMax the largest frame that can come */
  static allocate(frameBytesMax: number): SharedArrayBuffer {
    return new SharedArrayBuffer(Math.max(CAPACITY_BYTES_MIN, frameBytesMax));
  }

  /** Takes a part of a frame. @returns the number of the byte behind it */
  put(number: number, part: Uint8Array): number {
    const at = number % this.capacityBytes;
    const first = Math.min(part.length, this.capacityBytes - at);
    this.#bytes.set(part.subarray(0, first), at);
    this.#bytes.set(part.subarray(first), 0);
    return number + part.length;
  }

  /** The bytes with the numbers from `from` to before `to`, in one piece or in two. */
  parts(from: number, to: number): Uint8Array[] {
    assert(to - from <= this.capacityBytes);
    const at = from % this.capacityBytes;
    const first = Math.min(to - from, this.capacityBytes - at);
    const parts = [this.#bytes.subarray(at, at + first), this.#bytes.subarray(0, to - from - first)];
    return parts.filter(({ length }) => length > 0);
  }
}
