/**
 * The lines of the last groups of a workflow, in a block of doubles that its slot points at: who was in them is read out
 * of the log. The block grows with them, up to a hundred.
 *
 *   doubles  0 lines in it · 1… the lines, oldest first
 */

import type { Names } from '../state/names.js';

const GROUPS_MAX = 100;
/** How many lines a block has room for, as it grows: most workflows have few groups. */
const CAPACITIES = [4, 12, 36, GROUPS_MAX];

/**
 * @param ref the block, 0: none yet
 * @returns the block that has the line now, which may be another one; the same where the names have no room for a larger one,
 *   and then the oldest line gave way; 0 where there is no room at all
 */
export function addGroup(names: Names, ref: number, line: number): number {
  const { doubles } = names;
  const count = ref === 0 ? 0 : doubles[ref + 1]!;
  let block = ref;
  if (ref === 0 || CAPACITIES.indexOf(count) >= 0) block = grow(names, ref, count);
  if (block === 0) return 0;
  let held = count;
  if (block === ref && CAPACITIES.indexOf(count) >= 0) {
    doubles.copyWithin(block + 2, block + 3, block + 2 + count);
    held--;
  }
  doubles[block + 2 + held] = line;
  doubles[block + 1] = held + 1;
  return block;
}

/** @returns the same block where it cannot be larger */
function grow(names: Names, ref: number, count: number): number {
  const capacity = CAPACITIES.find((one) => one > count);
  const block = capacity === undefined ? 0 : names.reserve(1 + capacity);
  if (block === 0) return ref;
  const { doubles } = names;
  for (let i = 0; i < count; i++) doubles[block + 2 + i] = doubles[ref + 2 + i]!;
  names.free(ref);
  return block;
}

/** For readers: the lines, oldest first. */
export function groupLines(names: Names, ref: number): number[] {
  if (ref === 0) return [];
  const count = Math.min(Math.max(names.doubles[ref + 1]!, 0), GROUPS_MAX);
  return Array.from(names.doubles.slice(ref + 2, ref + 2 + count));
}
