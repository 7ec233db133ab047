/**
 * The word of a sequence lock: odd while what it guards changes, another even number afterwards (layout.ts). Its stores and those
 * that it guards become visible in the order in which they are made (`storeInOrder` of memory.ts).
 */

import { storeInOrder, type Words } from '../model/memory.js';

/** Into a change, or out of it. */
export function stepVersion(words: Words, at: i32): void {
  storeInOrder(words, at, (words[at]! + 1) & 0x3fff_ffff);
}
