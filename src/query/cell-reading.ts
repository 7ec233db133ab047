/**
 * What cells hold, over all time or in a window, added up while the fold goes on: each is read under its locks (state/cells.ts),
 * right into the sum. The long lists of a window's blocks are read under a lock that changes some times a minute, and only
 * the few numbers of the open slot under the one that changes at every sample.
 *
 * A change that falls into a read has spoiled the sum, and it begins anew; a cell at which that happened is from then on read
 * with care: by itself, until no change falls into it, and then added. With care alone the histogram of each would be
 * walked three times instead of once, and a read takes so little that at a million samples a second one sum in five or so
 * of ten thousand cells begins anew.
 */

import { MOMENT_LENGTH, mergeMoments, momentsOfSums } from '../fold/moments.js';
import {
  SLOT_RATIO,
  SLOT_SECONDS,
  SLOTS_KEPT,
  slotAt,
  slotOfLevel,
  WINDOW_NAMES,
  type WindowName,
} from '../model/windows.js';
import {
  CELL_COUNT,
  CELL_SINCE,
  CELL_ZEROS,
  WINDOW_BLOCKS,
  WINDOW_COUNT,
  WINDOW_LOST,
  WINDOW_OLDEST,
  WINDOW_OPEN,
  WINDOW_UP_TO,
  WINDOW_ZEROS,
} from '../state/cells.js';
import { DenseHistogram } from '../state/dense-histogram.js';
import { ZERO_KEY } from '../state/histogram.js';
import type { Tables } from '../state/tables.js';
import type { CellGroup } from './cell-catalog.js';

/** Of one cell, with care. */
const READ_TRIES = 1000;
/** After so many sums that were spoiled all cells are read with care. */
const SUM_TRIES = 3;
/** Of one list: more blocks than a cell and all that were moved into it can have. */
const LIST_STEPS_MAX = 1_000_000;

export class Sum {
  readonly moments = new Float64Array(MOMENT_LENGTH);
  readonly histogram = new DenseHistogram();
  /** Arrival of the first sample, over all time. */
  since = Number.POSITIVE_INFINITY;
  /** Something is left out: lost in the window for want of room, or of a cell that was never at rest. */
  isPartial = false;

  clear(): void {
    this.moments.fill(0);
    this.histogram.clear();
    this.since = Number.POSITIVE_INFINITY;
    this.isPartial = false;
  }

  add(other: Sum): void {
    mergeMoments(this.moments, 0, other.moments, 0);
    this.histogram.addAll(other.histogram);
    if (other.since < this.since) this.since = other.since;
    if (other.isPartial) this.isPartial = true;
  }
}

export class CellReading {
  readonly #tables: Tables;
  /** Of the window; −1: all time. */
  readonly #level: number;
  /** First slot of the window, of its level. */
  readonly #from: number;
  readonly #careful = new Set<number>();
  readonly #one = new Sum();
  readonly #block = new Float64Array(MOMENT_LENGTH);

  /** @param window null: all time @param now seconds: its end */
  constructor(tables: Tables, window: WindowName | null, now: number) {
    this.#tables = tables;
    this.#level = window === null ? -1 : WINDOW_NAMES.indexOf(window);
    this.#from = window === null ? 0 : slotOfLevel(this.#level, slotAt(now)) - SLOTS_KEPT[this.#level]!;
  }

  /** `sum` becomes that of the cells. One that its slot does not hold any more is left out. */
  sum(cells: CellGroup, sum: Sum): void {
    for (let tries = 0; ; tries++) {
      sum.clear();
      const spoilt = this.#addAll(cells, sum, tries >= SUM_TRIES);
      if (spoilt === 0) return;
      this.#careful.add(spoilt);
    }
  }

  /** @returns the slot of a cell that changed while it was read, or 0 */
  #addAll({ slots, serials }: CellGroup, sum: Sum, withCare: boolean): number {
    const careful = this.#careful;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      const serial = serials[i]!;
      if (withCare || (careful.size > 0 && careful.has(slot))) this.#addWithCare(slot, serial, sum);
      else if (!this.#tryAdd(slot, serial, sum)) return slot;
    }
    return 0;
  }

  #addWithCare(cell: number, serial: number, sum: Sum): void {
    for (let tries = 0; tries < READ_TRIES; tries++) {
      this.#one.clear();
      if (!this.#tryAdd(cell, serial, this.#one)) continue;
      sum.add(this.#one);
      return;
    }
    sum.isPartial = true;
  }

  /** @returns false where a change fell into it, and has spoiled `sum` */
  #tryAdd(cell: number, serial: number, sum: Sum): boolean {
    return this.#level < 0 ? this.#tryAddAllTime(cell, serial, sum) : this.#tryAddWindow(cell, serial, sum);
  }

  #tryAddAllTime(cell: number, serial: number, sum: Sum): boolean {
    const { cells, buckets } = this.#tables;
    const { table } = cells;
    const version = table.version(cell);
    if (version < 0) return false;
    if (cells.serial(cell) !== serial) return table.version(cell) === version;
    const { doubles } = table;
    const at = cell * table.slotDoubles;
    mergeMoments(sum.moments, 0, doubles, at + CELL_COUNT);
    if (doubles[at + CELL_COUNT]! > 0 && doubles[at + CELL_SINCE]! < sum.since) {
      sum.since = doubles[at + CELL_SINCE]!;
    }
    const zeros = doubles[at + CELL_ZEROS]!;
    if (zeros > 0) sum.histogram.add(ZERO_KEY, zeros);
    buckets.collect(cells.blocks(cell), sum.histogram);
    return table.version(cell) === version;
  }

  #tryAddWindow(cell: number, serial: number, sum: Sum): boolean {
    const { cells } = this.#tables;
    const windowsVersion = cells.windowsVersion(cell);
    if (windowsVersion < 0) return false;
    this.#addClosed(cell, sum);
    const version = cells.table.version(cell);
    if (version < 0) return false;
    const isSame = cells.serial(cell) === serial;
    if (isSame) this.#addOpen(cell, sum);
    if (cells.table.version(cell) !== version || cells.windowsVersion(cell) !== windowsVersion) return false;
    return isSame;
  }

  /** The blocks of the level, and those of the levels below that are in none of these yet. */
  #addClosed(cell: number, sum: Sum): void {
    const { cells, windowBlocks } = this.#tables;
    const { words, slotWords } = cells.table;
    const level = this.#level;
    const at = cell * slotWords;
    const upTo = words[at + WINDOW_UP_TO]!;
    if (words[at + WINDOW_LOST + level]! >= this.#from) sum.isPartial = true;
    for (let below = level; below >= 0; below--) {
      let first = (this.#from * SLOT_SECONDS[level]!) / SLOT_SECONDS[below]!;
      if (below < level) {
        first = Math.max(first, slotOfLevel(below + 1, upTo) * SLOT_RATIO[below + 1]!);
      }
      let block = words[at + WINDOW_OLDEST + below]!;
      for (let steps = 0; windowBlocks.isBlock(block) && steps < LIST_STEPS_MAX; steps++) {
        if (windowBlocks.slot(block) >= first) {
          windowBlocks.read(block, this.#block, sum.histogram);
          mergeMoments(sum.moments, 0, this.#block, 0);
        }
        block = windowBlocks.newer(block);
      }
    }
  }

  #addOpen(cell: number, sum: Sum): void {
    const { cells, windowBuckets } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = cells.table;
    const at = cell * slotWords;
    const d = cell * slotDoubles;
    const first = (this.#from * SLOT_SECONDS[this.#level]!) / SLOT_SECONDS[0];
    const blocks = words[at + WINDOW_BLOCKS]!;
    if (words[at + WINDOW_OPEN]! < first || blocks < 0) return;
    momentsOfSums(doubles, d + WINDOW_COUNT, this.#block);
    mergeMoments(sum.moments, 0, this.#block, 0);
    windowBuckets.collect(blocks, sum.histogram);
    const zeros = doubles[d + WINDOW_ZEROS]!;
    if (zeros > 0) sum.histogram.add(ZERO_KEY, zeros);
  }
}
