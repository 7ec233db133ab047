/**
 * A hash index from 32-bit hashes to slot numbers: open addressing, linear probing, deletion by backward shift
 * (Knuth, TAOCP 3, 6.4, algorithm R), so no tombstones and the same bytes for the same history of the same entries.
 *
 *   ┌──────┬──────┐ ┌──────┬──────┐
 *   │ hash │ slot │ │ hash │ slot │ …     slot 0: the place is empty. At most half of the places are taken.
 *   └──────┴──────┘ └──────┴──────┘
 *
 * Two keys of one hash stand beside each other; the caller compares the slot's key itself. A reader in another thread may
 * miss an entry that a deletion is shifting: it looks again (see `Tables.read`), and verifies what it found.
 */

export class SlotIndex {
  readonly #words: Int32Array;
  readonly #mask: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#mask = memory.byteLength / 8 - 1;
  }

  /** The first place at which an entry of this hash can stand. */
  home(hash: number): number {
    return hash & this.#mask;
  }

  next(place: number): number {
    return (place + 1) & this.#mask;
  }

  /** 0: the chain ends here. */
  slotAt(place: number): number {
    return this.#words[place * 2 + 1]!;
  }

  hashAt(place: number): number {
    return this.#words[place * 2]!;
  }

  insert(hash: number, slot: number): void {
    let place = hash & this.#mask;
    while (this.#words[place * 2 + 1] !== 0) place = (place + 1) & this.#mask;
    this.#words[place * 2] = hash;
    this.#words[place * 2 + 1] = slot;
  }

  remove(hash: number, slot: number): void {
    const words = this.#words;
    const mask = this.#mask;
    let hole = hash & mask;
    while (words[hole * 2 + 1] !== slot) {
      if (words[hole * 2 + 1] === 0) return;
      hole = (hole + 1) & mask;
    }
    let place = hole;
    for (;;) {
      place = (place + 1) & mask;
      if (words[place * 2 + 1] === 0) break;
      const home = words[place * 2]! & mask;
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        words[hole * 2] = words[place * 2]!;
        words[hole * 2 + 1] = words[place * 2 + 1]!;
        hole = place;
      }
    }
    words[hole * 2 + 1] = 0;
    words[hole * 2] = 0;
  }

  clear(): void {
    this.#words.fill(0);
  }
}
