/**
 * The word of a sequence lock: odd while what it guards changes, another even number afterwards (layout.ts).
 *
 * On x86 stores become visible in the order in which they are made (Intel SDM 3A, 8.2.2), and V8 keeps the order of stores to
 * typed arrays, so a plain store will do; elsewhere the lock needs a barrier. `Atomics.store` is a call in Node 20, eight
 * a pair of events: 15 % of the fold.
 */
const STORES_IN_ORDER = process.arch === 'x64';

/** Into a change, or out of it. */
export function stepVersion(words: Int32Array, at: number): void {
  const version = (words[at]! + 1) & 0x3fff_ffff;
  if (STORES_IN_ORDER) words[at] = version;
  else Atomics.store(words, at, version);
}
