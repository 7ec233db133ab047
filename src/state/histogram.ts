/**
 * Base-2 exponential histograms of scale 5 (OpenTelemetry's: 32 buckets an octave, a bucket holds (b^i, b^(i+1)] with
 * b = 2^(1/32)), exactly mergeable, since a value's bucket depends on the value alone. The value of a bucket is
 * its geometric middle, which is off by at most 2^(1/64) − 1 = 1.09 %.
 *
 * Zero and |x| < 2^-64 share the zero bucket, above 2^64 the last one counts; negative values are mirrored.
 * Counters lie in blocks of one octave, linked from the cell in the order of their first use:
 *
 *   block: ┌──────┬──────┬────────┬──────────────────────────┐
 *          │ mask │ next │ octave │ 32 counters (f64)        │   octave: -64…63, +256 for negative values
 *          └──────┴──────┴────────┴──────────────────────────┘   counters are doubles: exact to 2^53, a u32 is full in half an hour
 *
 * `mask` has a bit for each counter that is not 0, so that a reader looks at those alone: most cells have few values.
 */

import {
  type Doubles,
  highWord,
  type MemoryPart,
  ownDoubles,
  ownWords,
  type Words,
  withHighWord,
} from '../model/memory.js';
import type { DenseHistogram } from './dense-histogram.js';
import { BUCKETS_BYTES } from './slot-bytes.js';
import { SlotTable } from './slot-table.js';

export const BUCKETS_PER_OCTAVE = 32;
export const OCTAVE_MIN = -64;
export const OCTAVE_MAX = 63;
export const NEGATIVE = 256;
export const ZERO_BUCKET = 0x7fff_ffff;

const MASK = 1;
const NEXT = 2;
const OCTAVE = 3;
const COUNTERS = 2; // in doubles
/** As many as there are octaves, of either sign. */
const LIST_STEPS_MAX = 2 * (OCTAVE_MAX - OCTAVE_MIN + 1);

/** Bounds of the buckets of [1, 2]: 2^(i/32). */
const BOUNDS = boundsOfOctave();
/** For the top 8 bits of the fraction, the bucket of the smallest value that begins with them. */
const FIRST_GUESS = firstGuesses();

function firstGuesses(): Words {
  const guesses = ownWords(256);
  for (let i = 0; i < 256; i++) {
    let bucket = 0;
    while (bucket < 31 && 1 + (i as f64) / 256 > BOUNDS[bucket + 1]!) bucket++;
    guesses[i] = bucket;
  }
  return guesses;
}

/**
 * 2^(i/32) as products of the correctly rounded 2^(1/2), 2^(1/4), …: the same on every machine and in every version
 * of Node, which `Math.pow` does not promise, and a bucket's bound must not move between fold and replay.
 */
function boundsOfOctave(): Doubles {
  const bounds = ownDoubles(BUCKETS_PER_OCTAVE + 1);
  const roots = ownDoubles(5);
  roots[0] = Math.SQRT2;
  for (let i = 1; i < 5; i++) roots[i] = Math.sqrt(roots[i - 1]!);
  for (let i = 0; i < BUCKETS_PER_OCTAVE; i++) {
    let bound: f64 = 1;
    for (let bit = 0; bit < 5; bit++) if ((i & (1 << bit)) !== 0) bound *= roots[4 - bit]!;
    bounds[i] = bound;
  }
  bounds[BUCKETS_PER_OCTAVE] = 2;
  return bounds;
}

/**
 * The bucket of a finite value: (octave << 5 | index), the octave shifted by NEGATIVE for negative values, or
 * ZERO_BUCKET. The octave is the exponent of the double, so there is no logarithm and no rounding in it.
 */
export function bucketOf(value: f64): i32 {
  const high = highWord(value);
  const negative = high < 0 ? NEGATIVE : 0;
  let octave = ((high >>> 20) & 0x7ff) - 1023;
  if (octave < OCTAVE_MIN) return ZERO_BUCKET;
  if (octave > OCTAVE_MAX) return ((OCTAVE_MAX + negative) << 5) | 31;
  const fraction = withHighWord(value, (high & 0x000f_ffff) | 0x3ff0_0000);
  let index = FIRST_GUESS[(high >>> 12) & 0xff]!;
  while (index < 31 && fraction > BOUNDS[index + 1]!) index++;
  if (fraction === 1) {
    // A power of two is the upper bound of the bucket below it.
    if (octave === OCTAVE_MIN) return ((octave + negative) << 5) | 0;
    octave--;
    index = 31;
  }
  return ((octave + negative) << 5) | index;
}

const POSITIVE_BUCKETS = (OCTAVE_MAX - OCTAVE_MIN + 1) * BUCKETS_PER_OCTAVE;
export const ZERO_KEY = POSITIVE_BUCKETS;
/** So that an octave begins with a multiple of 32: it is one word of a mask. */
const FIRST_POSITIVE_KEY = ZERO_KEY + BUCKETS_PER_OCTAVE;
export const KEYS = FIRST_POSITIVE_KEY + POSITIVE_BUCKETS;

/**
 * The place of a bucket in the order of the values:
 *
 *   0 …… 4095 │ 4096 │ (none) │ 4128 …… 8223
 *   negative  │ zero │        │ positive
 */
export function keyOfBucket(bucket: i32): i32 {
  if (bucket === ZERO_BUCKET) return ZERO_KEY;
  if (bucket >> 5 > OCTAVE_MAX) return ZERO_KEY - 1 - (bucket - ((OCTAVE_MIN + NEGATIVE) << 5));
  return FIRST_POSITIVE_KEY + (bucket - (OCTAVE_MIN << 5));
}

export function bucketOfKey(key: i32): i32 {
  if (key < ZERO_KEY) return ZERO_KEY - 1 - key + ((OCTAVE_MIN + NEGATIVE) << 5);
  if (key < FIRST_POSITIVE_KEY) return ZERO_BUCKET;
  return key - FIRST_POSITIVE_KEY + (OCTAVE_MIN << 5);
}

/** The geometric middle of a bucket. */
export function valueOfBucket(bucket: i32): f64 {
  if (bucket === ZERO_BUCKET) return 0;
  let octave = bucket >> 5;
  const negative = octave > OCTAVE_MAX;
  if (negative) octave -= NEGATIVE;
  const index = bucket & 31;
  const middle = Math.sqrt(BOUNDS[index]! * BOUNDS[index + 1]!) * 2 ** octave;
  return negative ? -middle : middle;
}

export class Buckets {
  readonly #table: SlotTable;

  constructor(memory: MemoryPart) {
    this.#table = new SlotTable(memory, BUCKETS_BYTES);
  }

  get used(): i32 {
    return this.#table.used;
  }

  get free(): i32 {
    return this.#table.free;
  }

  /** So many blocks may be in use, and the head. */
  setLimit(blocks: f64): void {
    this.#table.setLimit(blocks);
  }

  /**
   * Counts a value in the list that begins at `first`.
   * @returns the list's first block (a new one where `first` was 0), or -1 if a block is needed and none is left
   */
  count(first: i32, bucket: i32): i32 {
    const table = this.#table;
    const octave = bucket >> 5;
    let block = first;
    let last = 0;
    while (block !== 0) {
      const at = block * table.slotWords;
      if (table.words[at + OCTAVE] === octave) {
        table.words[at + MASK]! |= 1 << (bucket & 31);
        table.doubles[block * table.slotDoubles + COUNTERS + (bucket & 31)]! += 1;
        return first;
      }
      last = block;
      block = table.words[at + NEXT]!;
    }
    const added = table.take();
    if (added === 0) return -1;
    const at = added * table.slotWords;
    table.words[at + MASK] = 1 << (bucket & 31);
    table.words[at + OCTAVE] = octave;
    table.doubles[added * table.slotDoubles + COUNTERS + (bucket & 31)] = 1;
    if (last === 0) return added;
    table.words[last * table.slotWords + NEXT] = added;
    return first;
  }

  get usedBytes(): f64 {
    return this.#table.usedBytes;
  }

  /** Adds the list's counters. For readers, too: bounded, whatever the links say meanwhile. */
  collect(first: i32, into: DenseHistogram): void {
    const { words, doubles, slotWords, slotDoubles, top } = this.#table;
    let block = first;
    for (let steps = 0; block > 0 && block < top && steps < LIST_STEPS_MAX; steps++) {
      const at = block * slotWords;
      const octave = words[at + OCTAVE]!;
      into.addOctave(octave, words[at + MASK]!, doubles, block * slotDoubles + COUNTERS);
      block = words[at + NEXT]!;
    }
  }

  /** Moves the counters of one list into another, which needs no new block. @returns the first block of the other */
  move(from: i32, into: i32): i32 {
    const { words, doubles, slotWords, slotDoubles } = this.#table;
    let first = into;
    let block = from;
    while (block !== 0) {
      const at = block * slotWords;
      const next = words[at + NEXT]!;
      let other = into;
      while (other !== 0 && words[other * slotWords + OCTAVE] !== words[at + OCTAVE]) {
        other = words[other * slotWords + NEXT]!;
      }
      if (other === 0) {
        words[at + NEXT] = first;
        first = block;
      } else {
        words[other * slotWords + MASK]! |= words[at + MASK]!;
        for (let i = 0; i < BUCKETS_PER_OCTAVE; i++) {
          doubles[other * slotDoubles + COUNTERS + i]! += doubles[block * slotDoubles + COUNTERS + i]!;
        }
        this.#table.give(block);
      }
      block = next;
    }
    return first;
  }

  /** For readers: tells the octave of each block of the list. Bounded as `collect` is. */
  eachOctave(first: i32, tell: (octave: i32, block: i32) => void): void {
    const table = this.#table;
    let block = first;
    for (let steps = 0; block > 0 && block < table.top && steps < LIST_STEPS_MAX; steps++) {
      const at = block * table.slotWords;
      tell(table.words[at + OCTAVE]!, block);
      block = table.words[at + NEXT]!;
    }
  }

  /** For readers: the values in all buckets of a block. */
  countOf(block: i32): f64 {
    const { words, doubles, slotWords, slotDoubles } = this.#table;
    const counters = block * slotDoubles + COUNTERS;
    let count = 0;
    for (let mask = words[block * slotWords + MASK]!; mask !== 0; mask &= mask - 1) {
      count += doubles[counters + 31 - Math.clz32(mask & -mask)]!;
    }
    return count;
  }

  release(first: i32): void {
    let block = first;
    while (block !== 0) {
      const next = this.#table.words[block * this.#table.slotWords + NEXT]!;
      this.#table.give(block);
      block = next;
    }
  }

  clear(): void {
    this.#table.clear();
  }
}
