/**
 * Cells: the streaming aggregates, one for every metric and full label set, in shared memory.
 *
 *   0      4      8        12       16       20      24           32                                        136
 *   ┌──────┬──────┬────────┬────────┬────────┬───────┬────────────┬────────────────────────────────────────┬───
 *   │ lock │ hash │ metric │ labels │ blocks │ flags │ (reserved) │ count first mean, m2, sum with errors, │
 *   │      │      │        │        │        │       │            │ min max zeros since touched (f64 each) │
 *   └──────┴──────┴────────┴────────┴────────┴───────┴────────────┴────────────────────────────────────────┴───
 *
 * `metric` is an interned name; `labels` a block of [key, value] references, sorted by the bytes of the keys;
 * `blocks` the first block of the histogram. What the numbers mean, and how a value is added: fold/moments.ts.
 */

import { HASH_SEED, hashBytes, hashEnd, hashWord } from '../model/hash.js';
import { CELL_BYTES, OVERFLOW_CELLS } from './layout.js';
import type { Names } from './names.js';
import { SlotIndex } from './slot-index.js';
import { type SlotFields, SlotTable } from './slot-table.js';

const LOCK = 0;
const HASH = 1;
const METRIC = 2;
const LABELS = 3;
const BLOCKS = 4;
const FLAGS = 5;

/** First of the ten doubles of fold/moments.ts. */
export const CELL_COUNT = 4;
export const CELL_ZEROS = 14;
export const CELL_SINCE = 15;
export const CELL_TOUCHED = 16;

export const FLAG_OVERFLOW = 1;

/** The labels and the histogram lie elsewhere, and are compared by themselves. */
export const CELL_FIELDS: SlotFields = {
  names: { [METRIC]: 'metric' },
  places: [LOCK, HASH, LABELS, BLOCKS],
  words: { [FLAGS]: 'flags' },
  doubles: {
    [CELL_COUNT]: 'count',
    [CELL_COUNT + 1]: 'first',
    [CELL_COUNT + 2]: 'mean',
    [CELL_COUNT + 3]: 'mean error',
    [CELL_COUNT + 4]: 'm2',
    [CELL_COUNT + 5]: 'm2 error',
    [CELL_COUNT + 6]: 'sum',
    [CELL_COUNT + 7]: 'sum error',
    [CELL_COUNT + 8]: 'min',
    [CELL_COUNT + 9]: 'max',
    [CELL_ZEROS]: 'zeros',
    [CELL_SINCE]: 'since',
    [CELL_TOUCHED]: 'touched',
  },
};

export class Cells {
  readonly table: SlotTable;
  readonly #index: SlotIndex;
  readonly #names: Names;
  readonly #maxSeries: number;
  readonly #labelBytes = new Uint8Array(256);
  readonly #labelWords = new Int32Array(this.#labelBytes.buffer);
  readonly #labelView = new DataView(this.#labelBytes.buffer);

  constructor(memory: SharedArrayBuffer, index: SharedArrayBuffer, names: Names, maxSeries: number) {
    this.table = new SlotTable(memory, CELL_BYTES);
    this.#index = new SlotIndex(index);
    this.#names = names;
    this.#maxSeries = maxSeries;
  }

  /**
   * The cell of a metric and label set, which comes to life if it is not there.
   * @param labels references [key, value, key, value, …], sorted by key; they and `metric` stay the caller's
   * @returns the slot, or 0 if there is no room for one more
   */
  find(metric: number, labels: Int32Array, labelCount: number): number {
    const hash = this.#hash(metric, labels, labelCount);
    const words = this.table.words;
    for (let place = this.#index.home(hash); ; place = this.#index.next(place)) {
      const slot = this.#index.slotAt(place);
      if (slot === 0) return 0;
      if (this.#index.hashAt(place) === hash) {
        const at = slot * this.table.slotWords;
        if (words[at + METRIC] === metric && this.#sameLabels(words[at + LABELS]!, labels, labelCount))
          return slot;
      }
    }
  }

  /** @param overflow whether the cell may use the room that is kept for overflow cells */
  create(metric: number, labels: Int32Array, labelCount: number, overflow: boolean): number {
    if (this.table.used >= this.#maxSeries + (overflow ? OVERFLOW_CELLS : 0)) return 0;
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
    this.table.unlock(slot);
    this.#names.retain(metric);
    for (let i = 0; i < labelCount * 2; i++) this.#names.retain(labels[i]!);
    this.#index.insert(hash, slot);
    return slot;
  }

  /**
   * The block of the overflow's labels (one pair), which all overflow cells share. Called once before anything else is
   * stored: when overflow cells come to life the names may have no room for one more.
   */
  overflowBlock(labels: Int32Array): number {
    this.#labelWords[0] = labels[0]!;
    this.#labelWords[1] = labels[1]!;
    const hash = hashBytes(this.#labelBytes, 0, 8);
    const names = this.#names;
    return names.find(this.#labelView, 0, 8, hash) || names.intern(this.#labelView, 0, 8, hash);
  }

  get used(): number {
    return this.table.used;
  }

  metric(slot: number): number {
    return this.table.words[slot * this.table.slotWords + METRIC]!;
  }

  blocks(slot: number): number {
    return this.table.words[slot * this.table.slotWords + BLOCKS]!;
  }

  setBlocks(slot: number, first: number): void {
    this.table.words[slot * this.table.slotWords + BLOCKS] = first;
  }

  /** For readers: the label references of a cell, [key, value, …]. */
  labels(slot: number): number[] {
    const block = this.table.words[slot * this.table.slotWords + LABELS]!;
    if (block === 0) return [];
    const count = Math.min(this.#names.lengthOf(block) >> 2, 32);
    return Array.from({ length: count }, (_, i) => this.#names.wordOf(block, i));
  }

  get indexBytes(): number {
    return this.#index.usedBytes;
  }

  clear(): void {
    // Untouched memory stays so: zeros written over it would make it resident.
    if (this.table.top === 1) return;
    this.table.clear();
    this.#index.clear();
  }

  #storeLabels(labels: Int32Array, labelCount: number): number {
    if (labelCount === 0) return 0;
    for (let i = 0; i < labelCount * 2; i++) this.#labelWords[i] = labels[i]!;
    return this.#names.store(this.#labelView, 0, labelCount * 8, 0);
  }

  #hash(metric: number, labels: Int32Array, labelCount: number): number {
    let hash = hashWord(HASH_SEED, metric);
    for (let i = 0; i < labelCount * 2; i++) hash = hashWord(hash, labels[i]!);
    return hashEnd(hash, labelCount);
  }

  #sameLabels(block: number, labels: Int32Array, labelCount: number): boolean {
    if (labelCount === 0) return block === 0;
    if (block === 0 || this.#names.lengthOf(block) !== labelCount * 8) return false;
    for (let i = 0; i < labelCount * 2; i++) {
      if (this.#names.wordOf(block, i) !== labels[i]) return false;
    }
    return true;
  }
}
