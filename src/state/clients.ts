/**
 * The numbered clients (hello): which number the last counted line of each has. The fold alone writes; the archive reads ids,
 * and the status shows them. Not a fold of the accepted lines (refused ones are numbered too), so the log carries the
 * numbers in its frame headers, and a start reads them back from there.
 *
 *   slot 0: ┌─────┐         others: ┌─────────┬────────┬──────┬───────┬──────┬────────┬──────┬──────────┬───────────┐
 *           │ top │                 │ version │ length │ hash │ owner │ line │ active │ born │ position │ id, 256 B │
 *           └─────┘                 │ i32     │ i32    │ i32  │ i32   │ f64  │ f64    │ f64  │ f64      │           │
 *                                   └─────────┴────────┴──────┴───────┴──────┴────────┴──────┴──────────┴───────────┘
 *   length    of the id; 0: the slot is free. Stored last, so what a fold leaves that dies before that is a free slot
 *   owner     slot in the ledger of the newest connection that said hello; 0: that is closed
 *   line      number of its last counted line
 *   active    arrival of the last record of it, µs
 *   born      position in the ring of the hello that began its numbers; NOT_BORN_HERE: another process has
 *   position  in the ring, behind its last record: until that is archived the archive may ask for the id of this slot,
 *             and no other client gets it
 *   version   a sequence lock around a change of the id (layout.ts), for readers beside the archive
 *
 * Whatever is in shared memory survives the fold. The index and the order of activity are in this thread's own memory:
 * whoever takes over makes them again by a walk over the slots, so there is no moment at which they are half changed.
 */

import assert from 'node:assert/strict';
import { hashBytes } from '../model/hash.js';
import { allocatePart, bytesOf, doublesOf, type MemoryPart, wordsOf } from '../model/memory.js';
import { stepVersion } from './sequence-lock.js';
import { CLIENT_BYTES } from './slot-bytes.js';
import { SlotIndex, slotIndexBytes } from './slot-index.js';

const SLOT_WORDS = CLIENT_BYTES / 4;
const SLOT_DOUBLES = CLIENT_BYTES / 8;
const TOP = 0;
const VERSION = 0;
const LENGTH = 1;
const HASH = 2;
const OWNER = 3;
const LINE = 2; // in doubles, from here on
const ACTIVE = 3;
const BORN = 4;
const POSITION = 5;
const ID = 48; // in bytes

const NOT_BORN_HERE = -1;

export class Clients {
  /** Whether the fold is at work with it: the numbers are ahead of the log then, and a rebuild must leave them alone. */
  isLive = false;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #slots: number;
  #order: ActivityOrder | null = null;
  #index: SlotIndex | null = null;

  constructor(memory: MemoryPart) {
    this.#words = wordsOf(memory);
    this.#doubles = doublesOf(memory);
    this.#bytes = bytesOf(memory);
    this.#slots = Math.floor(memory.byteLength / CLIENT_BYTES);
    if (this.#words[TOP] === 0) this.#words[TOP] = 1;
  }

  /** Bytes from the start of the memory that have been touched. */
  get usedBytes(): number {
    return this.#words[TOP]! * CLIENT_BYTES;
  }

  lastLine(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + LINE]!;
  }

  owner(slot: number): number {
    return this.#words[slot * SLOT_WORDS + OWNER]!;
  }

  activeUs(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + ACTIVE]!;
  }

  born(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + BORN]!;
  }

  position(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + POSITION]!;
  }

  /** A copy of the id, for threads that know that the slot keeps its client: the fold, and the archive (`position`). */
  idOf(slot: number): Uint8Array {
    const from = slot * CLIENT_BYTES + ID;
    return this.#bytes.slice(from, from + this.#words[slot * SLOT_WORDS + LENGTH]!);
  }

  /** For other readers: the sequence lock of a slot, or −1 while its id changes. */
  version(slot: number): number {
    const version = Atomics.load(this.#words, slot * SLOT_WORDS + VERSION);
    return (version & 1) === 0 ? version : -1;
  }

  // The fold.

  /** From now on the numbers are those of the running daemon: no connection of another process is left. */
  begin(): void {
    for (let slot = 1; slot < this.#words[TOP]!; slot++) {
      this.setOwner(slot, 0);
      this.#doubles[slot * SLOT_DOUBLES + BORN] = NOT_BORN_HERE;
      this.#doubles[slot * SLOT_DOUBLES + POSITION] = 0;
    }
    this.isLive = true;
  }

  /** @returns the slot of this client, or 0 */
  find(id: Uint8Array): number {
    const index = this.#openIndex();
    const hash = hashBytes(id, 0, id.length);
    for (let place = index.home(hash); ; place = index.next(place)) {
      const slot = index.slotAt(place);
      if (slot === 0) return 0;
      if (index.hashAt(place) === hash && this.#isId(slot, id)) return slot;
    }
  }

  /**
   * The slot for one client more: a free one, else that of the client without a connection that has been silent for longest,
   * else, where all have one, of any that has been silent for longest.
   */
  slotForNew(): number {
    const order = this.#openOrder();
    const free = order.takeFree();
    if (free !== 0) return free;
    if (this.#words[TOP]! < this.#slots) return this.#words[TOP]!;
    for (let tries = this.#slots; tries > 1; tries--) {
      const slot = order.oldest();
      if (this.owner(slot) === 0) return slot;
      order.touch(slot); // whoever is connected is not gone
    }
    return order.oldest();
  }

  /** Gives a slot of `slotForNew` to a client, from number 0. */
  assign(slot: number, id: Uint8Array, born: number, arrivedUs: number): void {
    const word = slot * SLOT_WORDS;
    const index = this.#openIndex();
    const order = this.#openOrder();
    if (this.#words[word + LENGTH] !== 0) {
      index.remove(this.#words[word + HASH]!, slot);
      order.remove(slot);
    }
    const hash = hashBytes(id, 0, id.length);
    stepVersion(this.#words, word + VERSION);
    Atomics.store(this.#words, word + LENGTH, 0);
    this.#words[word + HASH] = hash;
    this.#words[word + OWNER] = 0;
    this.restart(slot, born, arrivedUs);
    this.#doubles[slot * SLOT_DOUBLES + POSITION] = 0;
    this.#bytes.set(id, slot * CLIENT_BYTES + ID);
    if (slot === this.#words[TOP]) this.#words[TOP] = slot + 1;
    Atomics.store(this.#words, word + LENGTH, id.length);
    stepVersion(this.#words, word + VERSION);
    index.insert(hash, slot);
    order.touch(slot);
  }

  /** Begins a client's numbers anew. `active` is last: a fold that dies before that finds it as silent as before. */
  restart(slot: number, born: number, arrivedUs: number): void {
    const at = slot * SLOT_DOUBLES;
    this.#doubles[at + LINE] = 0;
    this.#doubles[at + BORN] = born;
    this.#doubles[at + ACTIVE] = arrivedUs;
  }

  setOwner(slot: number, connection: number): void {
    this.#words[slot * SLOT_WORDS + OWNER] = connection;
  }

  /** @param born as it was when the record was folded: a later client of the slot keeps its numbers */
  setFolded(slot: number, born: number, line: number, arrivedUs: number, position: number): void {
    if (this.born(slot) !== born) return;
    const at = slot * SLOT_DOUBLES;
    this.#doubles[at + LINE] = line;
    this.#doubles[at + ACTIVE] = arrivedUs;
    this.#doubles[at + POSITION] = position;
    this.#openOrder().touch(slot);
  }

  /**
   * What a frame of the log says of a client. The later frame is right, also where it has the lower number: the client was
   * forgotten in between, and began anew.
   */
  restore(id: Uint8Array, line: number, arrivedUs: number): void {
    if (this.isLive) return;
    let slot = this.find(id);
    if (slot === 0) {
      slot = this.slotForNew();
      this.assign(slot, id, NOT_BORN_HERE, arrivedUs);
    }
    this.setFolded(slot, this.born(slot), line, arrivedUs, 0);
  }

  clear(): void {
    if (this.isLive) return;
    this.#words.fill(0, 0, this.#words[TOP]! * SLOT_WORDS);
    this.#words[TOP] = 1;
    this.#order = null;
    this.#index = null;
  }

  #isId(slot: number, id: Uint8Array): boolean {
    if (this.#words[slot * SLOT_WORDS + LENGTH] !== id.length) return false;
    const from = slot * CLIENT_BYTES + ID;
    for (let i = 0; i < id.length; i++) if (this.#bytes[from + i] !== id[i]) return false;
    return true;
  }

  #openIndex(): SlotIndex {
    if (this.#index === null) this.#open();
    return this.#index!;
  }

  #openOrder(): ActivityOrder {
    if (this.#order === null) this.#open();
    return this.#order!;
  }

  #open(): void {
    const words = this.#words;
    const index = new SlotIndex(allocatePart(slotIndexBytes(this.#slots)));
    const order = new ActivityOrder(this.#slots);
    const known: number[] = [];
    for (let slot = words[TOP]! - 1; slot > 0; slot--) {
      const at = slot * SLOT_WORDS;
      // Odd: a fold died while it gave the slot to somebody.
      if (this.version(slot) < 0) stepVersion(words, at + VERSION);
      if (words[at + LENGTH] === 0) {
        order.addFree(slot);
      } else {
        index.insert(words[at + HASH]!, slot);
        known.push(slot);
      }
    }
    known.sort((a, b) => this.activeUs(a) - this.activeUs(b) || a - b);
    for (const slot of known) order.touch(slot);
    this.#index = index;
    this.#order = order;
  }
}

/** Slots in the order of their last activity: a circle of links, in which 0 stands between the newest and the oldest. */
class ActivityOrder {
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #free: number[] = [];

  constructor(slots: number) {
    // A slot that links to itself is in no order.
    this.#newer = Int32Array.from({ length: slots }, (_, slot) => slot);
    this.#older = this.#newer.slice();
  }

  addFree(slot: number): void {
    this.#free.push(slot);
  }

  takeFree(): number {
    return this.#free.pop() ?? 0;
  }

  oldest(): number {
    const slot = this.#newer[0]!;
    assert(slot !== 0, 'no slot is in use');
    return slot;
  }

  /** Makes it the newest. */
  touch(slot: number): void {
    if (this.#older[0] === slot) return;
    this.remove(slot);
    const newest = this.#older[0]!;
    this.#newer[newest] = slot;
    this.#older[slot] = newest;
    this.#newer[slot] = 0;
    this.#older[0] = slot;
  }

  remove(slot: number): void {
    const newer = this.#newer[slot]!;
    const older = this.#older[slot]!;
    this.#older[newer] = older;
    this.#newer[older] = newer;
    this.#newer[slot] = slot;
    this.#older[slot] = slot;
  }
}
