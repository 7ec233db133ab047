/**
 * The time that the forgotten executions of a workflow cover: as a span and the gaps in it, in a block of doubles that the
 * workflow's slot points at. Tasks that are in memory need none of it: their intervals are in their slots.
 *
 *   doubles  0 gaps · 1 start of the span · 2 its end · 3 seconds of closed gaps · 4, 5 first gap · 6, 7 next gap · …
 *
 * Only the latest GAPS_MAX gaps are kept. An older one is closed: what is forgotten later cannot fill it any more, which is
 * wrong for an execution alone that spans all the later ones, and so began before as many pauses of its whole workflow.
 */

import { type Doubles, toWord } from '../model/memory.js';
import type { Names } from '../state/names.js';
import type { IntervalUnion } from './interval-union.js';

const COUNT = 0;
const START = 1;
const END = 2;
const CLOSED = 3;
const GAPS = 4;
const GAPS_MAX = 32;
const GAP_DOUBLES = 2;
const BLOCK_DOUBLES = GAPS + GAP_DOUBLES * (GAPS_MAX + 1);

/**
 * Adds the interval of one execution.
 * @param ref the block, 0: none yet
 * @returns the block; 0 where there is none yet, and the interval is empty or the names have no room
 */
export function addToCover(names: Names, ref: i32, from: f64, to: f64): i32 {
  const doubles = names.doubles;
  if (!(to > from)) return ref;
  if (ref === 0) {
    const block = names.reserve(BLOCK_DOUBLES);
    if (block === 0) return 0;
    doubles[block + 1 + START] = from;
    doubles[block + 1 + END] = to;
    return block;
  }
  const at = ref + 1;
  fill(doubles, at, from, to);
  if (from > doubles[at + END]!)
    insertGap(doubles, at, toWord(doubles[at + COUNT]!), doubles[at + END]!, from);
  else if (to < doubles[at + START]!) insertGap(doubles, at, 0, to, doubles[at + START]!);
  if (from < doubles[at + START]!) doubles[at + START] = from;
  if (to > doubles[at + END]!) doubles[at + END] = to;
  if (doubles[at + COUNT]! > GAPS_MAX) {
    doubles[at + CLOSED]! += doubles[at + GAPS + 1]! - doubles[at + GAPS]!;
    removeGap(doubles, at, 0);
  }
  return ref;
}

/** Cuts the interval out of the gaps. */
function fill(doubles: Doubles, at: i32, from: f64, to: f64): void {
  for (let i = toWord(doubles[at + COUNT]!) - 1; i >= 0; i--) {
    const gap = at + GAPS + GAP_DOUBLES * i;
    const start = doubles[gap]!;
    const end = doubles[gap + 1]!;
    if (end <= from) return;
    if (start >= to) continue;
    if (start < from && to < end) {
      doubles[gap + 1] = from;
      insertGap(doubles, at, i + 1, to, end);
    } else if (start < from) doubles[gap + 1] = from;
    else if (to < end) doubles[gap] = to;
    else removeGap(doubles, at, i);
  }
}

function insertGap(doubles: Doubles, at: i32, index: i32, from: f64, to: f64): void {
  const gap = at + GAPS + GAP_DOUBLES * index;
  const end = at + GAPS + GAP_DOUBLES * toWord(doubles[at + COUNT]!);
  doubles.copyWithin(gap + GAP_DOUBLES, gap, end);
  doubles[gap] = from;
  doubles[gap + 1] = to;
  doubles[at + COUNT]! += 1;
}

function removeGap(doubles: Doubles, at: i32, index: i32): void {
  const gap = at + GAPS + GAP_DOUBLES * index;
  const end = at + GAPS + GAP_DOUBLES * toWord(doubles[at + COUNT]!);
  doubles.copyWithin(gap, gap + GAP_DOUBLES, end);
  doubles[at + COUNT]! -= 1;
}

/**
 * Adds the covered pieces to a union.
 * @param doubles @param at where the block's doubles begin, there or in a copy of it
 * @returns seconds that are in those pieces, and are not covered
 */
export function addCoverTo(union: IntervalUnion, doubles: Doubles, at: i32): f64 {
  let from = doubles[at + START]!;
  const gaps = toWord(doubles[at + COUNT]!);
  for (let i = 0; i < gaps; i++) {
    const gap = at + GAPS + GAP_DOUBLES * i;
    union.add(from, doubles[gap]!);
    from = doubles[gap + 1]!;
  }
  union.add(from, doubles[at + END]!);
  return doubles[at + CLOSED]!;
}

/** For readers: a copy of the block's doubles. Empty where there is none, or where it was freed meanwhile. */
export function copyCover(names: Names, ref: i32): Doubles {
  return ref === 0 ? new Float64Array(0) : names.doubles.slice(ref + 1, ref + 1 + BLOCK_DOUBLES);
}
