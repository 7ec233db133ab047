/**
 * The copy of the tables that a checkpoint is written from, and what main, the fold and whoever asks say to each other about
 * it, in shared memory.
 *
 *   word 0 ┌──────┬───────────┬──────────┬──────────┐   wish: what main wants of the fold (WISH_…); the fold takes it back
 *          │ wish │ requested │ answered │ failures │   when the copy is made. requested: askers, one more each;
 *          └──────┴───────────┴──────────┴──────────┘   answered: main, how many of them; failures: main
 *   doubles  the copy: when, how long it took, its place in the ring · the checkpoint: line, when, bytes, both durations, first line needed
 *
 * The copy has the form of the tables themselves, so what reads tables reads it. It is as large as they are and made over
 * and over in the same place, so memory that it has touched stays touched, and no pause pays for it again (188 MB, of 100,000
 * workflows with 10 tasks each: 85 ms the first time, 10 ms after that; into new memory it is the former each time). While a wish
 * stands the copy is the fold's, otherwise main's and those to whom main hands it.
 *
 * The fold makes it at the end of a record, where its tables hold whole lines, and nobody else writes them. A fold
 * that dies meanwhile leaves the wish, and the next one makes the copy anew.
 */

import { allocateTables, type StateLimits, type TableName, type TablesMemory } from '../state/layout.js';
import type { Tables } from '../state/tables.js';

export const WISH_NONE = 0;
/** At the end of the next record, or at once where there is none. */
export const WISH_NOW = 1;
/** When the fold has nothing more to do: the last one of a drain. */
export const WISH_AT_END = 2;

const WISH = 0; // in words
const REQUESTED = 1;
const ANSWERED = 2;
const FAILURES = 3;
const COPIED_US = 4; // in doubles
const PAUSE_MS = 5;
const COPIED_POSITION = 6;
const WRITTEN = 7;
const DOUBLES = 13;

export interface CopiesMemory {
  readonly board: SharedArrayBuffer;
  readonly copy: TablesMemory;
}

/** What the status says of the last checkpoint. */
export interface LastCheckpoint {
  readonly line: number;
  /** When its state was copied, µs. */
  readonly writtenUs: number;
  readonly bytes: number;
  /** How long the fold stood still for it; NaN: this process has not made it. */
  readonly pauseMs: number;
  /** From the wish for it until it was durable. */
  readonly durationMs: number;
  readonly firstLineNeeded: number;
}

export function allocateCopies(limits: StateLimits): CopiesMemory {
  return { board: new SharedArrayBuffer(DOUBLES * 8), copy: allocateTables(limits) };
}

export class TableCopies {
  readonly #copy: TablesMemory;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(memory: CopiesMemory) {
    this.#copy = memory.copy;
    this.#words = new Int32Array(memory.board);
    this.#doubles = new Float64Array(memory.board);
  }

  get wish(): number {
    return Atomics.load(this.#words, WISH);
  }

  setWish(wish: number): void {
    Atomics.store(this.#words, WISH, wish);
  }

  /** For the fold. @param atEnd whether it has nothing more to do */
  isWished(atEnd: boolean): boolean {
    const { wish } = this;
    return wish === WISH_NOW || (atEnd && wish === WISH_AT_END);
  }

  /** For the fold: makes the copy, and takes the wish back. */
  make(tables: Tables, position: number): void {
    const startedMs = performance.now();
    copyTables(tables, this.#copy);
    this.#doubles[COPIED_POSITION] = position;
    this.#doubles[COPIED_US] = Date.now() * 1000;
    this.#doubles[PAUSE_MS] = performance.now() - startedMs;
    Atomics.store(this.#words, WISH, WISH_NONE);
  }

  get copiedUs(): number {
    return this.#doubles[COPIED_US]!;
  }

  /** Of the ring: the copy has everything before it. */
  get copiedPosition(): number {
    return this.#doubles[COPIED_POSITION]!;
  }

  get pauseMs(): number {
    return this.#doubles[PAUSE_MS]!;
  }

  /** Asks main for a checkpoint. @returns what `answered` will be at least when it is there, or has failed */
  request(): number {
    return Atomics.add(this.#words, REQUESTED, 1) + 1;
  }

  get requested(): number {
    return Atomics.load(this.#words, REQUESTED);
  }

  get answered(): number {
    return Atomics.load(this.#words, ANSWERED);
  }

  setAnswered(count: number): void {
    Atomics.store(this.#words, ANSWERED, count);
  }

  /** Checkpoints that could not be written since the last one that could. */
  get failures(): number {
    return Atomics.load(this.#words, FAILURES);
  }

  setFailures(count: number): void {
    Atomics.store(this.#words, FAILURES, count);
  }

  /** null: there is none. Numbers of two checkpoints may mix for a moment; they are for people. */
  get last(): LastCheckpoint | null {
    const [line, writtenUs, bytes, pauseMs, durationMs, firstLineNeeded] = this.#doubles.subarray(WRITTEN);
    if (line === 0) return null;
    return {
      line: line!,
      writtenUs: writtenUs!,
      bytes: bytes!,
      pauseMs: pauseMs!,
      durationMs: durationMs!,
      firstLineNeeded: firstLineNeeded!,
    };
  }

  setLast(last: LastCheckpoint): void {
    const { line, writtenUs, bytes, pauseMs, durationMs, firstLineNeeded } = last;
    this.#doubles.set([line, writtenUs, bytes, pauseMs, durationMs, firstLineNeeded], WRITTEN);
  }
}

/** The used bytes alone. Both sides begin at a multiple of 8, where a copy takes whole words (11 to 16 GB/s). */
function copyTables(from: Tables, to: TablesMemory): void {
  for (const [name, bytes] of Object.entries(from.usedRanges()) as [TableName, number][]) {
    to[name].set(from.memory[name].subarray(0, bytes));
  }
}
