/**
 * How far the fold has come, in shared memory, so that a fold that died is taken over without a line lost or twice.
 *
 *   word 0 ┌─────────┬───────┬────────┬─────────┐   valid: the tables hold everything up to here
 *          │ current │ valid │ deaths │ working │   working: 1 inside a record, 0 between records
 *          └─────────┴───────┴────────┴─────────┘   begun: the table of clients is ahead of the log
 *   word 6 ┌───────┐
 *          │ begun │
 *          └───────┘
 *   two commits, of which `current` says the last:
 *          ┌────────────────┬───────────┬──────────┬──────────────────────────────────────────────────────────┐
 *          │ offset · 2 + f │ internals │ internal │ position, line, arrived, accepted, rejected, uncounted,  │
 *          │                │           │ offsets  │ cuts, slot, its counts and its client, by reason …       │
 *          └────────────────┴───────────┴──────────┴──────────────────────────────────────────────────────────┘
 *
 * Per line it is one store: the offset of the line in work in the record after the commit, and whether it changes the
 * tables (f), are one word, so there is no moment at which a line is done and not said to be. Per record the counts are
 * written into the commit that is not current, its offset is set to 0, and one store makes it current. Cursor, ledger,
 * board and the number of the client are then set from it; whoever takes over sets them again, which does no harm.
 */

import { REFUSAL_REASONS } from '../model/refusal.js';

const CURRENT = 0;
const VALID = 1;
const DEATHS = 2;
const WORKING = 3;
const BEGUN = 6;
const DEATH_ORDER = 2; // in doubles

const COMMITS = 8; // in doubles
const COMMIT_DOUBLES = 128;
const STEP = 0; // in words of a commit
const INTERNALS = 1;
const INTERNAL_OFFSETS = 2;
const INTERNALS_MAX = 100;
const NUMBERS = 64; // in doubles of a commit

export const COMMIT_POSITION = 0;
export const COMMIT_LINE = 1;
export const COMMIT_ARRIVED = 2;
export const COMMIT_ACCEPTED = 3;
export const COMMIT_REJECTED = 4;
export const COMMIT_UNCOUNTED = 5;
export const COMMIT_CUTS = 6;
export const COMMIT_SLOT = 7;
export const COMMIT_SLOT_ACCEPTED = 8;
export const COMMIT_SLOT_REJECTED = 9;
export const COMMIT_SLOT_UNCOUNTED = 10;
export const COMMIT_GENERATION = 11;
/** Whether the connection has said a control line. */
export const COMMIT_SPOKEN = 12;
/** The connection's client: its slot (0: none), which client of the slot it is, number of its last line, last record. */
export const COMMIT_CLIENT = 13;
export const COMMIT_CLIENT_BORN = 14;
export const COMMIT_CLIENT_LINE = 15;
export const COMMIT_CLIENT_ARRIVED = 16;
export const COMMIT_BY_REASON = 17;
export const COMMIT_LENGTH = COMMIT_BY_REASON + REFUSAL_REASONS.length;

/**
 * @param position of the ring at which the fold begins
 * @param line number of the last line in the log, and when it arrived (µs)
 */
export function allocateProgress(position: number, line: number, arrivedUs: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((COMMITS + 2 * COMMIT_DOUBLES) * 8);
  const doubles = new Float64Array(memory);
  doubles[COMMITS + NUMBERS + COMMIT_POSITION] = position;
  doubles[COMMITS + NUMBERS + COMMIT_LINE] = line;
  doubles[COMMITS + NUMBERS + COMMIT_ARRIVED] = arrivedUs;
  doubles[DEATH_ORDER] = -1;
  return memory;
}

export class Progress {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  /** First word of the current commit. */
  #at: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
    this.#at = this.#wordsOf(this.#words[CURRENT]!);
  }

  /** Offset of the line in work, in the payload of the record after the commit. */
  get offset(): number {
    return this.#words[this.#at + STEP]! >> 1;
  }

  /** Whether that line's changes have begun. */
  get changing(): boolean {
    return (this.#words[this.#at + STEP]! & 1) !== 0;
  }

  beginChange(offset: number): void {
    this.#words[this.#at + STEP] = (offset << 1) | 1;
  }

  done(nextOffset: number): void {
    this.#words[this.#at + STEP] = nextOffset << 1;
  }

  get tablesValid(): boolean {
    return this.#words[VALID] !== 0;
  }

  setTablesValid(valid: boolean): void {
    Atomics.store(this.#words, VALID, valid ? 1 : 0);
  }

  /** Whether the tables have been valid once, and lines were folded into them since. */
  get hasBegun(): boolean {
    return this.#words[BEGUN] !== 0;
  }

  begin(): void {
    Atomics.store(this.#words, BEGUN, 1);
  }

  /** Inside a record: a death now is a death at the line in work. */
  get working(): boolean {
    return this.#words[WORKING] !== 0;
  }

  setWorking(working: boolean): void {
    this.#words[WORKING] = working ? 1 : 0;
  }

  /** A copy of the last commit's numbers. */
  load(): Float64Array {
    const at = this.#at / 2 + NUMBERS;
    return this.#doubles.slice(at, at + COMMIT_LENGTH);
  }

  /** Makes these numbers the last commit, and begins the record after it. */
  commit(numbers: Float64Array): void {
    const other = 1 - this.#words[CURRENT]!;
    const at = this.#wordsOf(other);
    for (let i = 0; i < COMMIT_LENGTH; i++) this.#doubles[at / 2 + NUMBERS + i] = numbers[i]!;
    this.#words[at + STEP] = 0;
    this.#words[at + INTERNALS] = 0;
    Atomics.store(this.#words, CURRENT, other);
    this.#at = at;
  }

  /** Notes a death at a line. @returns how often the fold has died there in a row */
  countDeath(order: number): number {
    if (this.#doubles[DEATH_ORDER] !== order) {
      this.#doubles[DEATH_ORDER] = order;
      this.#words[DEATHS] = 0;
    }
    this.#words[DEATHS]! += 1;
    return this.#words[DEATHS]!;
  }

  /** Marks a line of the current record, by its offset, as one that is refused because the fold died at it twice. */
  addInternal(offset: number): void {
    const count = this.#words[this.#at + INTERNALS]!;
    if (count >= INTERNALS_MAX) throw new Error(`the fold died at ${count} lines of one record`);
    this.#words[this.#at + INTERNAL_OFFSETS + count] = offset;
    this.#words[this.#at + INTERNALS] = count + 1;
  }

  /** Whether any line of the current record is so marked: asked once a line, so it must cost nothing. */
  get hasInternals(): boolean {
    return this.#words[this.#at + INTERNALS] !== 0;
  }

  isInternal(offset: number): boolean {
    const count = this.#words[this.#at + INTERNALS]!;
    for (let i = 0; i < count; i++) if (this.#words[this.#at + INTERNAL_OFFSETS + i] === offset) return true;
    return false;
  }

  #wordsOf(commit: number): number {
    return (COMMITS + commit * COMMIT_DOUBLES) * 2;
  }
}
