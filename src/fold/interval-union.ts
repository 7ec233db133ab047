/** The length of the union of intervals: starts and ends sorted apart, and a sweep over both. */

import { type Doubles, ownDoubles, sortDoubles } from '../model/memory.js';

const SORT_BY_INSERTION_MAX = 64;
const INTERVALS_FIRST = 1024;

export class IntervalUnion {
  #starts: Doubles = ownDoubles(INTERVALS_FIRST);
  #ends: Doubles = ownDoubles(INTERVALS_FIRST);
  #count: i32 = 0;

  clear(): void {
    this.#count = 0;
  }

  add(from: f64, to: f64): void {
    if (this.#count === this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#ends = grown(this.#ends);
    }
    this.#starts[this.#count] = from;
    this.#ends[this.#count] = to;
    this.#count++;
  }

  /** Sorts what was added. */
  length(): f64 {
    const starts = this.#starts;
    const ends = this.#ends;
    const count = this.#count;
    sort(starts, count);
    sort(ends, count);
    let length: f64 = 0;
    for (let begun = 0; begun < count; ) {
      const from = starts[begun]!;
      // A piece goes on while fewer intervals have ended before the next start than have begun.
      for (begun++; begun < count && starts[begun]! <= ends[begun - 1]!; ) begun++;
      length += ends[begun - 1]! - from;
    }
    return length;
  }
}

/** Tasks come in the order of their first events, so they are nearly in order, and few: no call, nothing to collect. */
function sort(values: Doubles, count: i32): void {
  if (count > SORT_BY_INSERTION_MAX) {
    sortDoubles(values, count);
    return;
  }
  for (let i = 1; i < count; i++) {
    const value = values[i]!;
    let at = i;
    for (; at > 0 && values[at - 1]! > value; at--) values[at] = values[at - 1]!;
    values[at] = value;
  }
}

function grown(values: Doubles): Doubles {
  const larger = ownDoubles(values.length * 2);
  for (let i = 0; i < values.length; i++) larger[i] = values[i]!;
  return larger;
}
