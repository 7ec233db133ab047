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

import {
  type Bytes,
  bytesOf,
  type Doubles,
  doublesOf,
  leastWord,
  type MemoryPart,
  mostWord,
  ownBytes,
  toWord,
  type Words,
  wordsOf,
} from '../model/memory.js';
import type { DenseHistogram } from './dense-histogram.js';
import { bucketOf, KEYS, keyOfBucket } from './histogram.js';
import { CHUNK_BYTES } from './slot-bytes.js';

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
  readonly #words: Words;
  readonly #doubles: Doubles;
  readonly #bytes: Bytes;
  readonly #chunksMax: i32;
  #chunks: i32;
  /** The counts of the block in work. */
  readonly #encoded: Bytes = ownBytes(LENGTH_MAX);
  #encodedLength: i32 = 0;

  constructor(memory: MemoryPart) {
    this.#words = wordsOf(memory);
    this.#doubles = doublesOf(memory);
    this.#bytes = bytesOf(memory);
    this.#chunksMax = toWord(Math.floor(memory.byteLength / CHUNK_BYTES));
    this.#chunks = this.#chunksMax;
    if (this.#words[TOP] === 0) this.#words[TOP] = 1;
  }

  /** So much may be in use, of what the memory has (limits.ts). */
  setLimit(bytes: f64): void {
    this.#chunks = leastWord(this.#chunksMax, toWord(Math.floor(bytes / CHUNK_BYTES)));
  }

  /** From the start of the memory; behind them are zeros. */
  get usedBytes(): f64 {
    return this.#words[TOP]! * CHUNK_BYTES;
  }

  get chunksUsed(): i32 {
    return this.#words[USED]!;
  }

  get chunksFree(): i32 {
    return mostWord(0, this.#chunks - 1 - this.#words[USED]!);
  }

  /** The newest slot (of the finest width) of which something was lost; 0: none. */
  get lost(): i32 {
    return this.#words[LOST]!;
  }

  setLost(slot: i32): void {
    if (slot > this.#words[LOST]!) this.#words[LOST] = slot;
  }

  get cursor(): i32 {
    return this.#words[CURSOR]!;
  }

  setCursor(cell: i32): void {
    this.#words[CURSOR] = cell;
  }

  get swept(): i32 {
    return this.#words[SWEPT]!;
  }

  setSwept(slot: i32): void {
    this.#words[SWEPT] = slot;
  }

  /**
   * @param moments the ten doubles of fold/moments.ts, of at least one value
   * @param histogram of the same values
   * @returns the block, or 0 where the chunks left are too few; then nothing was changed
   */
  write(slot: i32, moments: Doubles, histogram: DenseHistogram): i32 {
    this.#encodedLength = 0;
    if (moments[MOMENT_COUNT]! > 1) this.#encode(histogram);
    const length = this.#encodedLength;
    const chunks = (length + COUNTS_BYTES - 1) / COUNTS_BYTES;
    if (1 + toWord(chunks) > this.chunksFree) return 0;
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
      const bytes = leastWord(COUNTS_BYTES, length - from);
      for (let i = 0; i < bytes; i++) this.#bytes[to + i] = this.#encoded[from + i]!;
    }
    words[chunk * CHUNK_WORDS + NEXT] = 0;
    return block;
  }

  slot(block: i32): i32 {
    return this.#words[block * CHUNK_WORDS + SLOT]!;
  }

  /** The block behind it in its cell's list. */
  newer(block: i32): i32 {
    return this.#words[block * CHUNK_WORDS + NEWER]!;
  }

  setNewer(block: i32, newer: i32): void {
    this.#words[block * CHUNK_WORDS + NEWER] = newer;
  }

  /** Whether a number that was read without a lock can be a block. */
  isBlock(block: i32): boolean {
    return block > 0 && block < this.#words[TOP]!;
  }

  /** The ten doubles of fold/moments.ts into `moments`, and the counts added to `histogram`. */
  read(block: i32, moments: Doubles, histogram: DenseHistogram): void {
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
      moments[MOMENT_COUNT] = this.#readCounts(block, leastWord(length, LENGTH_MAX), histogram);
    }
  }

  release(block: i32): void {
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
  #readCounts(block: i32, length: i32, histogram: DenseHistogram): f64 {
    const bytes = this.#bytes;
    let chunk = block;
    let at = 0;
    let end = 0;
    let key = 0;
    let total: f64 = 0;
    let isCount = false;
    let value: f64 = 0;
    let scale: f64 = 1;
    for (let i = 0; i < length; i++) {
      if (at === end) {
        chunk = this.#words[chunk * CHUNK_WORDS + NEXT]!;
        if (!this.isBlock(chunk)) break;
        at = chunk * CHUNK_BYTES + COUNTS_FROM;
        end = at + COUNTS_BYTES;
      }
      const byte = bytes[at++]!;
      value += ((byte & 127) as f64) * scale;
      scale *= 128;
      if (byte >= 128) continue;
      if (isCount) {
        histogram.add(key, value);
        total += value;
      } else {
        key += toWord(value);
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
      this.#putVarint((key - last) as f64);
      this.#putVarint(histogram.counts[key]!);
      last = key;
    }
  }

  #putVarint(value: f64): void {
    let rest = value;
    while (rest >= 128) {
      const above = Math.floor(rest / 128);
      this.#encoded[this.#encodedLength++] = toWord(rest - above * 128) | 128;
      rest = above;
    }
    this.#encoded[this.#encodedLength++] = toWord(rest);
  }

  #take(): i32 {
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
