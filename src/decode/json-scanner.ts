/**
 * JSON (RFC 8259) checked and skipped, or read, in place. Every method takes the position of what it reads and
 * returns the position behind it, or a negative number: -1 - REFUSAL_x. What it has read lies in the fields.
 *
 * Two things hold wherever it looks. The line ends in `\n`, which no rule accepts, so no loop runs past it: strings
 * refuse control characters, and between tokens only space, `\t` and `\r` are skipped. And PADDING_BYTES bytes behind
 * that `\n` can be read, so that a load of four bytes needs no bound; what lies there never matters, since the
 * lowest hit of the carry trick is exact and a comparison has failed at the `\n` already.
 */

import * as events from '../model/event.js';
import * as hashes from '../model/hash.js';
import { hashBytes } from '../model/hash.js';
import * as refusals from '../model/refusal.js';
import * as fields from './decoded-event.js';
import * as numbers from './number.js';
import { nearestDouble } from './number.js';
import { sequenceLength } from './utf8.js';

// Copies: see decoder.ts.
const { NESTING_MAX } = events;
const { HASH_SEED, hashEnd, hashWord } = hashes;
const { REFUSAL_INVALID_JSON, REFUSAL_INVALID_UTF8, REFUSAL_TOO_DEEP } = refusals;
const { SCRATCH_OFFSET } = fields;
const { DIGITS_FAST_MAX, EXACT_MAX, POWERS_OF_TEN } = numbers;

/** How far behind the `\n` a load of a word may reach. */
export const PADDING_BYTES = 32;

export const BAD_JSON = -1 - REFUSAL_INVALID_JSON;
const BAD_UTF8 = -1 - REFUSAL_INVALID_UTF8;
const BAD_DEPTH = -1 - REFUSAL_TOO_DEEP;

const SCRATCH_BYTES = 64 * 1024;
const EXPONENT_CAP = 100_000;

const WORD_TRUE = 0x65757274;
const WORD_FALS = 0x736c6166;
const WORD_NULL = 0x6c6c756e;

const IN_OBJECT = 1;
const IN_ARRAY = 2;

export class JsonScanner {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Decoded bytes of the strings of this line that were written with escapes. Grows, so read it anew. */
  scratch = new Uint8Array(SCRATCH_BYTES);
  scratchView = new DataView(this.scratch.buffer);
  scratchLength = 0;

  /** Of the last string read: a span as in decoded-event.ts. */
  textOffset = 0;
  textLength = 0;
  /** By `readName` only. */
  textHash = 0;
  /** Of the last number read; in a typed array, because a field would hold a heap number. */
  readonly number = new Float64Array(1);

  readonly #containers = new Uint8Array(NESTING_MAX + 1);

  skipSpace(start: number): number {
    const bytes = this.bytes;
    let p = start;
    let c = bytes[p]!;
    while (c === 0x20 || c === 0x09 || c === 0x0d) c = bytes[++p]!;
    return p;
  }

  /** From behind the closing quote of a key to the first byte of its value. */
  skipColon(start: number): number {
    const p = this.skipSpace(start);
    return this.bytes[p] === 0x3a ? this.skipSpace(p + 1) : BAD_JSON;
  }

  /** @param start behind the opening quote, as for all strings */
  skipString(start: number): number {
    const bytes = this.bytes;
    const view = this.view;
    let p = start;
    for (;;) {
      const w = view.getInt32(p, true);
      const quote = w ^ 0x22222222;
      const slash = w ^ 0x5c5c5c5c;
      const hits = ((quote - 0x01010101) | (slash - 0x01010101) | (w - 0x20202020) | w) & 0x80808080;
      if (hits === 0) {
        p += 4;
        continue;
      }
      p += (24 - Math.clz32(hits & -hits)) >>> 3;
      const c = bytes[p]!;
      if (c === 0x22) return p + 1;
      if (c >= 0x80) {
        const length = sequenceLength(bytes, p);
        if (length === 0) return BAD_UTF8;
        p += length;
      } else if (c === 0x5c) {
        const length = escapeLength(bytes, p);
        if (length === 0) return BAD_JSON;
        p += length;
      } else return BAD_JSON;
    }
  }

  /** Reads a string, in place where it has no escapes, else into the scratch. */
  readString(start: number): number {
    const bytes = this.bytes;
    let p = start;
    for (;;) {
      const c = bytes[p]!;
      if (c === 0x22) {
        this.textOffset = start;
        this.textLength = p - start;
        return p + 1;
      }
      if (c === 0x5c) return this.#readEscapedString(start, p);
      if (c < 0x20) return BAD_JSON;
      if (c < 0x80) p++;
      else {
        const length = sequenceLength(bytes, p);
        if (length === 0) return BAD_UTF8;
        p += length;
      }
    }
  }

  /** Reads a string and its hash, four bytes a step while nothing but printable ASCII is met. */
  readName(start: number): number {
    const view = this.view;
    let p = start;
    let hash = HASH_SEED;
    for (;;) {
      const w = view.getInt32(p, true);
      const quote = w ^ 0x22222222;
      const slash = w ^ 0x5c5c5c5c;
      const hits = ((quote - 0x01010101) | (slash - 0x01010101) | (w - 0x20202020) | w) & 0x80808080;
      if (hits === 0) {
        hash = hashWord(hash, w);
        p += 4;
        continue;
      }
      const low = hits & -hits;
      const count = (24 - Math.clz32(low)) >>> 3;
      if (((w >>> (count << 3)) & 0xff) !== 0x22) return this.readUnusualName(start);
      if (count !== 0) hash = hashWord(hash, w & ((low >>> 7) - 1));
      p += count;
      this.textOffset = start;
      this.textLength = p - start;
      this.textHash = hashEnd(hash, p - start);
      return p + 1;
    }
  }

  /** `readName` for a string that has escapes or other than ASCII. */
  readUnusualName(start: number): number {
    const p = this.readString(start);
    if (p < 0) return p;
    const offset = this.textOffset;
    this.textHash =
      offset >= SCRATCH_OFFSET
        ? hashBytes(this.scratch, offset - SCRATCH_OFFSET, this.textLength)
        : hashBytes(this.bytes, offset, this.textLength);
    return p;
  }

  /** The array that the last string read lies in. */
  textBytes(): Uint8Array {
    return this.textOffset >= SCRATCH_OFFSET ? this.scratch : this.bytes;
  }

  /** Where in `textBytes` the last string read starts. */
  textStart(): number {
    return this.textOffset & (SCRATCH_OFFSET - 1);
  }

  /** @param firstEscape the first backslash of the string */
  #readEscapedString(start: number, firstEscape: number): number {
    const bytes = this.bytes;
    const offset = this.scratchLength;
    let to = offset;
    let p = start;
    this.#reserveScratch(to + (firstEscape - start));
    while (p < firstEscape) this.scratch[to++] = bytes[p++]!;
    for (;;) {
      this.#reserveScratch(to + 4);
      const scratch = this.scratch;
      const c = bytes[p]!;
      if (c === 0x22) break;
      if (c < 0x20) return BAD_JSON;
      if (c >= 0x80) {
        const length = sequenceLength(bytes, p);
        if (length === 0) return BAD_UTF8;
        for (let i = 0; i < length; i++) scratch[to++] = bytes[p++]!;
      } else if (c !== 0x5c) {
        scratch[to++] = c;
        p++;
      } else {
        const length = escapeLength(bytes, p);
        if (length === 0) return BAD_JSON;
        if (length === 2) scratch[to++] = SIMPLE_ESCAPES[bytes[p + 1]!]!;
        else to = writeCodePoint(scratch, to, codePointOfEscape(bytes, p));
        p += length === 6 && isSurrogatePair(bytes, p) ? 12 : length;
      }
    }
    this.scratchLength = to;
    this.textOffset = SCRATCH_OFFSET + offset;
    this.textLength = to - offset;
    return p + 1;
  }

  #reserveScratch(byteLength: number): void {
    if (byteLength <= this.scratch.length) return;
    const grown = new Uint8Array(Math.max(byteLength, 2 * this.scratch.length));
    grown.set(this.scratch);
    this.scratch = grown;
    this.scratchView = new DataView(grown.buffer);
  }

  skipNumber(start: number): number {
    const bytes = this.bytes;
    let p = bytes[start] === 0x2d ? start + 1 : start;
    if (bytes[p] === 0x30) p++;
    else {
      const first = p;
      while (isDigit(bytes[p]!)) p++;
      if (p === first) return BAD_JSON;
    }
    if (bytes[p] === 0x2e) {
      const first = ++p;
      while (isDigit(bytes[p]!)) p++;
      if (p === first) return BAD_JSON;
    }
    if ((bytes[p]! | 0x20) === 0x65) {
      p++;
      if (bytes[p] === 0x2b || bytes[p] === 0x2d) p++;
      const first = p;
      while (isDigit(bytes[p]!)) p++;
      if (p === first) return BAD_JSON;
    }
    return p;
  }

  /** Reads a number to `number[0]`, as Number(text) has it; one too large for a double is an infinity. */
  readNumber(start: number): number {
    const bytes = this.bytes;
    const view = this.view;
    let p = start;
    const isNegative = bytes[p] === 0x2d;
    if (isNegative) p++;
    let first = p;
    let whole = 0;
    if (bytes[p] === 0x30) p++;
    else {
      let w = view.getInt32(p, true);
      while (isFourDigits(w)) {
        whole = whole * 10000 + fourDigits(w);
        p += 4;
        w = view.getInt32(p, true);
      }
      let digit = (w & 0xff) - 0x30;
      while (digit >= 0 && digit <= 9) {
        whole = whole * 10 + digit;
        digit = bytes[++p]! - 0x30;
      }
      if (p === first) return BAD_JSON;
    }
    let digitsMax = p - first;
    let fraction = 0;
    let places = 0;
    if (bytes[p] === 0x2e) {
      first = ++p;
      let w = view.getInt32(p, true);
      while (isFourDigits(w)) {
        fraction = fraction * 10000 + fourDigits(w);
        p += 4;
        w = view.getInt32(p, true);
      }
      let digit = (w & 0xff) - 0x30;
      while (digit >= 0 && digit <= 9) {
        fraction = fraction * 10 + digit;
        digit = bytes[++p]! - 0x30;
      }
      places = p - first;
      if (places === 0) return BAD_JSON;
      if (places > digitsMax) digitsMax = places;
    }
    let exponent = 0;
    if ((bytes[p]! | 0x20) === 0x65) {
      p++;
      const sign = bytes[p]!;
      if (sign === 0x2b || sign === 0x2d) p++;
      first = p;
      for (let digit = bytes[p]! - 0x30; digit >= 0 && digit <= 9; digit = bytes[++p]! - 0x30) {
        if (exponent < EXPONENT_CAP) exponent = exponent * 10 + digit;
      }
      if (p === first) return BAD_JSON;
      if (sign === 0x2d) exponent = -exponent;
    }
    // The usual case is here and not in nearestDouble, whose result would be boxed.
    const m = whole * POWERS_OF_TEN[places <= DIGITS_FAST_MAX ? places : 0]! + fraction;
    if (digitsMax <= DIGITS_FAST_MAX && m < EXACT_MAX && exponent === 0) {
      const value = m / POWERS_OF_TEN[places]!;
      this.number[0] = isNegative ? -value : value;
      return p;
    }
    let value = digitsMax <= DIGITS_FAST_MAX ? nearestDouble(whole, fraction, places, exponent) : Number.NaN;
    if (Number.isNaN(value)) value = Math.abs(this.#numberOfText(start, p));
    this.number[0] = isNegative ? -value : value;
    return p;
  }

  #numberOfText(start: number, end: number): number {
    const bytes = this.bytes;
    return Number(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', start, end));
  }

  /** The literal `true`, `false` or `null`; `bytes` says which. */
  skipLiteral(start: number): number {
    const w = this.view.getInt32(start, true);
    if (w === WORD_TRUE || w === WORD_NULL) return start + 4;
    return w === WORD_FALS && this.bytes[start + 4] === 0x65 ? start + 5 : BAD_JSON;
  }

  /** @param depth of the container that the value stands in; the root object is 1 */
  skipValue(start: number, depth: number): number {
    const bytes = this.bytes;
    const containers = this.#containers;
    let level = depth;
    let p = start;
    for (;;) {
      // A value stands at p.
      const c = bytes[p]!;
      if (c === 0x22) p = this.skipString(p + 1);
      else if (c === 0x7b || c === 0x5b) {
        if (level === NESTING_MAX) return BAD_DEPTH;
        level++;
        containers[level] = c === 0x7b ? IN_OBJECT : IN_ARRAY;
        p = this.skipSpace(p + 1);
        if (bytes[p] !== c + 2) {
          if (c === 0x7b) p = this.#skipKey(p);
          if (p < 0) return p;
          continue;
        }
        level--;
        p++;
      } else if (c === 0x2d || isDigit(c)) p = this.skipNumber(p);
      else p = this.skipLiteral(p);
      if (p < 0) return p;
      // A value ends before p: close what it ends, until another one follows.
      for (;;) {
        if (level === depth) return p;
        p = this.skipSpace(p);
        const inObject = containers[level] === IN_OBJECT;
        const next = bytes[p]!;
        p++;
        if (next === 0x2c) {
          p = this.skipSpace(p);
          if (inObject) p = this.#skipKey(p);
          if (p < 0) return p;
          break;
        }
        if (next !== (inObject ? 0x7d : 0x5d)) return BAD_JSON;
        level--;
      }
    }
  }

  /** A key and its colon. */
  #skipKey(start: number): number {
    if (this.bytes[start] !== 0x22) return BAD_JSON;
    const p = this.skipString(start + 1);
    return p < 0 ? p : this.skipColon(p);
  }
}

/** By the letter behind the backslash; 0: no escape. */
const SIMPLE_ESCAPES = new Uint8Array(256);
for (const [letter, text] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'] as const) {
  SIMPLE_ESCAPES[letter!.charCodeAt(0)] = text!.charCodeAt(0);
}

/** Length of the escape at the backslash `p`, 0 where it is none. */
function escapeLength(bytes: Uint8Array, p: number): number {
  const letter = bytes[p + 1]!;
  if (letter !== 0x75) return SIMPLE_ESCAPES[letter] === 0 ? 0 : 2;
  for (let i = p + 2; i < p + 6; i++) if (hexDigit(bytes[i]!) < 0) return 0;
  return 6;
}

function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** The UTF-16 unit of the valid `\u` escape at `p`. */
function unitOfEscape(bytes: Uint8Array, p: number): number {
  let unit = 0;
  for (let i = p + 2; i < p + 6; i++) unit = (unit << 4) | hexDigit(bytes[i]!);
  return unit;
}

/** Whether two escapes that make one code point stand at `p`, where the first is a valid one. */
function isSurrogatePair(bytes: Uint8Array, p: number): boolean {
  if ((unitOfEscape(bytes, p) & 0xfc00) !== 0xd800) return false;
  if (bytes[p + 6] !== 0x5c || bytes[p + 7] !== 0x75 || escapeLength(bytes, p + 6) !== 6) return false;
  return (unitOfEscape(bytes, p + 6) & 0xfc00) === 0xdc00;
}

/** The code point of the valid `\u` escape at `p`, with the one behind it where they are a pair. */
function codePointOfEscape(bytes: Uint8Array, p: number): number {
  const unit = unitOfEscape(bytes, p);
  if ((unit & 0xf800) !== 0xd800) return unit;
  if (!isSurrogatePair(bytes, p)) return 0xfffd;
  return 0x10000 + ((unit & 0x3ff) << 10) + (unitOfEscape(bytes, p + 6) & 0x3ff);
}

/** @returns the offset behind it */
function writeCodePoint(to: Uint8Array, offset: number, codePoint: number): number {
  let p = offset;
  if (codePoint < 0x80) to[p++] = codePoint;
  else if (codePoint < 0x800) to[p++] = 0xc0 | (codePoint >> 6);
  else if (codePoint < 0x10000) {
    to[p++] = 0xe0 | (codePoint >> 12);
    to[p++] = 0x80 | ((codePoint >> 6) & 0x3f);
  } else {
    to[p++] = 0xf0 | (codePoint >> 18);
    to[p++] = 0x80 | ((codePoint >> 12) & 0x3f);
    to[p++] = 0x80 | ((codePoint >> 6) & 0x3f);
  }
  if (codePoint >= 0x80) to[p++] = 0x80 | (codePoint & 0x3f);
  return p;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Whether the four bytes of the word are digits: 3 in the high half of each, and still after adding 6. */
function isFourDigits(w: number): boolean {
  return ((w & 0xf0f0f0f0) | (((w + 0x06060606) & 0xf0f0f0f0) >>> 4)) === 0x33333333;
}

/** Their value, pairs first: the first byte is the highest digit. */
function fourDigits(w: number): number {
  const digits = w & 0x0f0f0f0f;
  const pairs = (digits * 10 + (digits >>> 8)) & 0x00ff00ff;
  return (pairs * 100 + (pairs >>> 16)) & 0xffff;
}
