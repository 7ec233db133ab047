/**
 * Slots of one size in shared memory: taken from a free list, else from the bottom up, so that used memory stays dense.
 * Slot 0 is the table's head, and as a number means "none".
 *
 *   ┌──────────────────────────┬────────┬────────┬───── untouched ─────┐
 *   │ head: top, free, used, … │ slot 1 │ slot 2 │                     │
 *   └──────────────────────────┴────────┴────────┴─────────────────────┘
 *
 * The first word of a slot is its sequence lock (layout.ts).
 */

import {
  type Doubles,
  doublesOf,
  loadAtomic,
  type MemoryPart,
  mostWord,
  toWord,
  type Words,
  wordsOf,
} from '../model/memory.js';
import { stepVersion } from './sequence-lock.js';

const TOP = 1;
const FREE = 2;
const USED = 3;
/** Words of the head from here on belong to the table that uses the slots. */
export const HEAD_OWN = 4;

/** A word of a slot, or a double, and what to call it. */
export type WordName = readonly [at: number, name: string];

/**
 * How slots compare between two states in which they lie in other places: by what they say, not by where it lies. A word that
 * stands in none of the lists is compared as the number that it is, so a new one is compared from its first day.
 */
export interface SlotFields {
  /** Words that refer to a name: compared by its text. The first is 0 in a slot that is not in use. */
  readonly names: readonly WordName[];
  /** Words that say where something lies: lock, hash, links. */
  readonly places: readonly number[];
  /** What to call the others, by word. */
  readonly words: readonly WordName[];
  /** And those of eight bytes, by double. */
  readonly doubles: readonly WordName[];
}

export class SlotTable {
  readonly words: Words;
  readonly doubles: Doubles;
  readonly slotWords: i32;
  readonly slotDoubles: i32;
  readonly #usedMax: i32;
  #usedLimit: i32;

  constructor(memory: MemoryPart, slotBytes: i32) {
    this.words = wordsOf(memory);
    this.doubles = doublesOf(memory);
    this.slotWords = slotBytes >> 2;
    this.slotDoubles = slotBytes >> 3;
    this.#usedMax = toWord(Math.floor(memory.byteLength / slotBytes)) - 1;
    this.#usedLimit = this.#usedMax;
    if (this.words[TOP] === 0) this.words[TOP] = 1;
  }

  get used(): i32 {
    return this.words[USED]!;
  }

  /** So many slots, the head among them, may be in use, of those that the memory has (limits.ts). */
  setLimit(slots: f64): void {
    this.#usedLimit = toWord(Math.min(this.#usedMax, slots - 1));
  }

  /** Slots that `take` can still give. */
  get free(): i32 {
    return mostWord(0, this.#usedLimit - this.words[USED]!);
  }

  /** Slots below this have been used at some time. */
  get top(): i32 {
    return this.words[TOP]!;
  }

  /** From the start of the memory; behind them are zeros. */
  get usedBytes(): f64 {
    return (this.top as f64) * this.slotWords * 4;
  }

  /** @returns a slot whose words are all 0 but the lock, or 0 if there is none */
  take(): i32 {
    const words = this.words;
    if (words[USED]! >= this.#usedLimit) return 0;
    let slot = words[FREE]!;
    if (slot !== 0) {
      const at = slot * this.slotWords;
      words[FREE] = words[at + 1]!;
      words[at + 1] = 0;
    } else {
      slot = words[TOP]!;
      words[TOP] = slot + 1;
    }
    words[USED]! += 1;
    return slot;
  }

  give(slot: i32): void {
    const at = slot * this.slotWords;
    this.lock(slot);
    // A loop: `fill` is a call out of the compiled code, and costs more than these few words.
    for (let i = at + 1; i < at + this.slotWords; i++) this.words[i] = 0;
    this.words[at + 1] = this.words[FREE]!;
    this.words[FREE] = slot;
    this.words[USED]! -= 1;
    this.unlock(slot);
  }

  lock(slot: i32): void {
    stepVersion(this.words, slot * this.slotWords);
  }

  unlock(slot: i32): void {
    stepVersion(this.words, slot * this.slotWords);
  }

  /** For readers: the lock's number, or -1 while the fold changes the slot. */
  version(slot: i32): i32 {
    const version = loadAtomic(this.words, slot * this.slotWords);
    return (version & 1) === 0 ? version : -1;
  }

  clear(): void {
    this.words.fill(0, 0, this.top * this.slotWords);
    this.words[TOP] = 1;
  }
}
