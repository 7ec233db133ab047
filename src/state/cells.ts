/**
 * Cells: the streaming aggregates, one for every metric and full label set, in shared memory.
 *
 *   0      4      8        12       16       20      24           32                                        136
 *   ┌──────┬──────┬────────┬────────┬────────┬───────┬────────────┬────────────────────────────────────────┐
 *   │ lock │ hash │ metric │ labels │ blocks │ flags │ (reserved) │ count first mean, m2, sum with errors, │
 *   │      │      │        │        │        │       │            │ min max zeros since touched (f64 each) │
 *   └──────┴──────┴────────┴────────┴────────┴───────┴────────────┴────────────────────────────────────────┘
 *   136     140     144      148 152       156    160   164           168      184      200    216      280
 *   ┌───────┬───────┬────────┬───┬─────────┬──────┬─────┬─────────────┬────────┬────────┬──────┬────────┐
 *   │ older │ newer │ serial │   │ version │ open │ up  │ open blocks │ oldest │ newest │ lost │ count… │
 *   │       │       │        │   │         │ slot │ to  │             │ 4 ×    │ 4 ×    │ 4 ×  │ zeros  │
 *   └───────┴───────┴────────┴───┴─────────┴──────┴─────┴─────────────┴────────┴────────┴──────┴────────┘
 *   280                                             336     344                                     424
 *   ┌───────────────────────────────────────────────┬───────┬───────────────────────────────────────┬────────┬───┐
 *   │ hour: count first Σd Σd² sum min max (f64)    │ zeros │ the ten moments of what was before it │ blocks │   │
 *   └───────────────────────────────────────────────┴───────┴───────────────────────────────────────┴────────┴───┘
 *
 * `metric` is an interned name; `labels` a block of [key, value] references, sorted by the bytes of the keys;
 * `blocks` the first block of the histogram. What the numbers mean, and how a value is added: fold/moments.ts. The second
 * half are the windows (fold/windows.ts): the slot of time that is open, with sums and histogram, and for each width of
 * slots the list of blocks of those that are over (window-blocks.ts). The third part is the hour that is open (fold/hours.ts).
 *
 * Two locks: `lock` is stepped about every change, so at every sample; `version` about changes of the windows' lists alone, some
 * times a minute, so that a long read of them succeeds on a cell that is never at rest. `serial` is another number for
 * each cell that a slot has held: what a reader knows of the labels holds while it is the same.
 *
 *   head  0 moves · 4 cells made · 5 overflow cells · 6 oldest · 7 newest
 *
 * The cells but those of overflow are linked by when they were last sampled, to a slot of the finest windows (5 s).
 */

import { TAGS_MAX } from '../model/event.js';
import { HASH_SEED, hashEnd, hashWord } from '../model/hash.js';
import {
  type ByteView,
  loadAtomic,
  type MemoryPart,
  ownWords,
  viewOfWords,
  type Words,
} from '../model/memory.js';
import type { LimitsInForce } from './limits-in-force.js';
import type { Names } from './names.js';
import { CELL_BYTES, OVERFLOW_CELLS } from './slot-bytes.js';
import { SlotIndex } from './slot-index.js';
import { HEAD_OWN, type SlotFields, SlotTable } from './slot-table.js';

const LOCK = 0;
const HASH = 1;
const METRIC = 2;
const LABELS = 3;
const BLOCKS = 4;
const FLAGS = 5;
const OLDER = 34;
const NEWER = 35;
const SERIAL = 36;

/** First of the ten doubles of fold/moments.ts. */
export const CELL_COUNT = 4;
export const CELL_ZEROS = 14;
export const CELL_SINCE = 15;
export const CELL_TOUCHED = 16;

/** Of the windows: words, one for each level in the last three, and doubles (the sums of fold/moments.ts, zeros). */
export const WINDOW_VERSION = 38;
export const WINDOW_OPEN = 39;
export const WINDOW_UP_TO = 40;
export const WINDOW_BLOCKS = 41;
export const WINDOW_OLDEST = 42;
export const WINDOW_NEWEST = 46;
export const WINDOW_LOST = 50;
export const WINDOW_COUNT = 27;
export const WINDOW_ZEROS = 34;

/** Of the hour that is open: doubles (the sums of fold/moments.ts, zeros, moments), and a word. */
export const HOUR_COUNT = 35;
export const HOUR_ZEROS = 42;
export const HOUR_MOMENTS = 43;
export const HOUR_BLOCKS = 106;

const FLAG_OVERFLOW = 1;

/** The slot whose lock is stepped about a move. */
const HEAD = 0;
const MADE = HEAD_OWN;
const OVERFLOWS = HEAD_OWN + 1;
const OLDEST = HEAD_OWN + 2;
const NEWEST = HEAD_OWN + 3;

/** The labels and the histogram lie elsewhere, and are compared by themselves. */
export const CELL_FIELDS: SlotFields = {
  names: [[METRIC, 'metric']],
  places: [
    LOCK,
    HASH,
    LABELS,
    BLOCKS,
    OLDER,
    NEWER,
    SERIAL,
    WINDOW_VERSION,
    WINDOW_BLOCKS,
    HOUR_BLOCKS,
  ].concat([0, 1, 2, 3].flatMap((level) => [WINDOW_OLDEST + level, WINDOW_NEWEST + level])),
  words: [[FLAGS, 'flags']],
  doubles: [
    [CELL_COUNT, 'count'],
    [CELL_COUNT + 1, 'first'],
    [CELL_COUNT + 2, 'mean'],
    [CELL_COUNT + 3, 'mean error'],
    [CELL_COUNT + 4, 'm2'],
    [CELL_COUNT + 5, 'm2 error'],
    [CELL_COUNT + 6, 'sum'],
    [CELL_COUNT + 7, 'sum error'],
    [CELL_COUNT + 8, 'min'],
    [CELL_COUNT + 9, 'max'],
    [CELL_ZEROS, 'zeros'],
    [CELL_SINCE, 'since'],
    [CELL_TOUCHED, 'touched'],
    [HOUR_COUNT, 'count of the hour'],
  ],
};

export class Cells {
  readonly table: SlotTable;
  readonly #index: SlotIndex;
  readonly #names: Names;
  readonly #limits: LimitsInForce;
  readonly #labelWords: Words = ownWords(2 * TAGS_MAX);
  readonly #labelView: ByteView = viewOfWords(this.#labelWords);

  constructor(memory: MemoryPart, index: MemoryPart, names: Names, limits: LimitsInForce) {
    this.table = new SlotTable(memory, CELL_BYTES);
    this.#index = new SlotIndex(index);
    this.#names = names;
    this.#limits = limits;
  }

  /**
   * The cell of a metric and label set, which comes to life if it is not there.
   * @param labels references [key, value, key, value, …], sorted by key; they and `metric` stay the caller's
   * @returns the slot, or 0 if there is no room for one more
   */
  find(metric: i32, labels: Words, labelCount: i32): i32 {
    const hash = this.#hash(metric, labels, labelCount);
    const words = this.table.words;
    const index = this.#index;
    let place = index.home(hash);
    let slot = index.slotAt(place);
    while (slot !== 0) {
      if (index.hashAt(place) === hash) {
        const at = slot * this.table.slotWords;
        if (words[at + METRIC] === metric && this.#sameLabels(words[at + LABELS]!, labels, labelCount))
          return slot;
      }
      place = index.next(place);
      slot = index.slotAt(place);
    }
    return 0;
  }

  /** @param overflow whether the cell may use the room that is kept for overflow cells */
  create(metric: i32, labels: Words, labelCount: i32, overflow: boolean): i32 {
    const overflows = this.table.words[OVERFLOWS]!;
    if (overflow ? overflows >= OVERFLOW_CELLS : this.table.used - overflows >= this.#limits.maxSeries)
      return 0;
    const block = overflow ? this.overflowBlock(labels) : this.#storeLabels(labels, labelCount);
    if (block === 0 && labelCount > 0) return 0;
    const slot = this.table.take();
    if (slot === 0) return 0;
    const hash = this.#hash(metric, labels, labelCount);
    this.table.lock(slot);
    const at = slot * this.table.slotWords;
    this.table.words[at + HASH] = hash;
    this.table.words[at + METRIC] = metric;
    this.table.words[at + LABELS] = block;
    this.table.words[at + FLAGS] = overflow ? FLAG_OVERFLOW : 0;
    this.table.words[MADE] = (this.table.words[MADE]! + 1) & 0x3fff_ffff;
    this.table.words[at + SERIAL] = this.table.words[MADE]!;
    if (overflow) this.table.words[OVERFLOWS]! += 1;
    else this.#link(slot);
    this.table.unlock(slot);
    this.#names.retain(metric);
    for (let i = 0; i < labelCount * 2; i++) this.#names.retain(labels[i]!);
    this.#index.insert(hash, slot);
    return slot;
  }

  /** Forgets a cell that is no overflow cell, and has no blocks any more. */
  remove(slot: i32): void {
    const words = this.table.words;
    const at = slot * this.table.slotWords;
    const metric = words[at + METRIC]!;
    const block = words[at + LABELS]!;
    this.#unlink(slot);
    this.#index.remove(words[at + HASH]!, slot);
    this.table.give(slot);
    const references = block === 0 ? 0 : this.#names.lengthOf(block) >> 2;
    for (let i = 0; i < references; i++) this.#names.release(this.#names.wordOf(block, i));
    this.#names.free(block);
    this.#names.release(metric);
  }

  /** Makes it the one that was sampled last. */
  touch(slot: i32): void {
    const words = this.table.words;
    if (words[NEWEST] === slot || this.isOverflow(slot)) return;
    this.#unlink(slot);
    this.#link(slot);
  }

  /** The one without a sample for longest, to a slot of the finest windows; 0: none. */
  get oldest(): i32 {
    return this.table.words[OLDEST]!;
  }

  isOverflow(slot: i32): boolean {
    return (this.table.words[slot * this.table.slotWords + FLAGS]! & FLAG_OVERFLOW) !== 0;
  }

  /** 0: the slot holds no cell. */
  serial(slot: i32): i32 {
    return this.table.words[slot * this.table.slotWords + SERIAL]!;
  }

  hash(slot: i32): i32 {
    return this.table.words[slot * this.table.slotWords + HASH]!;
  }

  /** What one cell holds goes into another one: a sum over both that is read meanwhile may have it twice, or not at all. */
  beginMove(): void {
    this.table.lock(HEAD);
  }

  endMove(): void {
    this.table.unlock(HEAD);
  }

  /** For readers of sums over several cells: the version of the moves, or −1 while there is one. */
  movesVersion(): i32 {
    return this.table.version(HEAD);
  }

  /** For readers: the version of the windows' lists, or −1 while they change. */
  windowsVersion(slot: i32): i32 {
    const version = loadAtomic(this.table.words, slot * this.table.slotWords + WINDOW_VERSION);
    return (version & 1) === 0 ? version : -1;
  }

  /**
   * The block of the overflow's labels (one pair), which all overflow cells share. Called once before anything else is
   * stored: when overflow cells come to life the names may have no room for one more.
   */
  overflowBlock(labels: Words): i32 {
    this.#labelWords[0] = labels[0]!;
    this.#labelWords[1] = labels[1]!;
    const hash = hashEnd(hashWord(hashWord(HASH_SEED, labels[0]!), labels[1]!), 8);
    const names = this.#names;
    return names.find(this.#labelView, 0, 8, hash) || names.intern(this.#labelView, 0, 8, hash);
  }

  get used(): i32 {
    return this.table.used;
  }

  metric(slot: i32): i32 {
    return this.table.words[slot * this.table.slotWords + METRIC]!;
  }

  blocks(slot: i32): i32 {
    return this.table.words[slot * this.table.slotWords + BLOCKS]!;
  }

  setBlocks(slot: i32, first: i32): void {
    this.table.words[slot * this.table.slotWords + BLOCKS] = first;
  }

  /** For readers: the label references of a cell, [key, value, …]. */
  labels(slot: i32): i32[] {
    const block = this.table.words[slot * this.table.slotWords + LABELS]!;
    if (block === 0) return [];
    const count = Math.min(this.#names.lengthOf(block) >> 2, 32);
    const refs: i32[] = [];
    for (let i = 0; i < count; i++) refs.push(this.#names.wordOf(block, i));
    return refs;
  }

  get indexBytes(): f64 {
    return this.#index.usedBytes;
  }

  clear(): void {
    // Untouched memory stays so: zeros written over it would make it resident.
    if (this.table.top === 1) return;
    this.table.clear();
    this.#index.clear();
  }

  #link(slot: i32): void {
    const words = this.table.words;
    const size = this.table.slotWords;
    const newest = words[NEWEST]!;
    words[slot * size + OLDER] = newest;
    words[slot * size + NEWER] = 0;
    if (newest !== 0) words[newest * size + NEWER] = slot;
    else words[OLDEST] = slot;
    words[NEWEST] = slot;
  }

  #unlink(slot: i32): void {
    const words = this.table.words;
    const size = this.table.slotWords;
    const older = words[slot * size + OLDER]!;
    const newer = words[slot * size + NEWER]!;
    if (older !== 0) words[older * size + NEWER] = newer;
    else words[OLDEST] = newer;
    if (newer !== 0) words[newer * size + OLDER] = older;
    else words[NEWEST] = older;
  }

  #storeLabels(labels: Words, labelCount: i32): i32 {
    if (labelCount === 0) return 0;
    for (let i = 0; i < labelCount * 2; i++) this.#labelWords[i] = labels[i]!;
    return this.#names.store(this.#labelView, 0, labelCount * 8);
  }

  #hash(metric: i32, labels: Words, labelCount: i32): i32 {
    let hash = hashWord(HASH_SEED, metric);
    for (let i = 0; i < labelCount * 2; i++) hash = hashWord(hash, labels[i]!);
    return hashEnd(hash, labelCount);
  }

  #sameLabels(block: i32, labels: Words, labelCount: i32): boolean {
    if (labelCount === 0) return block === 0;
    if (block === 0 || this.#names.lengthOf(block) !== labelCount * 8) return false;
    for (let i = 0; i < labelCount * 2; i++) {
      if (this.#names.wordOf(block, i) !== labels[i]) return false;
    }
    return true;
  }
}
