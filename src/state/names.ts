/**
 * Byte strings of the state: ids, agents, kinds, label sets. A heap of blocks in shared memory, and an index over those
 * that are interned (one block for all equal strings, counted by its references).
 *
 *   heap:     ┌───────────────┬────────────────────────────────────────────────────────┬───── free, untouched ─────┐
 *             │ head, 512 B   │ block │ block │ …                                      │                           │
 *             └───────────────┴────────────────────────────────────────────────────────┴───────────────────────────┘
 *   head:     top, blocks in use, free list per size class
 *   block:                                                     ┌────────┬─────────────────┐
 *   stored                                                     │ length │ bytes           │   a multiple of 8 bytes;
 *             ┌──────────────────────────┬──────┬────────────┬─┴────────┼─────────────────┤   freed: its first word
 *   interned  │ heads of its lists, 32 B │ hash │ references │ length   │ bytes           │   links the free list
 *             └──────────────────────────┴──────┴────────────┴──────────┴─────────────────┘
 *
 * An interned string heads the lists of what has it for an agent, a project, a phase or a parent (slot-list.ts): newest
 * entry and length, each a word. Who is in a list holds a reference.
 *
 * The index has a reference a place, and grows as in slot-index.ts: head (mask, entries, version), then the places.
 *
 * A reference is the offset of the block's length / 8; 0 is the empty string. Blocks of one size class are used again, so a
 * steady state takes no new room. Only the fold writes. A reader must hold the sequence lock of the slot that told
 * it the reference: while that slot is unchanged, the block is not freed.
 */

import {
  type Bytes,
  type ByteView,
  bytesOf,
  copyOfWords,
  type Doubles,
  doublesOf,
  leastWord,
  type MemoryPart,
  powerBelow,
  toWord,
  type Words,
  wordsOf,
} from '../model/memory.js';
import { stepVersion } from './sequence-lock.js';

const HEAD_BYTES = 512;
const TOP = 0;
const USED = 1;
const FREE_LISTS = 4;
/** Blocks up to 960 bytes: a name of 256, a label set of 2 × 16 references, the lines of 100 groups. */
const CLASS_COUNT = 120;
const CLASS_BYTES = 8;
const LENGTH_BYTES = 4;
/** Between the length and the first double. */
const DOUBLES_PADDING = 4;
/** No block holds more. */
export const BLOCK_BYTES_MAX = CLASS_COUNT * CLASS_BYTES - LENGTH_BYTES;

/** The lists that an interned string heads. */
export const LIST_AGENT = 0;
export const LIST_PROJECT = 1;
export const LIST_PHASE = 2;
export const LIST_PARENT = 3;
const LIST_COUNT = 4;
const HEAD_WORDS = 2;
/** Words of an interned block before its length. */
const INTERNED_WORDS = LIST_COUNT * HEAD_WORDS + 2;
const REFERENCES = -1;
const HASH = -2;

const MASK = 0;
const ENTRIES = 1;
const VERSION = 2;
const INDEX_HEAD_WORDS = 16;
const PLACES_MIN = 1024;
const NAME_BYTES_TYPICAL = 48;
const FIND_TRIES = 1000;

/** Bytes for the index of what a heap of so many bytes can hold, at half a line of text a string. */
export function namesIndexBytes(heapBytes: f64): f64 {
  return (INDEX_HEAD_WORDS + indexPlaces(heapBytes)) * 4;
}

function indexPlaces(heapBytes: f64): f64 {
  return 2 ** Math.ceil(Math.log2(Math.max((heapBytes / NAME_BYTES_TYPICAL) * 2, PLACES_MIN)));
}

function memoryPlaces(index: Words): i32 {
  return powerBelow(index.length - INDEX_HEAD_WORDS);
}

export class Names {
  /** The heap, for the heads of lists. */
  readonly words: Words;
  /** The heap, for blocks of doubles. */
  readonly doubles: Doubles;
  readonly #bytes: Bytes;
  readonly #index: Words;
  #placesMax: i32;
  #endWord: i32;

  constructor(memory: MemoryPart, index: MemoryPart) {
    this.words = wordsOf(memory);
    this.doubles = doublesOf(memory);
    this.#bytes = bytesOf(memory);
    this.#index = wordsOf(index);
    this.#placesMax = memoryPlaces(this.#index);
    if (this.#index[MASK] === 0) this.#index[MASK] = leastWord(PLACES_MIN, this.#placesMax) - 1;
    this.#endWord = this.words.length;
    if (this.words[TOP] === 0) this.words[TOP] = HEAD_BYTES / 4;
  }

  /** So large may the heap be, of what the memory has: the same limits give the same state, whatever memory it lies in. */
  setLimit(heapBytes: f64): void {
    this.#endWord = toWord(Math.min(this.words.length, Math.floor(heapBytes / 4)));
    this.#placesMax = toWord(Math.min(indexPlaces(heapBytes), memoryPlaces(this.#index)));
  }

  /** Bytes taken from the heap, freed blocks included. */
  get heapBytes(): f64 {
    return (this.words[TOP]! as f64) * 4;
  }

  /** Of the index, from the start of its memory; behind them are zeros. */
  get indexBytes(): f64 {
    return ((this.#index[MASK]! as f64) + INDEX_HEAD_WORDS + 1) * 4;
  }

  get blocks(): i32 {
    return this.words[USED]!;
  }

  clear(): void {
    if (this.words[TOP] === HEAD_BYTES / 4) return; // nothing stored yet: untouched memory stays so
    this.words.fill(0, 0, this.words[TOP]);
    const index = this.#index;
    const version = index[VERSION]!;
    index.fill(0, 0, INDEX_HEAD_WORDS + index[MASK]! + 1);
    index[MASK] = leastWord(PLACES_MIN, this.#placesMax) - 1;
    index[VERSION] = (version + 2) & 0x3fff_fffe;
    this.words[TOP] = HEAD_BYTES / 4;
  }

  /** A block of its own for these bytes, which one reference holds; 0 if the heap is full. */
  store(source: ByteView, offset: i32, length: i32): i32 {
    const word = this.#take(LENGTH_BYTES + length);
    if (word !== 0) this.#write(word, source, offset, length);
    return word >> 1;
  }

  /** A block of its own for so many doubles, all 0, the first at `doubles[reference + 1]`; 0 if the heap is full. */
  reserve(count: i32): i32 {
    const length = DOUBLES_PADDING + count * 8;
    const word = this.#take(LENGTH_BYTES + length);
    if (word === 0) return 0;
    this.words.fill(0, word, word + (count + 1) * 2);
    this.words[word] = length;
    return word >> 1;
  }

  /** The one block of these bytes, with one reference more; 0 if the heap or the index is full. */
  intern(source: ByteView, offset: i32, length: i32, hash: i32): i32 {
    const known = this.find(source, offset, length, hash);
    if (known !== 0) {
      this.words[known * 2 + REFERENCES]! += 1;
      return known;
    }
    const index = this.#index;
    if ((index[ENTRIES]! + 1) * 2 > index[MASK]! + 1 && !this.#double()) return 0;
    const start = this.#take(INTERNED_WORDS * 4 + LENGTH_BYTES + length);
    if (start === 0) return 0;
    const words = this.words;
    const word = start + INTERNED_WORDS;
    for (let i = start; i < word + HASH; i++) words[i] = 0;
    words[word + HASH] = hash;
    words[word + REFERENCES] = 1;
    this.#write(word, source, offset, length);
    index[ENTRIES]! += 1;
    this.#place(word >> 1, hash);
    return word >> 1;
  }

  /** The interned block of these bytes, without a new reference; 0 if there is none. */
  find(source: ByteView, offset: i32, length: i32, hash: i32): i32 {
    const index = this.#index;
    const mask = index[MASK]!;
    let place = hash & mask;
    let ref = index[INDEX_HEAD_WORDS + place]!;
    while (ref !== 0) {
      if (this.words[ref * 2 + HASH] === hash && this.equals(ref, source, offset, length)) return ref;
      place = (place + 1) & mask;
      ref = index[INDEX_HEAD_WORDS + place]!;
    }
    return 0;
  }

  /** For readers in another thread: looks again while entries of the index move, a bounded number of times. */
  findSettled(source: ByteView, offset: i32, length: i32, hash: i32): i32 {
    for (let tries = 0; ; tries++) {
      const version = Atomics.load(this.#index, VERSION);
      const ref = this.find(source, offset, length, hash);
      if (ref !== 0 || tries === FIND_TRIES) return ref;
      if ((version & 1) === 0 && version === Atomics.load(this.#index, VERSION)) return 0;
    }
  }

  equals(ref: i32, source: ByteView, offset: i32, length: i32): boolean {
    const words = this.words;
    let word = ref * 2;
    if (words[word] !== length) return false;
    word++;
    let i = 0;
    for (; i + 4 <= length; i += 4, word++) {
      if (words[word] !== source.getInt32(offset + i, true)) return false;
    }
    for (let at = word * 4; i < length; i++, at++) {
      if (this.#bytes[at] !== source.getUint8(offset + i)) return false;
    }
    return true;
  }

  /** One reference more to an interned block. */
  retain(ref: i32): void {
    if (ref !== 0) this.words[ref * 2 + REFERENCES]! += 1;
  }

  /** Gives one reference to an interned block back; the last one frees it. */
  release(ref: i32): void {
    if (ref === 0) return;
    const word = ref * 2;
    const words = this.words;
    words[word + REFERENCES]! -= 1;
    if (words[word + REFERENCES] !== 0) return;
    this.#unlink(ref, words[word + HASH]!);
    this.#give(word - INTERNED_WORDS, INTERNED_WORDS * 4 + LENGTH_BYTES + words[word]!);
  }

  /** Frees a block that was stored or reserved. */
  free(ref: i32): void {
    if (ref !== 0) this.#give(ref * 2, LENGTH_BYTES + this.words[ref * 2]!);
  }

  /** The word, in `words`, of the head of a list that an interned block has: its newest entry; the next word is its length. */
  headOf(ref: i32, list: i32): i32 {
    return ref * 2 - INTERNED_WORDS + list * HEAD_WORDS;
  }

  /** @returns the first word of a block, or 0 if there is no room */
  #take(bytes: i32): i32 {
    const words = this.words;
    const sizeClass = (bytes + CLASS_BYTES - 1) >> 3;
    let word = words[FREE_LISTS + sizeClass]!;
    if (word !== 0) {
      words[FREE_LISTS + sizeClass] = words[word]!;
    } else {
      word = words[TOP]!;
      if (word + sizeClass * 2 > this.#endWord) return 0;
      words[TOP] = word + sizeClass * 2;
    }
    words[USED]! += 1;
    return word;
  }

  #give(word: i32, bytes: i32): void {
    const words = this.words;
    const sizeClass = (bytes + CLASS_BYTES - 1) >> 3;
    words[word] = words[FREE_LISTS + sizeClass]!;
    words[FREE_LISTS + sizeClass] = word;
    words[USED]! -= 1;
  }

  #write(word: i32, source: ByteView, offset: i32, length: i32): void {
    const words = this.words;
    words[word] = length;
    let to = word + 1;
    let i = 0;
    for (; i + 4 <= length; i += 4) words[to++] = source.getInt32(offset + i, true);
    if (i < length) {
      let last = 0;
      for (let shift = 0; i < length; i++, shift += 8) last |= source.getUint8(offset + i) << shift;
      words[to] = last;
    }
  }

  #place(ref: i32, hash: i32): void {
    const index = this.#index;
    const mask = index[MASK]!;
    let place = hash & mask;
    while (index[INDEX_HEAD_WORDS + place] !== 0) place = (place + 1) & mask;
    index[INDEX_HEAD_WORDS + place] = ref;
  }

  /** @returns false if the index is as large as it can be */
  #double(): boolean {
    const index = this.#index;
    const places = index[MASK]! + 1;
    if (places >= this.#placesMax) return false;
    const refs = copyOfWords(index, INDEX_HEAD_WORDS, places);
    stepVersion(index, VERSION);
    index.fill(0, INDEX_HEAD_WORDS, INDEX_HEAD_WORDS + places);
    index[MASK] = places * 2 - 1;
    for (let i = 0; i < places; i++) {
      const ref = refs[i]!;
      if (ref !== 0) this.#place(ref, this.words[ref * 2 + HASH]!);
    }
    stepVersion(index, VERSION);
    return true;
  }

  /** Algorithm R, as in slot-index.ts, over references alone: the hash is in the block. */
  #unlink(ref: i32, hash: i32): void {
    const index = this.#index;
    const mask = index[MASK]!;
    let hole = hash & mask;
    while (index[INDEX_HEAD_WORDS + hole] !== ref) hole = (hole + 1) & mask;
    stepVersion(index, VERSION);
    let place = hole;
    for (;;) {
      place = (place + 1) & mask;
      const other = index[INDEX_HEAD_WORDS + place]!;
      if (other === 0) break;
      const home = this.words[other * 2 + HASH]! & mask;
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        index[INDEX_HEAD_WORDS + hole] = other;
        hole = place;
      }
    }
    index[INDEX_HEAD_WORDS + hole] = 0;
    index[ENTRIES]! -= 1;
    stepVersion(index, VERSION);
  }

  lengthOf(ref: i32): i32 {
    return this.words[ref * 2]!;
  }

  /** A 4-byte word of the block's bytes, for blocks that hold words. */
  wordOf(ref: i32, index: i32): i32 {
    return this.words[ref * 2 + 1 + index]!;
  }

  /**
   * For readers: copies the string's bytes to `into`, which has room for BLOCK_BYTES_MAX of them.
   * @returns how many; the slot's lock tells whether the block was freed meanwhile
   */
  copyBytes(ref: i32, into: Bytes, at: i32): i32 {
    if (ref === 0) return 0;
    const from = ref * 8 + LENGTH_BYTES;
    const length = Math.min(Math.max(this.lengthOf(ref), 0), BLOCK_BYTES_MAX);
    // A loop: names are short, and `set` out of shared memory is a call that costs more than they do.
    for (let i = 0; i < length; i++) into[at + i] = this.#bytes[from + i]!;
    return length;
  }

  /** For readers: the string, or what stands there if the block was freed meanwhile (the slot's lock tells). */
  text(ref: i32): string {
    if (ref === 0) return '';
    const from = ref * 8 + LENGTH_BYTES;
    const length = Math.min(Math.max(this.lengthOf(ref), 0), BLOCK_BYTES_MAX);
    return Buffer.from(this.#bytes.slice(from, from + length)).toString('utf8');
  }
}
