/**
 * Memory as state and fold see it: typed arrays over a part of shared memory. For WebAssembly the same names are those of
 * fold/wasm/memory.ts, loads and stores at an address; so this is the one file that says how memory is reached.
 */

import assert from 'node:assert/strict';

export type Words = Int32Array;
export type Doubles = Float64Array;
export type Bytes = Uint8Array;
/** Bytes that words are read from at any offset. */
export type ByteView = DataView;

/** A part of shared memory, which begins at a multiple of 8 bytes. */
export type MemoryPart = Uint8Array<SharedArrayBuffer>;

/** In a buffer of its own. */
export function allocatePart(bytes: number): MemoryPart {
  return new Uint8Array(new SharedArrayBuffer(Math.ceil(bytes / 8) * 8));
}

export function wordsOf(part: MemoryPart): Words {
  return new Int32Array(part.buffer, part.byteOffset, part.byteLength >> 2);
}

export function doublesOf(part: MemoryPart): Doubles {
  return new Float64Array(part.buffer, part.byteOffset, part.byteLength >> 3);
}

export function bytesOf(part: MemoryPart): Bytes {
  return part;
}

/** Of the thread's own. */
export function ownWords(length: number): Words {
  return new Int32Array(length);
}

export function ownDoubles(length: number): Doubles {
  return new Float64Array(length);
}

export function ownBytes(length: number): Bytes {
  return new Uint8Array(length);
}

/** A part of these words. */
export function partOf(words: Words, from: i32, length: i32): Words {
  return words.subarray(from, from + length);
}

/** The bytes of these words. */
export function viewOfWords(words: Words): ByteView {
  return new DataView(words.buffer, words.byteOffset, words.byteLength);
}

export function loadAtomic(words: Words, at: i32): i32 {
  return Atomics.load(words, at);
}

/**
 * On x86 stores become visible in the order in which they are made (Intel SDM 3A, 8.2.2), and V8 keeps the order of stores to
 * typed arrays, so a plain store will do; elsewhere it needs a barrier. `Atomics.store` is a call in Node 20, eight
 * a pair of events: 15 % of the fold.
 */
const STORES_IN_ORDER = process.arch === 'x64';

/** Seen by other threads after all stores before it, and before all stores behind it. */
export function storeInOrder(words: Words, at: i32, value: i32): void {
  if (STORES_IN_ORDER) words[at] = value;
  else Atomics.store(words, at, value);
}

/** @throws AssertionError */
export function demand(condition: boolean, message: string): void {
  assert(condition, message);
}

/** A copy of the thread's own. */
export function copyOfWords(words: Words, from: i32, length: i32): Words {
  return words.slice(from, from + length);
}

/** Sorts the first numbers, none of which is NaN, in place. */
export function sortDoubles(values: Doubles, length: i32): void {
  values.subarray(0, length).sort();
}

/** UTF-8. */
export function viewOfText(text: string): ByteView {
  const bytes = Buffer.from(text);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The number without its fraction, which must be within the range of a word. */
export function toWord(x: f64): i32 {
  return x | 0;
}

export function leastWord(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

export function mostWord(a: i32, b: i32): i32 {
  return a > b ? a : b;
}

/** The largest power of two that is not above it. */
export function powerBelow(x: i32): i32 {
  return 1 << (31 - Math.clz32(x));
}

const probe = new Float64Array(1);
const probeWords = new Int32Array(probe.buffer);

/** Sign, exponent and the upper 20 bits of the fraction of a double. */
export function highWord(x: f64): i32 {
  probe[0] = x;
  return probeWords[1]!;
}

/** The double with another upper half. */
export function withHighWord(x: f64, high: i32): f64 {
  probe[0] = x;
  probeWords[1] = high;
  return probe[0]!;
}
