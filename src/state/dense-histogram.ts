/**
 * A histogram of one thread's own, in which several are added up: a counter for every bucket there can be, by
 * its key, so in the order of the values (histogram.ts). A bit for each counter that is not 0 makes walking and clearing cost what is in it, and not what could be.
 */

import { type Doubles, mostWord, ownDoubles, ownWords, type Words } from '../model/memory.js';
import { KEYS, keyOfBucket, OCTAVE_MAX } from './histogram.js';

const MASKS = KEYS >> 5;

export class DenseHistogram {
  readonly counts: Doubles = ownDoubles(KEYS);
  readonly #masks: Words = ownWords(MASKS);
  /** Masks outside of these are 0. */
  #lowest: i32 = MASKS;
  #highest: i32 = -1;

  /** @param key below KEYS; a torn read may bring another one, which is not counted */
  add(key: i32, count: f64): void {
    if (key < 0 || key >= KEYS) return;
    const mask = key >> 5;
    this.#masks[mask]! |= 1 << (key & 31);
    if (mask < this.#lowest) this.#lowest = mask;
    if (mask > this.#highest) this.#highest = mask;
    this.counts[key]! += count;
  }

  /**
   * Adds the counters of one octave: one word of the mask, and no look at counters that are 0.
   * @param octave and `mask` as in a block (histogram.ts) @param from of its 32 counters
   */
  addOctave(octave: i32, mask: i32, source: Doubles, from: i32): void {
    const key = keyOfBucket(octave << 5);
    if (octave > OCTAVE_MAX || key < 0 || key >= KEYS) {
      this.#addMirrored(key, mask, source, from);
      return;
    }
    const { counts } = this;
    for (let bits = mask; bits !== 0; bits &= bits - 1) {
      const i = 31 - Math.clz32(bits & -bits);
      counts[key + i]! += source[from + i]!;
    }
    const word = key >> 5;
    this.#masks[word]! |= mask;
    if (word < this.#lowest) this.#lowest = word;
    if (word > this.#highest) this.#highest = word;
  }

  #addMirrored(key: i32, mask: i32, source: Doubles, from: i32): void {
    for (let bits = mask; bits !== 0; bits &= bits - 1) {
      const i = 31 - Math.clz32(bits & -bits);
      this.add(key - i, source[from + i]!);
    }
  }

  addAll(other: DenseHistogram): void {
    for (let key = other.next(-1); key >= 0; key = other.next(key)) this.add(key, other.counts[key]!);
  }

  /** The first key behind this one whose counter is not 0; −1: there is none. Begin with −1. */
  next(key: i32): i32 {
    let mask = mostWord((key + 1) >> 5, this.#lowest);
    if (mask > this.#highest) return -1;
    let bits = this.#masks[mask]!;
    if (mask === (key + 1) >> 5) bits &= -1 << ((key + 1) & 31);
    while (bits === 0) {
      if (++mask > this.#highest) return -1;
      bits = this.#masks[mask]!;
    }
    return (mask << 5) + 31 - Math.clz32(bits & -bits);
  }

  total(): f64 {
    let sum: f64 = 0;
    for (let key = this.next(-1); key >= 0; key = this.next(key)) sum += this.counts[key]!;
    return sum;
  }

  clear(): void {
    for (let key = this.next(-1); key >= 0; key = this.next(key)) this.counts[key] = 0;
    for (let mask = this.#lowest; mask <= this.#highest; mask++) this.#masks[mask] = 0;
    this.#lowest = MASKS;
    this.#highest = -1;
  }
}
