/**
 * Byte strings of the state: ids, agents, kinds, label sets. A heap of blocks in shared memory, each counted by its
 * references, and an index over those that are interned (one block for all equal strings).
 *
 *   heap: ┌───────────────┬────────────────────────────────────────────────────────┬───── free, untouched ─────┐
 *         │ head, 256 B   │ block │ block │ …                                      │                           │
 *         └───────────────┴────────────────────────────────────────────────────────┴───────────────────────────┘
 *   head:  top, blocks in use, free list per size class
 *   block: ┌──────┬────────────┬────────┬─────────────────┐   a multiple of 16 bytes
 *          │ hash │ references │ length │ bytes           │   freed: `hash` links the free list, `references` is 0
 *          └──────┴────────────┴────────┴─────────────────┘
 *
 * The index has a reference a place, and grows as in slot-index.ts: head (mask, entries), then the places.
 *
 * A reference is the block's offset / 8; 0 is the empty string. Blocks of one size class are used again, so a steady
 * state takes no new room. Only the fold writes. A reader must hold the sequence lock of the slot that told it
 * the reference: while that slot is unchanged, the block is not freed.
 */

const HEAD_BYTES = 256;
const TOP = 0;
const USED = 1;
const FREE_LISTS = 4;
const CLASS_COUNT = 40; // blocks up to 640 bytes: a name of 256, a label set of 2 × 16 references
const BLOCK_HEADER_BYTES = 12;

const MASK = 0;
const ENTRIES = 1;
const INDEX_HEAD_WORDS = 16;
const PLACES_MIN = 1024;

/** Bytes for the index of so many interned strings. */
export function namesIndexBytes(strings: number): number {
  return (INDEX_HEAD_WORDS + 2 ** Math.ceil(Math.log2(Math.max(strings * 2, PLACES_MIN)))) * 4;
}

export class Names {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #index: Int32Array;
  readonly #placesMax: number;
  readonly #endWord: number;

  constructor(memory: SharedArrayBuffer, index: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#index = new Int32Array(index);
    this.#placesMax = 2 ** Math.floor(Math.log2(this.#index.length - INDEX_HEAD_WORDS));
    if (this.#index[MASK] === 0) this.#index[MASK] = Math.min(PLACES_MIN, this.#placesMax) - 1;
    this.#endWord = this.#words.length;
    if (this.#words[TOP] === 0) this.#words[TOP] = HEAD_BYTES / 4;
  }

  /** Bytes taken from the heap, freed blocks included. */
  get heapBytes(): number {
    return this.#words[TOP]! * 4;
  }

  /** Of the index, from the start of its memory; behind them are zeros. */
  get indexBytes(): number {
    return (INDEX_HEAD_WORDS + this.#index[MASK]! + 1) * 4;
  }

  get blocks(): number {
    return this.#words[USED]!;
  }

  clear(): void {
    if (this.#words[TOP] === HEAD_BYTES / 4) return; // nothing stored yet: untouched memory stays so
    this.#words.fill(0, 0, this.#words[TOP]);
    this.#index.fill(0, 0, INDEX_HEAD_WORDS + this.#index[MASK]! + 1);
    this.#index[MASK] = Math.min(PLACES_MIN, this.#placesMax) - 1;
    this.#words[TOP] = HEAD_BYTES / 4;
  }

  /** A block of its own for these bytes, with one reference; 0 if the heap is full. */
  store(source: DataView, offset: number, length: number, hash: number): number {
    const sizeClass = (BLOCK_HEADER_BYTES + length + 15) >> 4;
    const words = this.#words;
    let word = words[FREE_LISTS + sizeClass]!;
    if (word !== 0) {
      words[FREE_LISTS + sizeClass] = words[word]!;
    } else {
      word = words[TOP]!;
      if (word + sizeClass * 4 > this.#endWord) return 0;
      words[TOP] = word + sizeClass * 4;
    }
    words[USED]! += 1;
    words[word] = hash;
    words[word + 1] = 1;
    words[word + 2] = length;
    let to = word + 3;
    let i = 0;
    for (; i + 4 <= length; i += 4) words[to++] = source.getInt32(offset + i, true);
    if (i < length) {
      let last = 0;
      for (let shift = 0; i < length; i++, shift += 8) last |= source.getUint8(offset + i) << shift;
      words[to] = last;
    }
    return word >> 1;
  }

  /** The one block of these bytes, with one reference more; 0 if the heap or the index is full. */
  intern(source: DataView, offset: number, length: number, hash: number): number {
    const known = this.find(source, offset, length, hash);
    if (known !== 0) {
      this.#words[known * 2 + 1]! += 1;
      return known;
    }
    const index = this.#index;
    if ((index[ENTRIES]! + 1) * 2 > index[MASK]! + 1 && !this.#double()) return 0;
    const ref = this.store(source, offset, length, hash);
    if (ref === 0) return 0;
    index[ENTRIES]! += 1;
    this.#place(ref, hash);
    return ref;
  }

  /** The interned block of these bytes, without a new reference; 0 if there is none. */
  find(source: DataView, offset: number, length: number, hash: number): number {
    const index = this.#index;
    const mask = index[MASK]!;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const ref = index[INDEX_HEAD_WORDS + place]!;
      if (ref === 0) return 0;
      if (this.#words[ref * 2] === hash && this.equals(ref, source, offset, length)) return ref;
    }
  }

  equals(ref: number, source: DataView, offset: number, length: number): boolean {
    const words = this.#words;
    let word = ref * 2 + 2;
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

  retain(ref: number): void {
    if (ref !== 0) this.#words[ref * 2 + 1]! += 1;
  }

  /** Gives one reference back; the last one frees the block. @param interned whether it came from `intern` */
  release(ref: number, interned: boolean): void {
    if (ref === 0) return;
    const word = ref * 2;
    const words = this.#words;
    words[word + 1]! -= 1;
    if (words[word + 1] !== 0) return;
    if (interned) this.#unlink(ref, words[word]!);
    const sizeClass = (BLOCK_HEADER_BYTES + words[word + 2]! + 15) >> 4;
    words[word] = words[FREE_LISTS + sizeClass]!;
    words[FREE_LISTS + sizeClass] = word;
    words[USED]! -= 1;
  }

  #place(ref: number, hash: number): void {
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
    if (places === this.#placesMax) return false;
    const refs = index.slice(INDEX_HEAD_WORDS, INDEX_HEAD_WORDS + places);
    index.fill(0, INDEX_HEAD_WORDS, INDEX_HEAD_WORDS + places);
    index[MASK] = places * 2 - 1;
    for (const ref of refs) if (ref !== 0) this.#place(ref, this.#words[ref * 2]!);
    return true;
  }

  /** Algorithm R, as in slot-index.ts, over references alone: the hash is in the block. */
  #unlink(ref: number, hash: number): void {
    const index = this.#index;
    const mask = index[MASK]!;
    let hole = hash & mask;
    while (index[INDEX_HEAD_WORDS + hole] !== ref) hole = (hole + 1) & mask;
    let place = hole;
    for (;;) {
      place = (place + 1) & mask;
      const other = index[INDEX_HEAD_WORDS + place]!;
      if (other === 0) break;
      const home = this.#words[other * 2]! & mask;
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        index[INDEX_HEAD_WORDS + hole] = other;
        hole = place;
      }
    }
    index[INDEX_HEAD_WORDS + hole] = 0;
    index[ENTRIES]! -= 1;
  }

  lengthOf(ref: number): number {
    return this.#words[ref * 2 + 2]!;
  }

  hashOf(ref: number): number {
    return this.#words[ref * 2]!;
  }

  /** A 4-byte word of the block's bytes, for label sets. */
  wordOf(ref: number, index: number): number {
    return this.#words[ref * 2 + 3 + index]!;
  }

  /** For readers: the string, or what stands there if the block was freed meanwhile (the slot's lock tells). */
  text(ref: number): string {
    if (ref === 0) return '';
    const from = ref * 8 + BLOCK_HEADER_BYTES;
    const length = Math.min(Math.max(this.lengthOf(ref), 0), CLASS_COUNT * 16);
    return Buffer.from(this.#bytes.slice(from, from + length)).toString('utf8');
  }
}
