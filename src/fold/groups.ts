/**
 * The lines of the last groups of a workflow, in a block of doubles that its slot points at: who was in them is read out
 * of the log. The block grows with them, up to a hundred.
 *
 *   doubles  0 lines in it · 1… the lines, oldest first
 */

import { toWord } from '../model/memory.js';
import type { Names } from '../state/names.js';

const GROUPS_MAX = 100;
/** How many lines a block of so many has room for: 4, then 12, 36, GROUPS_MAX, since most workflows have few groups. */
function capacityOf(count: i32): i32 {
  if (count <= 4) return 4;
  if (count <= 12) return 12;
  return count <= 36 ? 36 : GROUPS_MAX;
}

/**
 * @param ref the block, 0: none yet
 * @returns the block that has the line now, which may be another one; the same where the names have no room for a larger one,
 *   and then the oldest line gave way; 0 where there is no room at all
 */
export function addGroup(names: Names, ref: i32, line: f64): i32 {
  const { doubles } = names;
  const count = ref === 0 ? 0 : toWord(doubles[ref + 1]!);
  const isFull = ref === 0 || capacityOf(count) === count;
  const block = isFull ? grow(names, ref, count) : ref;
  if (block === 0) return 0;
  let held = count;
  if (block === ref && isFull) {
    doubles.copyWithin(block + 2, block + 3, block + 2 + count);
    held--;
  }
  doubles[block + 2 + held] = line;
  doubles[block + 1] = held + 1;
  return block;
}

/** @returns the same block where it cannot be larger */
function grow(names: Names, ref: i32, count: i32): i32 {
  const block = count === GROUPS_MAX ? 0 : names.reserve(1 + capacityOf(count + 1));
  if (block === 0) return ref;
  const { doubles } = names;
  for (let i = 0; i < count; i++) doubles[block + 2 + i] = doubles[ref + 2 + i]!;
  names.free(ref);
  return block;
}

/** For readers: the lines, oldest first. */
export function groupLines(names: Names, ref: i32): i32[] {
  if (ref === 0) return [];
  const count = Math.min(Math.max(names.doubles[ref + 1]!, 0), GROUPS_MAX);
  return Array.from(names.doubles.slice(ref + 2, ref + 2 + count));
}
