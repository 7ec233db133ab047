/**
 * The object of a sample's `tags`. All entries are noted as they stand, since a key that comes again revokes what its
 * earlier value was, faults included; they are judged when the type turns out to be `sample`. An entry whose last
 * value is null or empty is as if it did not stand: its key is not judged and not counted.
 */
import * as events from '../model/event.js';
import type { DecodedEvent } from './decoded-event.js';
import * as fields from './decoded-event.js';
import type { JsonScanner } from './json-scanner.js';
import * as json from './json-scanner.js';
import * as verdicts from './verdict.js';

// Copies: see decoder.ts.
const { NAME_BYTES_MAX, TAGS_MAX } = events;
const { SCRATCH_OFFSET } = fields;
const { BAD_JSON } = json;
const { VALUE_ABSENT, VALUE_GOOD, VALUE_OUT_OF_RANGE, VALUE_WRONG_TYPE } = verdicts;

/** The object stands in the root object. */
const DEPTH = 2;
const ENTRIES_AT_FIRST = 64;

const KEY_OFFSET = 0;
const KEY_LENGTH = 1;
const KEY_HASH = 2;
const VALUE_OFFSET = 3;
const VALUE_LENGTH = 4;
const VALUE_HASH = 5;
const VERDICT = 6;
const ENTRY_SHIFT = 3;

export class TagList {
  #entries = new Int32Array(ENTRIES_AT_FIRST << ENTRY_SHIFT);
  #count = 0;
  /** Entries that count, by index, in the order of their keys. */
  readonly #sorted = new Int32Array(TAGS_MAX);

  /**
   * Reads the object whose `{` is at `start`.
   * @returns the position behind its `}`, or -1 - REFUSAL_x
   */
  read(scanner: JsonScanner, start: number): number {
    const bytes = scanner.bytes;
    let count = 0;
    this.#count = 0;
    let p = scanner.skipSpace(start + 1);
    if (bytes[p] === 0x7d) return p + 1;
    for (;;) {
      if (bytes[p] !== 0x22) return BAD_JSON;
      p = scanner.readName(p + 1);
      if (p < 0) return p;
      if ((count + 1) << ENTRY_SHIFT > this.#entries.length) this.#grow();
      const entries = this.#entries;
      const entry = count << ENTRY_SHIFT;
      entries[entry + KEY_OFFSET] = scanner.textOffset;
      entries[entry + KEY_LENGTH] = scanner.textLength;
      entries[entry + KEY_HASH] = scanner.textHash;
      p = scanner.skipColon(p);
      if (p < 0) return p;
      const c = bytes[p]!;
      if (c === 0x22) {
        p = scanner.readName(p + 1);
        if (p < 0) return p;
        const length = scanner.textLength;
        entries[entry + VALUE_OFFSET] = scanner.textOffset;
        entries[entry + VALUE_LENGTH] = length;
        entries[entry + VALUE_HASH] = scanner.textHash;
        if (length === 0) entries[entry + VERDICT] = VALUE_ABSENT;
        else entries[entry + VERDICT] = length > NAME_BYTES_MAX ? VALUE_OUT_OF_RANGE : VALUE_GOOD;
      } else {
        p = scanner.skipValue(p, DEPTH);
        if (p < 0) return p;
        entries[entry + VERDICT] = c === 0x6e ? VALUE_ABSENT : VALUE_WRONG_TYPE;
      }
      count++;
      p = scanner.skipSpace(p);
      const next = bytes[p]!;
      if (next === 0x7d) break;
      if (next !== 0x2c) return BAD_JSON;
      p = scanner.skipSpace(p + 1);
    }
    this.#count = count;
    return p + 1;
  }

  #grow(): void {
    const grown = new Int32Array(2 * this.#entries.length);
    grown.set(this.#entries);
    this.#entries = grown;
  }

  /** Judges what was read, and where it is good puts it into the event. */
  judge(scanner: JsonScanner, event: DecodedEvent): number {
    const entries = this.#entries;
    const sorted = this.#sorted;
    const revoked = this.#count > TAGS_MAX ? this.#revokedOfMany(scanner) : undefined;
    let isOutOfRange = false;
    let used = 0;
    for (let i = 0; i < this.#count; i++) {
      const entry = i << ENTRY_SHIFT;
      if (revoked === undefined ? this.#isRevoked(scanner, i) : revoked.has(i)) continue;
      const verdict = entries[entry + VERDICT]!;
      if (verdict === VALUE_ABSENT) continue;
      if (verdict === VALUE_WRONG_TYPE) return VALUE_WRONG_TYPE;
      const keyLength = entries[entry + KEY_LENGTH]!;
      if (
        verdict === VALUE_OUT_OF_RANGE ||
        keyLength === 0 ||
        keyLength > NAME_BYTES_MAX ||
        used === TAGS_MAX
      ) {
        isOutOfRange = true;
        continue;
      }
      let place = used++;
      for (; place > 0 && this.#compareKeys(scanner, sorted[place - 1]!, i) > 0; place--) {
        sorted[place] = sorted[place - 1]!;
      }
      sorted[place] = i;
    }
    if (isOutOfRange) return VALUE_OUT_OF_RANGE;
    for (let place = 0; place < used; place++) {
      const entry = sorted[place]! << ENTRY_SHIFT;
      event.tagKeyOffset[place] = entries[entry + KEY_OFFSET]!;
      event.tagKeyLength[place] = entries[entry + KEY_LENGTH]!;
      event.tagKeyHash[place] = entries[entry + KEY_HASH]!;
      event.tagValueOffset[place] = entries[entry + VALUE_OFFSET]!;
      event.tagValueLength[place] = entries[entry + VALUE_LENGTH]!;
      event.tagValueHash[place] = entries[entry + VALUE_HASH]!;
    }
    event.tagCount = used;
    return VALUE_GOOD;
  }

  /** Whether a later entry has the same key. */
  #isRevoked(scanner: JsonScanner, index: number): boolean {
    const entries = this.#entries;
    const hash = entries[(index << ENTRY_SHIFT) + KEY_HASH];
    for (let later = index + 1; later < this.#count; later++) {
      if (entries[(later << ENTRY_SHIFT) + KEY_HASH] !== hash) continue;
      if (this.#compareKeys(scanner, index, later) === 0) return true;
    }
    return false;
  }

  /** The same for more entries than a pass over pairs should see: a line has room for thousands. */
  #revokedOfMany(scanner: JsonScanner): Set<number> {
    const revoked = new Set<number>();
    const lastByKey = new Map<string, number>();
    for (let i = 0; i < this.#count; i++) {
      const entry = i << ENTRY_SHIFT;
      const offset = this.#entries[entry + KEY_OFFSET]!;
      const from = offset & (SCRATCH_OFFSET - 1);
      const bytes = offset >= SCRATCH_OFFSET ? scanner.scratch : scanner.bytes;
      const span = bytes.subarray(from, from + this.#entries[entry + KEY_LENGTH]!);
      const key = Buffer.from(span.buffer, span.byteOffset, span.length).toString('latin1');
      const earlier = lastByKey.get(key);
      if (earlier !== undefined) revoked.add(earlier);
      lastByKey.set(key, i);
    }
    return revoked;
  }

  /** By bytes, the shorter first where one begins the other. */
  #compareKeys(scanner: JsonScanner, a: number, b: number): number {
    const entries = this.#entries;
    const aOffset = entries[(a << ENTRY_SHIFT) + KEY_OFFSET]!;
    const bOffset = entries[(b << ENTRY_SHIFT) + KEY_OFFSET]!;
    const aLength = entries[(a << ENTRY_SHIFT) + KEY_LENGTH]!;
    const bLength = entries[(b << ENTRY_SHIFT) + KEY_LENGTH]!;
    const aBytes = aOffset >= SCRATCH_OFFSET ? scanner.scratch : scanner.bytes;
    const bBytes = bOffset >= SCRATCH_OFFSET ? scanner.scratch : scanner.bytes;
    const aStart = aOffset & (SCRATCH_OFFSET - 1);
    const bStart = bOffset & (SCRATCH_OFFSET - 1);
    const length = Math.min(aLength, bLength);
    for (let i = 0; i < length; i++) {
      const difference = aBytes[aStart + i]! - bBytes[bStart + i]!;
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }
}
