/**
 * The index of a segment while frames are added to it: of the active one in memory, of a closed one until it is in its
 * file (index-file.ts). In arrays that double, since a segment may have a million frames: a row of numbers a frame, and
 * the keys of all frames behind one another, each frame's ascending.
 */

import assert from 'node:assert';
import type { FrameTraits } from './frame-traits.js';
import type { IndexedFrame, SegmentIndex } from './segment-index.js';
import type { FramePlace } from './segment-reader.js';

const OFFSET = 0; // in a row
const BYTES = 1;
const FIRST_LINE = 2;
const LINE_COUNT = 3;
const FIRST_ARRIVAL = 4;
const LAST_ARRIVAL = 5;
const KINDS = 6;
const KEYS_END = 7;
const ROW = 8;

/** How far an index has come. */
export interface IndexEnd {
  /** The segment up to this offset is in it. */
  readonly bytes: number;
  /** The lines and arrivals to come are not before these. */
  readonly nextLine: number;
  readonly lastArrivalUs: number;
}

/** What was added behind an end. Crosses threads as a message. */
export interface IndexPart {
  readonly segment: number;
  readonly from: IndexEnd;
  readonly end: IndexEnd;
  readonly leftOut: number;
  readonly rows: Float64Array<ArrayBuffer>;
  readonly keys: Uint32Array<ArrayBuffer>;
}

interface KeyFramePairs {
  readonly keys: Uint32Array;
  readonly frames: Uint32Array;
}

export const INDEX_BEGINNING: IndexEnd = { bytes: 0, nextLine: 0, lastArrivalUs: 0 };

export class GrowingIndex implements SegmentIndex {
  /** The number in the name of the segment. */
  readonly segment: number;
  readonly #from: IndexEnd;
  #rows = new Float64Array(64 * ROW);
  #frameCount = 0;
  #keys = new Uint32Array(4096);
  #end: IndexEnd;
  #leftOut = 0;

  /** @param from where it goes on that is another index's end; what it holds is a part then */
  constructor(segment: number, from = INDEX_BEGINNING) {
    this.segment = segment;
    this.#from = from;
    this.#end = from;
  }

  get end(): IndexEnd {
    return this.#end;
  }

  get bytes(): number {
    return this.#end.bytes;
  }

  get frameCount(): number {
    return this.#frameCount;
  }

  get leftOut(): number {
    return this.#leftOut;
  }

  get keyCount(): number {
    return this.#keysEnd(this.#frameCount - 1);
  }

  /** Adds the frame behind the last one; one whose lines or arrivals begin before the end is left out, as readers do. */
  add({ offset, nextOffset, head }: FramePlace, { kinds, keys }: FrameTraits): void {
    const { bytes, nextLine, lastArrivalUs } = this.#end;
    assert(offset >= bytes);
    if (head.firstLine < nextLine || head.firstArrivalUs < lastArrivalUs) {
      this.leaveOut();
      return;
    }
    const keysFrom = this.keyCount;
    this.#makeRoom(this.#frameCount + 1, keysFrom + keys.length);
    this.#keys.set(keys, keysFrom);
    const at = this.#frameCount * ROW;
    this.#rows[at + OFFSET] = offset;
    this.#rows[at + BYTES] = nextOffset - offset;
    this.#rows[at + FIRST_LINE] = head.firstLine;
    this.#rows[at + LINE_COUNT] = head.lineCount;
    this.#rows[at + FIRST_ARRIVAL] = head.firstArrivalUs;
    this.#rows[at + LAST_ARRIVAL] = head.lastArrivalUs;
    this.#rows[at + KINDS] = kinds;
    this.#rows[at + KEYS_END] = keysFrom + keys.length;
    this.#frameCount++;
    this.#end = {
      bytes: nextOffset,
      nextLine: head.firstLine + head.lineCount,
      lastArrivalUs: head.lastArrivalUs,
    };
  }

  /** Adds what was read behind the end of this one. */
  append({ segment, from, end, leftOut, rows, keys }: IndexPart): void {
    assert(segment === this.segment && from.bytes === this.bytes);
    const keysFrom = this.keyCount;
    const count = rows.length / ROW;
    this.#makeRoom(this.#frameCount + count, keysFrom + keys.length);
    this.#rows.set(rows, this.#frameCount * ROW);
    this.#keys.set(keys, keysFrom);
    for (let i = 0; i < count; i++) this.#rows[(this.#frameCount + i) * ROW + KEYS_END]! += keysFrom;
    this.#frameCount += count;
    this.#end = end;
    this.#leftOut += leftOut;
  }

  /** All that was added to it, in memory of its own. */
  part(): IndexPart {
    return {
      segment: this.segment,
      from: this.#from,
      end: this.#end,
      leftOut: this.#leftOut,
      rows: this.#rows.slice(0, this.#frameCount * ROW),
      keys: this.#keys.slice(0, this.keyCount),
    };
  }

  /** Something could not be read, or does not belong here. */
  leaveOut(): void {
    this.#leftOut++;
  }

  /** Nothing more that can be read stands before this offset. */
  passTo(bytes: number): void {
    assert(bytes >= this.bytes);
    this.#end = { ...this.#end, bytes };
  }

  frame(index: number): IndexedFrame {
    assert(index >= 0 && index < this.#frameCount);
    const rows = this.#rows;
    const at = index * ROW;
    return {
      offset: rows[at + OFFSET]!,
      bytes: rows[at + BYTES]!,
      firstLine: rows[at + FIRST_LINE]!,
      lineCount: rows[at + LINE_COUNT]!,
      firstArrivalUs: rows[at + FIRST_ARRIVAL]!,
      lastArrivalUs: rows[at + LAST_ARRIVAL]!,
      kinds: rows[at + KINDS]!,
    };
  }

  *frames(): Generator<IndexedFrame> {
    for (let index = 0; index < this.#frameCount; index++) yield this.frame(index);
  }

  framesOf(key: number): IndexedFrame[] {
    const found: IndexedFrame[] = [];
    let from = 0;
    for (let index = 0; index < this.#frameCount; index++) {
      const end = this.#keysEnd(index);
      if (this.#hasKey(key, from, end)) found.push(this.frame(index));
      from = end;
    }
    return found;
  }

  /** All pairs of a key and a frame that it leads to, by key, and those of one key by frame. */
  sortedPairs(): KeyFramePairs {
    const count = this.keyCount;
    const frames = new Uint32Array(count);
    for (let index = 0, at = 0; index < this.#frameCount; index++) {
      const end = this.#keysEnd(index);
      frames.fill(index, at, end);
      at = end;
    }
    return sortByKey(this.#keys.slice(0, count), frames);
  }

  #makeRoom(frames: number, keys: number): void {
    if (frames * ROW > this.#rows.length) {
      const grown = new Float64Array(Math.max(frames * ROW, this.#rows.length * 2));
      grown.set(this.#rows);
      this.#rows = grown;
    }
    if (keys > this.#keys.length) {
      const grown = new Uint32Array(Math.max(keys, this.#keys.length * 2));
      grown.set(this.#keys);
      this.#keys = grown;
    }
  }

  #keysEnd(index: number): number {
    return index < 0 ? 0 : this.#rows[index * ROW + KEYS_END]!;
  }

  #hasKey(key: number, from: number, to: number): boolean {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low < to && this.#keys[low] === key;
  }
}

/** By counting, a byte of the key at a time from the lowest on: it keeps the order of the frames, and needs no objects. */
function sortByKey(keys: Uint32Array, frames: Uint32Array): KeyFramePairs {
  let from: KeyFramePairs = { keys, frames };
  let to: KeyFramePairs = { keys: new Uint32Array(keys.length), frames: new Uint32Array(keys.length) };
  const places = new Uint32Array(256);
  for (let shift = 0; shift < 32; shift += 8) {
    places.fill(0);
    for (const key of from.keys) places[(key >>> shift) & 255]!++;
    for (let byte = 0, place = 0; byte < 256; byte++) {
      const count = places[byte]!;
      places[byte] = place;
      place += count;
    }
    for (let i = 0; i < keys.length; i++) {
      const place = places[(from.keys[i]! >>> shift) & 255]!++;
      to.keys[place] = from.keys[i]!;
      to.frames[place] = from.frames[i]!;
    }
    [from, to] = [to, from];
  }
  return from;
}
