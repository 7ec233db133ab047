/**
 * Whole numbers from 0 to 2^53 − 1 in 1 to 8 bytes: unsigned LEB128, 7 bits a byte, the lowest first, the high bit
 * set on all bytes but the last.
 */

import assert from 'node:assert';

export const VARINT_BYTES_MAX = 8;

/** Writes `value` at `at`, where there must be room for `VARINT_BYTES_MAX` bytes. @returns the offset after it */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let i = at;
  // Above 2^31 the bit operators would cut the value.
  while (rest > 0x7fffffff) {
    bytes[i++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest > 127) {
    bytes[i++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[i++] = rest;
  return i;
}

export function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) count++;
  return count;
}

/** Reads one number after the other. What is cut off, too long or above 2^53 − 1 is told by `flawed`, and reads as 0. */
export class VarintCursor {
  readonly #bytes: Uint8Array;
  #at = 0;
  #flawed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#flawed || this.#at >= this.#bytes.length;
  }

  get flawed(): boolean {
    return this.#flawed;
  }

  next(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < VARINT_BYTES_MAX && at < bytes.length; i++) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) {
        this.#at = at;
        // A last byte of 0 says nothing: each number has one spelling only.
        if (value > Number.MAX_SAFE_INTEGER || (byte === 0 && i > 0)) break;
        return value;
      }
      scale *= 128;
    }
    this.#flawed = true;
    return 0;
  }

  /** The next `count` bytes as they stand: a view. */
  take(count: number): Uint8Array {
    assert(count >= 0);
    if (count > this.#bytes.length - this.#at) {
      this.#flawed = true;
      return this.#bytes.subarray(0, 0);
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}
