/**
 * What one cell holds, over all time or in a window, read from another thread while the fold goes on: again until no change
 * fell into it, a bounded number of times. The long lists of a window's blocks are read under a lock that changes some times
 * a minute, and only the few numbers of the open slot under the one that changes at every sample (state/cells.ts).
 */

import { MOMENT_LENGTH, mergeMoments } from '../fold/moments.js';
import { SLOT_RATIO, SLOT_SECONDS, slotOfLevel } from '../model/windows.js';
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

const READ_TRIES = 1000;
/** Of one list: more blocks than a cell and all that were moved into it can have. */
const LIST_STEPS_MAX = 1_000_000;

export class CellReading {
  readonly moments = new Float64Array(MOMENT_LENGTH);
  readonly histogram = new DenseHistogram();
  /** Arrival of its first sample. */
  since = Number.NaN;
  /** Whether something that belongs to the window was lost for want of room. */
  isPartial = false;
  readonly #tables: Tables;
  readonly #block = new Float64Array(MOMENT_LENGTH);
  readonly #open = new DenseHistogram();

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** @returns false where the slot holds another cell by now, or was never at rest */
  readAll(cell: number, serial: number): boolean {
    const { cells, buckets } = this.#tables;
    const { doubles, slotDoubles } = cells.table;
    const at = cell * slotDoubles;
    this.isPartial = false;
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const version = cells.table.version(cell);
      if (version < 0) continue;
      if (cells.serial(cell) !== serial) return false;
      for (let i = 0; i < MOMENT_LENGTH; i++) this.moments[i] = doubles[at + CELL_COUNT + i]!;
      this.since = doubles[at + CELL_SINCE]!;
      this.histogram.clear();
      const zeros = doubles[at + CELL_ZEROS]!;
      if (zeros > 0) this.histogram.add(ZERO_KEY, zeros);
      buckets.collect(cells.blocks(cell), this.histogram);
      if (cells.table.version(cell) === version) return true;
    }
    return false;
  }

  /** @param level of the window @param from its first slot @returns as above */
  readWindow(cell: number, serial: number, level: number, from: number): boolean {
    const { cells } = this.#tables;
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const version = cells.windowsVersion(cell);
      if (version < 0) continue;
      this.moments.fill(0);
      this.histogram.clear();
      this.#addClosed(cell, level, from);
      if (cells.windowsVersion(cell) !== version) continue;
      if (this.#addOpen(cell, serial, level, from, version)) return true;
      if (cells.serial(cell) !== serial) return false;
    }
    return false;
  }

  /** The blocks of the level, and those of the levels below that are in none of these yet. */
  #addClosed(cell: number, level: number, from: number): void {
    const { cells, windowBlocks } = this.#tables;
    const { words, slotWords } = cells.table;
    const at = cell * slotWords;
    const upTo = words[at + WINDOW_UP_TO]!;
    this.isPartial = words[at + WINDOW_LOST + level]! >= from;
    for (let below = level; below >= 0; below--) {
      let first = (from * SLOT_SECONDS[level]!) / SLOT_SECONDS[below]!;
      if (below < level) {
        first = Math.max(first, slotOfLevel(below + 1, upTo) * SLOT_RATIO[below + 1]!);
      }
      let block = words[at + WINDOW_OLDEST + below]!;
      for (let steps = 0; windowBlocks.isBlock(block) && steps < LIST_STEPS_MAX; steps++) {
        if (windowBlocks.slot(block) >= first) {
          windowBlocks.read(block, this.#block, this.histogram);
          mergeMoments(this.moments, 0, this.#block, 0);
        }
        block = windowBlocks.newer(block);
      }
    }
  }

  /** The open slot of the cell, if the lists are still those of `version`. */
  #addOpen(cell: number, serial: number, level: number, from: number, windowsVersion: number): boolean {
    const { cells, windowBuckets } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = cells.table;
    const at = cell * slotWords;
    const d = cell * slotDoubles;
    const first = (from * SLOT_SECONDS[level]!) / SLOT_SECONDS[0];
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const version = cells.table.version(cell);
      if (version < 0) continue;
      if (cells.serial(cell) !== serial || cells.windowsVersion(cell) !== windowsVersion) return false;
      const open = words[at + WINDOW_OPEN]!;
      const blocks = words[at + WINDOW_BLOCKS]!;
      const isIn = open >= first && blocks >= 0;
      this.#open.clear();
      for (let i = 0; i < MOMENT_LENGTH; i++) this.#block[i] = isIn ? doubles[d + WINDOW_COUNT + i]! : 0;
      if (isIn) {
        windowBuckets.collect(blocks, this.#open);
        if (doubles[d + WINDOW_ZEROS]! > 0) this.#open.add(ZERO_KEY, doubles[d + WINDOW_ZEROS]!);
      }
      if (cells.table.version(cell) !== version) continue;
      mergeMoments(this.moments, 0, this.#block, 0);
      this.histogram.addAll(this.#open);
      return true;
    }
    return false;
  }
}
