/**
 * A walk along a list of slots (state/slot-list.ts) that the fold changes meanwhile: whatever stands in the list from the
 * walk's start to its end is met exactly once, and what enters or leaves meanwhile at most once.
 *
 * That holds since entries are numbered in the order in which they entered, and nothing enters between two of them. An entry
 * is taken for the next one when it was seen, under the lock of its slot, to stand in the list, and its predecessor, after
 * that and under its own lock, to stand there still and to point at it. When the predecessor has left, the walk goes back to
 * an entry that it met before and that still stands, in the end to the head, and passes over the numbers that it has had.
 * A cursor is the last entry met: where the next page goes on, by the same rule.
 */

import { readSlot } from '../state/tables.js';

export interface WalkedList {
  readonly table: { version(slot: number): number; readonly top: number };
  /** −1: numbers fall along the list; 1: they rise. */
  readonly order: -1 | 1;
  /** 0: the list is empty. */
  first(): number;
  next(slot: number): number;
  has(slot: number): boolean;
  number(slot: number): number;
}

export interface Entry {
  readonly slot: number;
  readonly number: number;
}

/** A list in which the fold moves entries faster than a walk can follow ends the page early; its cursor is right. */
const TRIES = 1000;
/** Entries to go back to. */
const ANCHORS_MAX = 2048;

export class ListWalk<T> {
  /** The last entry met. */
  last: Entry | null;
  /** Whether the end of the list was reached. */
  ended = false;
  readonly #list: WalkedList;
  readonly #read: (slot: number) => T | null;
  #anchors: Entry[];
  #tries = 0;

  /** @param read what is wanted of an entry, called under its slot's lock; null: nothing */
  constructor(list: WalkedList, after: Entry | null, read: (slot: number) => T | null) {
    this.#list = list;
    this.#read = read;
    this.last = after;
    this.#anchors = after === null ? [] : [after];
  }

  /** What `read` says of the next entry: null where it wants nothing of it; undefined: there is none, or it cannot be told. */
  next(): T | null | undefined {
    const list = this.#list;
    while (this.#tries < TRIES) {
      const anchor = this.#anchors.at(-1);
      const slot = this.#after(anchor);
      if (slot === undefined) {
        this.#anchors.pop();
        continue;
      }
      if (slot === 0) {
        this.ended = true;
        return undefined;
      }
      const found = this.#entry(slot);
      if (found === null || this.#after(anchor) !== slot) {
        this.#tries++;
        continue;
      }
      const isNew = this.last === null || (found.number - this.last.number) * list.order > 0;
      this.#anchors.push({ slot, number: found.number });
      if (this.#anchors.length > ANCHORS_MAX) this.#anchors = this.#anchors.slice(ANCHORS_MAX / 2);
      if (!isNew) continue;
      this.last = this.#anchors.at(-1)!;
      return found.value;
    }
    return undefined;
  }

  /** What follows an entry; 0: nothing; undefined: it has left the list. @param anchor undefined: the head */
  #after(anchor: Entry | undefined): number | undefined {
    const list = this.#list;
    if (anchor === undefined) return list.first();
    const { slot, number } = anchor;
    if (!this.#exists(slot)) return undefined;
    const read = () => (list.has(slot) && list.number(slot) === number ? list.next(slot) : undefined);
    return readSlot(list.table, slot, read);
  }

  #entry(slot: number): { number: number; value: T | null } | null {
    const list = this.#list;
    if (!this.#exists(slot)) return null;
    const read = () => (list.has(slot) ? { number: list.number(slot), value: this.#read(slot) } : null);
    return readSlot(list.table, slot, read) ?? null;
  }

  /** Numbers of slots come from cursors, too, and from heads whose block was freed. */
  #exists(slot: number): boolean {
    return slot > 0 && slot < this.#list.table.top;
  }
}
