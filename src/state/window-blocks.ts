/**
 * What the windows keep of a time that is over: moments and histogram of one cell in one slot of time, written once and
 * never changed. A pool of chunks of 64 bytes; a block is as many of them as it needs.
 *
 *   head     ┌────────┬───────┬──────┬───────┐ ┌───────┬──────┬────┬─────┬─────┬─────┐
 *   of the   │ sample │ newer │ slot │ bytes │ │ first │ mean │ M2 │ sum │ min │ max │
 *   block    │ counts │ block │      │       │ └───────┴──────┴────┴─────┴─────┴─────┘   f64 each
 *            └────────┴───────┴──────┴───────┘
 *   counts   ┌──────┬──────────────────────────┐   varints (LEB128) over the chunks: the bucket's key less that of the
 *            │ next │ 60 bytes                 │   one before it, its count, and so on. So the count is not kept. A
 *            └──────┴──────────────────────────┘   single sample needs none of it: its bucket is that of `first`
 *   chunk 0  top, free, used, the newest slot that was lost, the cell swept last, the slot in which all cells were swept
 *
 * The errors that the moments carry (fold/moments.ts) are added up in it: what a slot has lost by that is below the last
 * digit of its own numbers, and does not grow.
 *
 * The fold alone writes. Who reads holds the windows' version of the cell (cells.ts); all walks are bounded, since a block
 * that was freed may be anything.
 */

import type { DenseHistogram } from './dense-histogram.js';
import { bucketOf, KEYS, keyOfBucket } from './histogram.js';
import { CHUNK_BYTES } from './layout.js';

const CHUNK_WORDS = CHUNK_BYTES / 4;
const CHUNK_DOUBLES = CHUNK_BYTES / 8;
const NEXT = 0;
const NEWER = 1;
const SLOT = 2;
const LENGTH = 3;
const FIRST = 2; // in doubles
const COUNTS_FROM = 4;
const COUNTS_BYTES = CHUNK_BYTES - COUNTS_FROM;
/** A key takes up to 2 bytes, a count up to 2^53 takes 8. */
const LENGTH_MAX = KEYS * 10;

const TOP = 1;
const FREE = 2;
const USED = 3;
const LOST = 4;
const CURSOR = 5;
const SWEPT = 6;

/** Of the ten doubles of fold/moments.ts. */
const MOMENT_COUNT = 0;
const MOMENT_FIRST = 1;
const MOMENT_MEAN = 2;
const MOMENT_M2 = 4;
const MOMENT_SUM = 6;
const MOMENT_MIN = 8;
const MOMENT_MAX = 9;

export class WindowBlocks {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #chunksMax: number;
  #chunks: number;
  /** The counts of the block in work. */
  #encoded = new Uint8Array(1024);
  #encodedLength = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#chunksMax = Math.floor(memory.byteLength / CHUNK_BYTES);
    this.#chunks = this.#chunksMax;
    if (this.#words[TOP] === 0) this.#words[TOP] = 1;
  }

  /** So much may be in use, of what the memory has (limits.ts). */
  setLimit(bytes: number): void {
    this.#chunks = Math.min(this.#chunksMax, Math.floor(bytes / CHUNK_BYTES));
  }

  /** From the start of the memory; behind them are zeros. */
  get usedBytes(): number {
    return this.#words[TOP]! * CHUNK_BYTES;
  }

  get chunksUsed(): number {
    return this.#words[USED]!;
  }

  get chunksFree(): number {
    return Math.max(0, this.#chunks - 1 - this.#words[USED]!);
  }

  /** The newest slot (of the finest width) of which something was lost; 0: none. */
  get lost(): number {
    return this.#words[LOST]!;
  }

  setLost(slot: number): void {
    if (slot > this.#words[LOST]!) this.#words[LOST] = slot;
  }

  get cursor(): number {
    return this.#words[CURSOR]!;
  }

  setCursor(cell: number): void {
    this.#words[CURSOR] = cell;
  }

  get swept(): number {
    return this.#words[SWEPT]!;
  }

  setSwept(slot: number): void {
    this.#words[SWEPT] = slot;
  }

  /**
   * @param moments the ten doubles of fold/moments.ts, of at least one value
   * @param histogram of the same values
   * @returns the block, or 0 where the chunks left are too few; then nothing was changed
   */
  write(slot: number, moments: Float64Array, histogram: DenseHistogram): number {
    this.#encodedLength = 0;
    if (moments[MOMENT_COUNT]! > 1) this.#encode(histogram);
    const length = this.#encodedLength;
    if (1 + Math.ceil(length / COUNTS_BYTES) > this.chunksFree) return 0;
    const block = this.#take();
    const words = this.#words;
    words[block * CHUNK_WORDS + NEWER] = 0;
    words[block * CHUNK_WORDS + SLOT] = slot;
    words[block * CHUNK_WORDS + LENGTH] = length;
    const d = block * CHUNK_DOUBLES + FIRST;
    const doubles = this.#doubles;
    doubles[d] = moments[MOMENT_FIRST]!;
    doubles[d + 1] = moments[MOMENT_MEAN]! + moments[MOMENT_MEAN + 1]!;
    doubles[d + 2] = moments[MOMENT_M2]! + moments[MOMENT_M2 + 1]!;
    // A sum beyond the range of doubles has no error to add.
    const sum = moments[MOMENT_SUM]!;
    doubles[d + 3] = Number.isFinite(sum) ? sum + moments[MOMENT_SUM + 1]! : sum;
    doubles[d + 4] = moments[MOMENT_MIN]!;
    doubles[d + 5] = moments[MOMENT_MAX]!;
    let chunk = block;
    for (let from = 0; from < length; from += COUNTS_BYTES) {
      const next = this.#take();
      words[chunk * CHUNK_WORDS + NEXT] = next;
      chunk = next;
      const to = chunk * CHUNK_BYTES + COUNTS_FROM;
      const bytes = Math.min(COUNTS_BYTES, length - from);
      for (let i = 0; i < bytes; i++) this.#bytes[to + i] = this.#encoded[from + i]!;
    }
    words[chunk * CHUNK_WORDS + NEXT] = 0;
    return block;
  }

  slot(block: number): number {
    return this.#words[block * CHUNK_WORDS + SLOT]!;
  }

  /** The block behind it in its cell's list. */
  newer(block: number): number {
    return this.#words[block * CHUNK_WORDS + NEWER]!;
  }

  setNewer(block: number, newer: number): void {
    this.#words[block * CHUNK_WORDS + NEWER] = newer;
  }

  /** Whether a number that was read without a lock can be a block. */
  isBlock(block: number): boolean {
    return block > 0 && block < this.#words[TOP]!;
  }

  /** The ten doubles of fold/moments.ts into `moments`, and the counts added to `histogram`. */
  read(block: number, moments: Float64Array, histogram: DenseHistogram): void {
    const doubles = this.#doubles;
    const d = block * CHUNK_DOUBLES + FIRST;
    moments.fill(0);
    moments[MOMENT_FIRST] = doubles[d]!;
    moments[MOMENT_MEAN] = doubles[d + 1]!;
    moments[MOMENT_M2] = doubles[d + 2]!;
    moments[MOMENT_SUM] = doubles[d + 3]!;
    moments[MOMENT_MIN] = doubles[d + 4]!;
    moments[MOMENT_MAX] = doubles[d + 5]!;
    const length = this.#words[block * CHUNK_WORDS + LENGTH]!;
    if (length === 0) {
      moments[MOMENT_COUNT] = 1;
      histogram.add(keyOfBucket(bucketOf(doubles[d]!)), 1);
    } else {
      moments[MOMENT_COUNT] = this.#readCounts(block, Math.min(length, LENGTH_MAX), histogram);
    }
  }

  release(block: number): void {
    let chunk = block;
    while (chunk !== 0) {
      const next = this.#words[chunk * CHUNK_WORDS + NEXT]!;
      this.#words[chunk * CHUNK_WORDS + NEXT] = this.#words[FREE]!;
      this.#words[FREE] = chunk;
      this.#words[USED]! -= 1;
      chunk = next;
    }
  }

  clear(): void {
    this.#words.fill(0, 0, this.#words[TOP]! * CHUNK_WORDS);
    this.#words[TOP] = 1;
  }

  /** @returns the sum of the counts */
  #readCounts(block: number, length: number, histogram: DenseHistogram): number {
    const bytes = this.#bytes;
    let chunk = block;
    let at = 0;
    let end = 0;
    let key = 0;
    let total = 0;
    let isCount = false;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < length; i++) {
      if (at === end) {
        chunk = this.#words[chunk * CHUNK_WORDS + NEXT]!;
        if (!this.isBlock(chunk)) break;
        at = chunk * CHUNK_BYTES + COUNTS_FROM;
        end = at + COUNTS_BYTES;
      }
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte >= 128) continue;
      if (isCount) {
        histogram.add(key, value);
        total += value;
      } else {
        key += value;
      }
      isCount = !isCount;
      value = 0;
      scale = 1;
    }
    return total;
  }

  #encode(histogram: DenseHistogram): void {
    let last = 0;
    for (let key = histogram.next(-1); key >= 0; key = histogram.next(key)) {
      this.#putVarint(key - last);
      this.#putVarint(histogram.counts[key]!);
      last = key;
    }
  }

  #putVarint(value: number): void {
    if (this.#encodedLength + 8 > this.#encoded.length) {
      const larger = new Uint8Array(this.#encoded.length * 2);
      larger.set(this.#encoded);
      this.#encoded = larger;
    }
    let rest = value;
    while (rest >= 128) {
      this.#encoded[this.#encodedLength++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#encoded[this.#encodedLength++] = rest;
  }

  #take(): number {
    const words = this.#words;
    let chunk = words[FREE]!;
    if (chunk !== 0) {
      words[FREE] = words[chunk * CHUNK_WORDS + NEXT]!;
    } else {
      chunk = words[TOP]!;
      words[TOP] = chunk + 1;
    }
    words[USED]! += 1;
    return chunk;
  }
}
