/**
 * Lists of the slots of one table that share a value (a status, a phase, an agent …), newest entry first.
 *
 *   head:  ┌────────┬────────┐ two words, anywhere in shared memory (of a table, or of an interned string: names.ts)
 *          │ newest │ length │
 *          └────────┴────────┘
 *   entry: words older, newer · a double, its number: larger than every number that entered the list before
 *
 * Only the fold writes, and only while the slot that enters or leaves is locked. So a reader that saw the shared value,
 * the number and `older` under one version of a slot's lock saw them while the slot stood in the list. `older` of a
 * slot also changes, without its lock, when its neighbour leaves: one word, right before and after. Nothing ever enters
 * between two entries, and numbers fall on the way: a reader who lost its place finds it again by the number
 * (query/list-walk.ts).
 */

import type { Doubles, Words } from '../model/memory.js';
import type { SlotTable } from './slot-table.js';

const NEWEST = 0;
const LENGTH = 1;

export class SlotList {
  readonly #words: Words;
  readonly #doubles: Doubles;
  readonly #slotWords: i32;
  readonly #slotDoubles: i32;
  readonly #older: i32;
  readonly #newer: i32;
  readonly #number: i32;

  /** @param links the word of `older` in a slot; that of `newer` follows @param number the double of the entry's number */
  constructor(table: SlotTable, links: i32, number: i32) {
    this.#words = table.words;
    this.#doubles = table.doubles;
    this.#slotWords = table.slotWords;
    this.#slotDoubles = table.slotDoubles;
    this.#older = links;
    this.#newer = links + 1;
    this.#number = number;
  }

  /** @param heads the memory of the head, which begins at word `at` */
  enter(heads: Words, at: i32, slot: i32, number: f64): void {
    const words = this.#words;
    const newest = heads[at + NEWEST]!;
    this.#doubles[slot * this.#slotDoubles + this.#number] = number;
    words[slot * this.#slotWords + this.#older] = newest;
    words[slot * this.#slotWords + this.#newer] = 0;
    if (newest !== 0) words[newest * this.#slotWords + this.#newer] = slot;
    heads[at + NEWEST] = slot;
    heads[at + LENGTH]! += 1;
  }

  leave(heads: Words, at: i32, slot: i32): void {
    const words = this.#words;
    const older = words[slot * this.#slotWords + this.#older]!;
    const newer = words[slot * this.#slotWords + this.#newer]!;
    if (older !== 0) words[older * this.#slotWords + this.#newer] = newer;
    if (newer !== 0) words[newer * this.#slotWords + this.#older] = older;
    else heads[at + NEWEST] = older;
    heads[at + LENGTH]! -= 1;
  }

  newest(heads: Words, at: i32): i32 {
    return heads[at + NEWEST]!;
  }

  length(heads: Words, at: i32): i32 {
    return heads[at + LENGTH]!;
  }

  older(slot: i32): i32 {
    return this.#words[slot * this.#slotWords + this.#older]!;
  }

  number(slot: i32): f64 {
    return this.#doubles[slot * this.#slotDoubles + this.#number]!;
  }
}
