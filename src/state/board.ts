/**
 * The numbers of the state that belong to no slot: the last line folded, and the counts of every decision that the
 * fold made (the contract's `state.counts`). Doubles with one writer, the fold; part of what a checkpoint keeps.
 */

import { type Doubles, doublesOf, type MemoryPart } from '../model/memory.js';

export const STATE_COUNTS = [
  'task_restarts',
  'task_duplicate_ends',
  'workflow_duplicate_ends',
  'clock_skew',
  'workflows_stale',
  'workflows_evicted',
  'tasks_evicted',
  'tasks_untracked',
  'series_overflowed',
  'series_expired',
  // Beyond the contract's.
  'windows_lost',
  'workflows_displaced',
  'names_full',
  'shares_full',
] as const;

export type StateCount = (typeof STATE_COUNTS)[number];

export const COUNT_TASK_RESTARTS = 0;
export const COUNT_TASK_DUPLICATE_ENDS = 1;
export const COUNT_WORKFLOW_DUPLICATE_ENDS = 2;
export const COUNT_CLOCK_SKEW = 3;
export const COUNT_WORKFLOWS_STALE = 4;
export const COUNT_WORKFLOWS_EVICTED = 5;
export const COUNT_TASKS_EVICTED = 6;
export const COUNT_TASKS_UNTRACKED = 7;
export const COUNT_SERIES_OVERFLOWED = 8;
export const COUNT_SERIES_EXPIRED = 9;
/** Slots of time of a cell for which there was no room in the windows. */
export const COUNT_WINDOWS_LOST = 10;
/** Made stale since `max_live_workflows` were there, and not by time. */
export const COUNT_WORKFLOWS_DISPLACED = 11;
/** A string, a group's line or an interval for which the names had no room. */
export const COUNT_NAMES_FULL = 12;
/** A forgotten task whose agent's seconds were lost, since no share was left. */
export const COUNT_SHARES_FULL = 13;

const LINE = 0;
const ARRIVED = 1;
const TICKS = 2;
const HOUR = 3;
const HOUR_BEFORE = 4;
const HOUR_VERSION = 5;
const COUNTS = 8;
/** Of the limits in force (limits.ts). */
export const BOARD_LIMITS = 128;

export class Board {
  readonly #doubles: Doubles;

  constructor(memory: MemoryPart) {
    this.#doubles = doublesOf(memory);
  }

  /** Number of the last accepted line that is folded; 0: none. */
  get line(): f64 {
    return this.#doubles[LINE]!;
  }

  /** Arrival of that line, µs. */
  get arrivedUs(): f64 {
    return this.#doubles[ARRIVED]!;
  }

  setLine(line: f64, arrivedUs: f64): void {
    this.#doubles[LINE] = line;
    this.#doubles[ARRIVED] = arrivedUs;
  }

  /** How many ticks have changed the state: the number of the last one. */
  get ticks(): f64 {
    return this.#doubles[TICKS]!;
  }

  setTicks(ticks: f64): void {
    this.#doubles[TICKS] = ticks;
  }

  /** The hour (since the epoch) that is open, of the last line that is folded; 0: there was none. */
  get hour(): f64 {
    return this.#doubles[HOUR]!;
  }

  /** The last one before it of which there is a roll-up; 0: there is none. */
  get hourBefore(): f64 {
    return this.#doubles[HOUR_BEFORE]!;
  }

  setHour(hour: f64, before: f64): void {
    this.#doubles[HOUR] = hour;
    this.#doubles[HOUR_BEFORE] = before;
  }

  /** Odd while the hour changes and what the tables hold of it is cleared; another even number afterwards. */
  get hourVersion(): f64 {
    return this.#doubles[HOUR_VERSION]!;
  }

  stepHourVersion(): void {
    this.#doubles[HOUR_VERSION]! += 1;
  }

  count(which: i32): void {
    this.#doubles[COUNTS + which]! += 1;
  }

  counts(): Record<StateCount, number> {
    return Object.fromEntries(STATE_COUNTS.map((name, i) => [name, this.#doubles[COUNTS + i]!])) as Record<
      StateCount,
      number
    >;
  }

  clear(): void {
    this.#doubles.fill(0);
  }
}
