/**
 * What the decoder makes of a line, overwritten by the next one. Strings are spans of the bytes they were decoded
 * from: an offset below SCRATCH_OFFSET counts from the start of the attached memory, one at or above it lies in
 * `decoder.scratch` (the string was written with escapes). Lengths and hashes are those of the decoded UTF-8; hashes
 * are `hashBytes` of model/hash.ts. A field that the line's type does not know is absent, whatever the line says.
 */

import { TAGS_MAX } from '../model/event.js';
import { type Doubles, doublesOf, type MemoryPart, partOf, type Words, wordsOf } from '../model/memory.js';

export const FIELD_WORKFLOW = 0;
export const FIELD_TASK = 1;
export const FIELD_AGENT = 2;
export const FIELD_KIND = 3;
export const FIELD_NAME = 4;
export const FIELD_PROJECT = 5;
export const FIELD_PHASE = 6;
export const FIELD_PARENT = 7;
export const FIELD_COUNT = 8;

/** Bits in `texts`: the line brings this text. It is not decoded: state keeps the number of the line only. */
export const TEXT_REQUEST = 1;
export const TEXT_DESCRIPTION = 2;
export const TEXT_ERROR = 4;
/** Any JSON but null. */
export const TEXT_OUTPUT = 8;

export const SCRATCH_OFFSET = 0x4000_0000;

export const PARALLEL_ABSENT = 0;
export const PARALLEL_FALSE = 1;
export const PARALLEL_TRUE = 2;

/** The kinds of a sync line's id. */
export const ID_NONE = 0;
export const ID_STRING = 1;
export const ID_NUMBER = 2;

/** The arrays begin at these words, the numbers stand at the others. */
const OFFSETS = 0;
const LENGTHS = FIELD_COUNT;
const HASHES = 2 * FIELD_COUNT;
const STATUS = 24;
const PARALLEL = 25;
const TEXTS = 26;
const MEMBER_COUNT = 27;
const TAG_COUNT = 28;
const TAGS = 32;
const DOUBLES = TAGS + 6 * TAGS_MAX;
const TS = DOUBLES / 2;
const DURATION = TS + 1;
const TOKENS = TS + 2;
const VALUE = TS + 3;
export const EVENT_BYTES = (TS + 4) * 8;

export class DecodedEvent {
  /** By FIELD_*. Length 0: absent, and then offset and hash say nothing. */
  readonly offset: Words;
  readonly length: Words;
  readonly hash: Words;

  /** Of a sample: sorted by the bytes of their keys, each key once, absent ones left out. */
  readonly tagKeyOffset: Words;
  readonly tagKeyLength: Words;
  readonly tagKeyHash: Words;
  readonly tagValueOffset: Words;
  readonly tagValueLength: Words;
  readonly tagValueHash: Words;

  readonly #words: Words;
  readonly #doubles: Doubles;

  /** @param memory EVENT_BYTES, in which the event lies */
  constructor(memory: MemoryPart) {
    const words = wordsOf(memory);
    this.#words = words;
    this.#doubles = doublesOf(memory);
    this.offset = partOf(words, OFFSETS, FIELD_COUNT);
    this.length = partOf(words, LENGTHS, FIELD_COUNT);
    this.hash = partOf(words, HASHES, FIELD_COUNT);
    this.tagKeyOffset = partOf(words, TAGS, TAGS_MAX);
    this.tagKeyLength = partOf(words, TAGS + TAGS_MAX, TAGS_MAX);
    this.tagKeyHash = partOf(words, TAGS + 2 * TAGS_MAX, TAGS_MAX);
    this.tagValueOffset = partOf(words, TAGS + 3 * TAGS_MAX, TAGS_MAX);
    this.tagValueLength = partOf(words, TAGS + 4 * TAGS_MAX, TAGS_MAX);
    this.tagValueHash = partOf(words, TAGS + 5 * TAGS_MAX, TAGS_MAX);
  }

  /** STATUS_* of model/status.ts. */
  get status(): i32 {
    return this.#words[STATUS]!;
  }

  set status(status: i32) {
    this.#words[STATUS] = status;
  }

  get parallel(): i32 {
    return this.#words[PARALLEL]!;
  }

  set parallel(parallel: i32) {
    this.#words[PARALLEL] = parallel;
  }

  get texts(): i32 {
    return this.#words[TEXTS]!;
  }

  set texts(texts: i32) {
    this.#words[TEXTS] = texts;
  }

  /** Of a group. */
  get memberCount(): i32 {
    return this.#words[MEMBER_COUNT]!;
  }

  set memberCount(count: i32) {
    this.#words[MEMBER_COUNT] = count;
  }

  get tagCount(): i32 {
    return this.#words[TAG_COUNT]!;
  }

  set tagCount(count: i32) {
    this.#words[TAG_COUNT] = count;
  }

  /** Seconds, NaN when absent; so are the three below. */
  get ts(): f64 {
    return this.#doubles[TS]!;
  }

  set ts(ts: f64) {
    this.#doubles[TS] = ts;
  }

  get duration(): f64 {
    return this.#doubles[DURATION]!;
  }

  set duration(duration: f64) {
    this.#doubles[DURATION] = duration;
  }

  get tokens(): f64 {
    return this.#doubles[TOKENS]!;
  }

  set tokens(tokens: f64) {
    this.#doubles[TOKENS] = tokens;
  }

  get value(): f64 {
    return this.#doubles[VALUE]!;
  }

  set value(value: f64) {
    this.#doubles[VALUE] = value;
  }
}
