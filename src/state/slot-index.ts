/**
 * A hash index from 32-bit hashes to slot numbers: open addressing, linear probing, deletion by backward shift
 * (Knuth, TAOCP 3, 6.4, algorithm R), so no tombstones and the same bytes for the same history of the same entries.
 *
 *   ┌──────┬─────────┬─────────┬─────┐ ┌──────┬──────┐ ┌──────┬──────┐
 *   │ mask │ entries │ version │  …  │ │ hash │ slot │ │ hash │ slot │ …     slot 0: the place is empty
 *   └──────┴─────────┴─────────┴─────┘ └──────┴──────┘ └──────┴──────┘
 *     head, 64 bytes                     at most five eighths of mask + 1 places are taken
 *
 * The places in use begin few and double, up to what the memory holds: a small state stays in the cache, where the same
 * entries strewn over the whole of it would cost a miss each.
 *
 * Two keys of one hash stand beside each other; the caller compares the slot's key itself. While entries move (a deletion,
 * a doubling) `version` is odd, and afterwards another number: a reader in another thread that found nothing looks again
 * if it was odd or has changed (`settled`). What it found it verifies by the slot's own lock.
 */

import {
  copyOfWords,
  leastWord,
  loadAtomic,
  type MemoryPart,
  powerBelow,
  type Words,
  wordsOf,
} from '../model/memory.js';
import { stepVersion } from './sequence-lock.js';

const MASK = 0;
const ENTRIES = 1;
const VERSION = 2;
const HEAD_WORDS = 16;
const PLACES_MIN = 1024;

/** Bytes for an index of so many entries. */
export function slotIndexBytes(entries: f64): f64 {
  const places = 2 ** Math.ceil(Math.log2(Math.max((entries * 8) / 5, PLACES_MIN)));
  return HEAD_WORDS * 4 + places * 8;
}

export class SlotIndex {
  readonly #words: Words;
  readonly #placesMax: i32;

  constructor(memory: MemoryPart) {
    this.#words = wordsOf(memory);
    this.#placesMax = powerBelow((this.#words.length - HEAD_WORDS) >> 1);
    if (this.#words[MASK] === 0) this.#words[MASK] = leastWord(PLACES_MIN, this.#placesMax) - 1;
  }

  /** From the start of the memory; behind them are zeros. */
  get usedBytes(): f64 {
    return (HEAD_WORDS + ((this.#words[MASK]! as f64) + 1) * 2) * 4;
  }

  /** The first place at which an entry of this hash can stand. */
  home(hash: i32): i32 {
    return hash & this.#words[MASK]!;
  }

  next(place: i32): i32 {
    return (place + 1) & this.#words[MASK]!;
  }

  /** 0: the chain ends here. */
  slotAt(place: i32): i32 {
    return this.#words[HEAD_WORDS + place * 2 + 1]!;
  }

  hashAt(place: i32): i32 {
    return this.#words[HEAD_WORDS + place * 2]!;
  }

  insert(hash: i32, slot: i32): void {
    const words = this.#words;
    words[ENTRIES]! += 1;
    if (words[ENTRIES]! * 8 > (words[MASK]! + 1) * 5) this.#double();
    this.#place(hash, slot);
  }

  remove(hash: i32, slot: i32): void {
    const words = this.#words;
    const mask = words[MASK]!;
    let hole = hash & mask;
    while (words[HEAD_WORDS + hole * 2 + 1] !== slot) {
      if (words[HEAD_WORDS + hole * 2 + 1] === 0) return;
      hole = (hole + 1) & mask;
    }
    words[ENTRIES]! -= 1;
    stepVersion(this.#words, VERSION);
    let place = hole;
    for (;;) {
      place = (place + 1) & mask;
      const at = HEAD_WORDS + place * 2;
      if (words[at + 1] === 0) break;
      const home = words[at]! & mask;
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        words[HEAD_WORDS + hole * 2] = words[at]!;
        words[HEAD_WORDS + hole * 2 + 1] = words[at + 1]!;
        hole = place;
      }
    }
    words[HEAD_WORDS + hole * 2 + 1] = 0;
    words[HEAD_WORDS + hole * 2] = 0;
    stepVersion(this.#words, VERSION);
  }

  /** For readers: the version, or −1 while entries move. */
  settled(): i32 {
    const version = loadAtomic(this.#words, VERSION);
    return (version & 1) === 0 ? version : -1;
  }

  clear(): void {
    const version = this.#words[VERSION]!;
    this.#words.fill(0, 0, HEAD_WORDS + (this.#words[MASK]! + 1) * 2);
    this.#words[MASK] = leastWord(PLACES_MIN, this.#placesMax) - 1;
    this.#words[VERSION] = (version + 2) & 0x3fff_fffe;
  }

  #place(hash: i32, slot: i32): void {
    const words = this.#words;
    const mask = words[MASK]!;
    let at = HEAD_WORDS + (hash & mask) * 2;
    const end = HEAD_WORDS + (mask + 1) * 2;
    while (words[at + 1] !== 0) {
      at += 2;
      if (at === end) at = HEAD_WORDS;
    }
    // Slot last: a reader takes a place with a slot for whole.
    words[at] = hash;
    words[at + 1] = slot;
  }

  /** A pause of 30 ns an entry, some twenty times in the life of a state; the ring bridges it. */
  #double(): void {
    const words = this.#words;
    const places = words[MASK]! + 1;
    if (places === this.#placesMax) return;
    const entries = copyOfWords(words, HEAD_WORDS, places * 2);
    stepVersion(this.#words, VERSION);
    words.fill(0, HEAD_WORDS, HEAD_WORDS + places * 2);
    words[MASK] = places * 2 - 1;
    for (let i = 0; i < places * 2; i += 2) {
      if (entries[i + 1] !== 0) this.#place(entries[i]!, entries[i + 1]!);
    }
    stepVersion(this.#words, VERSION);
  }
}
