/**
 * The windows of the cells: what arrived in the last minute, 5 minutes, hour and day. Time is the arrival of the lines, so
 * the same log gives the same windows.
 *
 *   level 0   ···│ 5 s │ 5 s │ 5 s │ 5 s │ 5 s │ open        a sample is added to the open slot of its cell alone
 *   level 1   ···│            25 s             │
 *   level 2   ···  5 min: 12 of 25 s           │             a slot that is over becomes a block, which never changes;
 *   level 3   ···  1 h: 12 of 5 min            │             a slot of a level is the sum of those of the level below
 *
 * A window is the blocks of its own level, and those of the levels below that are in none of these yet, and what is open; so
 * a sample costs one addition, and each block is read once more in its life, for the slot above it.
 *
 * A cell moves on when a sample finds its open slot over: what is over is closed, rolled up, and forgotten when it has left the
 * window of its level (`#moveOn`). For the cells that get no samples any more, each cell that moves on takes the next two
 * with it, in turn. `upTo` says for each cell to which time that was done; a reader picks by it and by time what counts.
 *
 * When little room is left, for blocks or for histograms of open slots, all cells are moved on, once a slot. What finds no room even then is lost: its
 * cell says up to when (`WINDOW_LOST`), for the level and for those above it, so that a reply can say that it is not whole. So
 * who comes first is served, and the widest slots, which are made last, suffer first.
 */

import { type Doubles, mostWord, ownDoubles, toWord, type Words } from '../model/memory.js';
import { LEVELS, SLOT_RATIO, SLOTS_KEPT, slotAt, slotOfLevel } from '../model/windows.js';
import { COUNT_WINDOWS_LOST } from '../state/board.js';
import {
  WINDOW_BLOCKS,
  WINDOW_COUNT,
  WINDOW_LOST,
  WINDOW_NEWEST,
  WINDOW_OLDEST,
  WINDOW_OPEN,
  WINDOW_UP_TO,
  WINDOW_VERSION,
  WINDOW_ZEROS,
} from '../state/cells.js';
import { DenseHistogram } from '../state/dense-histogram.js';
import { type Buckets, ZERO_BUCKET, ZERO_KEY } from '../state/histogram.js';
import { stepVersion } from '../state/sequence-lock.js';
import type { Tables } from '../state/tables.js';
import { addToSums, MOMENT_LENGTH, mergeMoments, momentsOfSums } from './moments.js';

/** In place of the open slot's histogram: there was no room for it. */
const NO_ROOM = -1;
const NEIGHBOURS = 2;
/** Little room: one part in so many of what is taken. */
const LOW_PART = 64;

export class Windows {
  readonly #tables: Tables;
  // Of the cells' table: a sample looks at them, and each step to them costs.
  readonly #words: Words;
  readonly #doubles: Doubles;
  readonly #slotWords: i32;
  readonly #slotDoubles: i32;
  readonly #buckets: Buckets;
  readonly #histogram: DenseHistogram = new DenseHistogram();
  readonly #moments: Doubles = ownDoubles(MOMENT_LENGTH);
  readonly #block: Doubles = ownDoubles(MOMENT_LENGTH);
  #arrived: f64 = Number.NaN;
  #slot: i32 = 0;

  constructor(tables: Tables) {
    this.#tables = tables;
    const { words, doubles, slotWords, slotDoubles } = tables.cells.table;
    this.#words = words;
    this.#doubles = doubles;
    this.#slotWords = slotWords;
    this.#slotDoubles = slotDoubles;
    this.#buckets = tables.windowBuckets;
  }

  /** Before a sample: the slot of its arrival is the cell's open one. Call outside of the cell's lock. */
  open(cell: i32, arrived: f64): void {
    if (arrived !== this.#arrived) this.#setTime(arrived);
    if (this.#words[cell * this.#slotWords + WINDOW_OPEN] !== this.#slot) this.#openSlot(cell);
  }

  /** Call inside the cell's lock. */
  add(cell: i32, bucket: i32, value: f64): void {
    const blocksAt = cell * this.#slotWords + WINDOW_BLOCKS;
    const first = this.#words[blocksAt]!;
    if (first === NO_ROOM) return;
    const at = cell * this.#slotDoubles;
    if (bucket === ZERO_BUCKET) {
      this.#doubles[at + WINDOW_ZEROS]! += 1;
    } else {
      const list = this.#buckets.count(first, bucket);
      if (list < 0) {
        this.#dropOpen(cell);
        return;
      }
      if (list !== first) this.#words[blocksAt] = list;
    }
    addToSums(this.#doubles, at + WINDOW_COUNT, value);
  }

  /** Moves all that a cell's windows hold into those of another. Call inside the locks of both. */
  move(cell: i32, into: i32, arrived: f64): void {
    const { words, slotWords } = this.#tables.cells.table;
    const from = cell * slotWords;
    const to = into * slotWords;
    this.#setTime(arrived);
    const slot = mostWord(this.#slot, mostWord(words[from + WINDOW_UP_TO]!, words[to + WINDOW_UP_TO]!));
    this.#moveOn(cell, slot);
    this.#moveOn(into, slot);
    words[to + WINDOW_UP_TO] = slot;
    stepVersion(words, from + WINDOW_VERSION);
    stepVersion(words, to + WINDOW_VERSION);
    // The open slot, too, becomes a block, though its time is not over.
    if (words[from + WINDOW_OPEN] !== 0) this.#close(cell);
    for (let level = 0; level < LEVELS; level++) {
      this.#mergeLists(from, to, level);
      words[to + WINDOW_LOST + level] = mostWord(
        words[to + WINDOW_LOST + level]!,
        words[from + WINDOW_LOST + level]!,
      );
    }
    stepVersion(words, to + WINDOW_VERSION);
    stepVersion(words, from + WINDOW_VERSION);
  }

  #setTime(arrived: f64): void {
    this.#arrived = arrived;
    this.#slot = slotAt(arrived);
  }

  #openSlot(cell: i32): void {
    const { cells, windowBlocks } = this.#tables;
    const { table } = cells;
    // Arrivals never go back; if they did, what came late would count where the cell has come to.
    const slot = mostWord(this.#slot, table.words[cell * table.slotWords + WINDOW_UP_TO]!);
    if (windowBlocks.swept < slot && this.#isLow()) {
      windowBlocks.setSwept(slot);
      for (let other = 1; other < table.top; other++) this.#moveOnLocked(other, slot);
    }
    let cursor = windowBlocks.cursor;
    for (let i = 0; i < NEIGHBOURS; i++) {
      cursor = cursor + 1 < table.top ? cursor + 1 : 1;
      this.#moveOnLocked(cursor, slot);
    }
    windowBlocks.setCursor(cursor);
    table.lock(cell);
    this.#moveOn(cell, slot);
    table.words[cell * table.slotWords + WINDOW_OPEN] = slot;
    table.words[cell * table.slotWords + WINDOW_UP_TO] = slot;
    table.unlock(cell);
    cells.touch(cell);
  }

  #isLow(): boolean {
    const { windowBlocks, windowBuckets } = this.#tables;
    return (
      windowBlocks.chunksFree * LOW_PART < windowBlocks.chunksUsed ||
      windowBuckets.free * LOW_PART < windowBuckets.used
    );
  }

  #moveOnLocked(cell: i32, slot: i32): void {
    const { table } = this.#tables.cells;
    if (!this.#holdsAnything(cell * table.slotWords)) return;
    table.lock(cell);
    this.#moveOn(cell, slot);
    table.unlock(cell);
  }

  #holdsAnything(at: i32): boolean {
    const { words } = this.#tables.cells.table;
    if (words[at + WINDOW_OPEN] !== 0) return true;
    for (let level = 0; level < LEVELS; level++) if (words[at + WINDOW_OLDEST + level] !== 0) return true;
    return false;
  }

  /** Closes, rolls up and forgets what is over at `slot`. Call inside the cell's lock. */
  #moveOn(cell: i32, slot: i32): void {
    const { words, slotWords } = this.#tables.cells.table;
    const at = cell * slotWords;
    const upTo = words[at + WINDOW_UP_TO]!;
    if (slot <= upTo || !this.#holdsAnything(at)) return;
    stepVersion(words, at + WINDOW_VERSION);
    if (words[at + WINDOW_OPEN] !== 0) this.#close(cell);
    for (let level = 1; level < LEVELS; level++) {
      this.#rollUp(at, level, slotOfLevel(level, upTo), slotOfLevel(level, slot));
    }
    for (let level = 0; level < LEVELS; level++) {
      this.#forget(at, level, slotOfLevel(level, slot) - SLOTS_KEPT[level]!);
    }
    words[at + WINDOW_UP_TO] = slot;
    stepVersion(words, at + WINDOW_VERSION);
  }

  /** The open slot becomes a block. */
  #close(cell: i32): void {
    const { cells, windowBuckets } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = cells.table;
    const at = cell * slotWords;
    const d = cell * slotDoubles;
    const first = words[at + WINDOW_BLOCKS]!;
    if (first !== NO_ROOM && doubles[d + WINDOW_COUNT]! > 0) {
      const histogram = this.#histogram;
      histogram.clear();
      windowBuckets.collect(first, histogram);
      if (doubles[d + WINDOW_ZEROS]! > 0) histogram.add(ZERO_KEY, doubles[d + WINDOW_ZEROS]!);
      momentsOfSums(doubles, d + WINDOW_COUNT, this.#moments);
      this.#append(at, 0, words[at + WINDOW_OPEN]!);
      windowBuckets.release(first);
    }
    words[at + WINDOW_OPEN] = 0;
    words[at + WINDOW_BLOCKS] = 0;
    for (let i = WINDOW_COUNT; i <= WINDOW_ZEROS; i++) doubles[d + i] = 0;
  }

  /** There is no room for the open slot's histogram, and without it the slot counts nothing. */
  #dropOpen(cell: i32): void {
    const { cells, windowBuckets } = this.#tables;
    const { words, slotWords } = cells.table;
    const at = cell * slotWords;
    windowBuckets.release(words[at + WINDOW_BLOCKS]!);
    words[at + WINDOW_BLOCKS] = NO_ROOM;
    stepVersion(words, at + WINDOW_VERSION);
    this.#lose(at, 0, words[at + WINDOW_OPEN]!);
    stepVersion(words, at + WINDOW_VERSION);
  }

  /** Of the blocks of the level below, those of each slot from `from` to before `to` become one of this level. */
  #rollUp(at: i32, level: i32, from: i32, to: i32): void {
    if (from >= to) return;
    const { words } = this.#tables.cells.table;
    const blocks = this.#tables.windowBlocks;
    const ratio = SLOT_RATIO[level]!;
    let block = words[at + WINDOW_OLDEST + level - 1]!;
    while (block !== 0 && blocks.slot(block) < from * ratio) block = blocks.newer(block);
    while (block !== 0 && blocks.slot(block) < to * ratio) {
      const slot = toWord(blocks.slot(block) / ratio);
      this.#histogram.clear();
      this.#moments.fill(0);
      do {
        blocks.read(block, this.#block, this.#histogram);
        mergeMoments(this.#moments, 0, this.#block, 0);
        block = blocks.newer(block);
      } while (block !== 0 && blocks.slot(block) < (slot + 1) * ratio);
      this.#append(at, level, slot);
    }
  }

  /** A block of `#moments` and `#histogram`, at the end of the list of its level. */
  #append(at: i32, level: i32, slot: i32): void {
    const { words } = this.#tables.cells.table;
    const blocks = this.#tables.windowBlocks;
    const block = blocks.write(slot, this.#moments, this.#histogram);
    if (block === 0) {
      this.#lose(at, level, slot);
      return;
    }
    const newest = words[at + WINDOW_NEWEST + level]!;
    if (newest !== 0) blocks.setNewer(newest, block);
    else words[at + WINDOW_OLDEST + level] = block;
    words[at + WINDOW_NEWEST + level] = block;
  }

  #lose(at: i32, level: i32, slot: i32): void {
    const { cells, windowBlocks, board } = this.#tables;
    const { words } = cells.table;
    let lost = slot;
    for (let above = level; above < LEVELS; above++) {
      if (above > level) lost = toWord(lost / SLOT_RATIO[above]!);
      if (lost > words[at + WINDOW_LOST + above]!) words[at + WINDOW_LOST + above] = lost;
    }
    windowBlocks.setLost(this.#slot);
    board.count(COUNT_WINDOWS_LOST);
  }

  #forget(at: i32, level: i32, before: i32): void {
    const { words } = this.#tables.cells.table;
    const blocks = this.#tables.windowBlocks;
    let block = words[at + WINDOW_OLDEST + level]!;
    while (block !== 0 && blocks.slot(block) < before) {
      const newer = blocks.newer(block);
      blocks.release(block);
      block = newer;
    }
    words[at + WINDOW_OLDEST + level] = block;
    if (block === 0) words[at + WINDOW_NEWEST + level] = 0;
  }

  /** Two lists in the order of time into one; blocks of one slot may follow each other in it. */
  #mergeLists(from: i32, to: i32, level: i32): void {
    const { words } = this.#tables.cells.table;
    const blocks = this.#tables.windowBlocks;
    let left = words[to + WINDOW_OLDEST + level]!;
    let right = words[from + WINDOW_OLDEST + level]!;
    let last = 0;
    words[to + WINDOW_OLDEST + level] = 0;
    while (left !== 0 || right !== 0) {
      const isLeft = right === 0 || (left !== 0 && blocks.slot(left) <= blocks.slot(right));
      const block = isLeft ? left : right;
      if (isLeft) left = blocks.newer(block);
      else right = blocks.newer(block);
      if (last === 0) words[to + WINDOW_OLDEST + level] = block;
      else blocks.setNewer(last, block);
      last = block;
    }
    if (last !== 0) blocks.setNewer(last, 0);
    words[to + WINDOW_NEWEST + level] = last;
    words[from + WINDOW_OLDEST + level] = 0;
    words[from + WINDOW_NEWEST + level] = 0;
  }
}
