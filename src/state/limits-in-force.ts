/** The limits in force (limits.ts), read where they lie: each access costs a load, as the fold needs them once a line. */

import { type Doubles, doublesOf, type MemoryPart } from '../model/memory.js';

export class LimitsInForce {
  readonly #doubles: Doubles;
  readonly #at: i32;

  /** @param memory of the board @param at where they begin, in doubles */
  constructor(memory: MemoryPart, at: i32) {
    this.#doubles = doublesOf(memory);
    this.#at = at;
  }

  get maxLiveWorkflows(): f64 {
    return this.#doubles[this.#at]!;
  }

  get maxRecentWorkflows(): f64 {
    return this.#doubles[this.#at + 1]!;
  }

  get maxTasksPerWorkflow(): f64 {
    return this.#doubles[this.#at + 2]!;
  }

  get maxTasks(): f64 {
    return this.#doubles[this.#at + 3]!;
  }

  get maxSeries(): f64 {
    return this.#doubles[this.#at + 4]!;
  }

  get namesBytes(): f64 {
    return this.#doubles[this.#at + 5]!;
  }

  get staleAfterMs(): f64 {
    return this.#doubles[this.#at + 6]!;
  }

  get seriesIdleMs(): f64 {
    return this.#doubles[this.#at + 7]!;
  }

  get windowBytes(): f64 {
    return this.#doubles[this.#at + 8]!;
  }

  /** No limits have been set in this memory. */
  get isNew(): boolean {
    return this.#doubles[this.#at] === 0;
  }

  /** @param which by its place in LIMIT_NAMES of limits.ts */
  value(which: i32): f64 {
    return this.#doubles[this.#at + which]!;
  }

  setValue(which: i32, value: f64): void {
    this.#doubles[this.#at + which] = value;
  }
}
