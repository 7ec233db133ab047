/**
 * What the daemon knows of its threads, in shared memory: one row of 64 bytes a stage, and before them the word that asks all
 * stages to finish.
 *
 *   row: ┌───────┬──────────┬─────────┬────────┬────────┐
 *        │ state │ restarts │ busy ms │ thread │ pauses │     all but restarts: the stage itself
 *        └───────┴──────────┴─────────┴────────┴────────┘     restarts: the supervisor (main)
 *   thread  number of the thread that runs it
 *   pauses  of ingest alone, four doubles: how long its loop stood at a time. All 0: it has not worked yet. They are stored
 *           one by one, so a reader may see some of one second and some of the next.
 */

import { threadId } from 'node:worker_threads';

export const STAGE_NAMES = ['ingest', 'fold', 'archive', 'sync', 'control'] as const;
export const STAGE_INGEST = 0;
export const STAGE_FOLD = 1;
export const STAGE_ARCHIVE = 2;
export const STAGE_SYNC = 3;
export const STAGE_CONTROL = 4;

/** 0: starting. */
/** The fold rebuilds the tables out of the log. */
export const STAGE_RECOVERING = 1;
export const STAGE_RUNNING = 2;
export const STAGE_DONE = 3;

const ROW_WORDS = 16;
const STATE = 0;
const RESTARTS = 1;
const BUSY = 1; // in doubles
const THREAD = 4; // in words
const PAUSES = 3; // in doubles

/** Times that a loop stood, by rank, in milliseconds. */
export interface LoopPausesMs {
  readonly p50: number;
  readonly p99: number;
  readonly p99_9: number;
  readonly max: number;
}

const INGEST_PAUSES = (STAGE_INGEST + 1) * (ROW_WORDS / 2) + PAUSES;

export function allocateVitals(): SharedArrayBuffer {
  return new SharedArrayBuffer((STAGE_NAMES.length + 1) * ROW_WORDS * 4);
}

export class Vitals {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
  }

  /** No more records come: finish what is there, and return. */
  get stopping(): boolean {
    return Atomics.load(this.#words, 0) !== 0;
  }

  stop(): void {
    Atomics.store(this.#words, 0, 1);
  }

  state(stage: number): number {
    return Atomics.load(this.#words, (stage + 1) * ROW_WORDS + STATE);
  }

  /** Called by the stage itself. */
  setState(stage: number, state: number): void {
    this.#words[(stage + 1) * ROW_WORDS + THREAD] = threadId;
    Atomics.store(this.#words, (stage + 1) * ROW_WORDS + STATE, state);
  }

  /** The stages' names by the numbers of their threads. */
  threads(): Map<number, string> {
    return new Map(STAGE_NAMES.map((name, stage) => [this.#words[(stage + 1) * ROW_WORDS + THREAD]!, name]));
  }

  restarts(stage: number): number {
    return Atomics.load(this.#words, (stage + 1) * ROW_WORDS + RESTARTS);
  }

  countRestart(stage: number): void {
    Atomics.add(this.#words, (stage + 1) * ROW_WORDS + RESTARTS, 1);
  }

  /** Milliseconds that the stage has worked, not slept. */
  busyMs(stage: number): number {
    return this.#doubles[(stage + 1) * (ROW_WORDS / 2) + BUSY]!;
  }

  addBusyMs(stage: number, ms: number): void {
    this.#doubles[(stage + 1) * (ROW_WORDS / 2) + BUSY]! += ms;
  }

  setBusyMs(stage: number, ms: number): void {
    this.#doubles[(stage + 1) * (ROW_WORDS / 2) + BUSY] = ms;
  }

  /** null: it has not worked yet. */
  get ingestPausesMs(): LoopPausesMs | null {
    const [p50, p99, p999, max] = this.#doubles.subarray(INGEST_PAUSES, INGEST_PAUSES + 4);
    return max === 0 ? null : { p50: p50!, p99: p99!, p99_9: p999!, max: max! };
  }

  setIngestPausesMs({ p50, p99, p99_9: p999, max }: LoopPausesMs): void {
    this.#doubles.set([p50, p99, p999, max], INGEST_PAUSES);
  }
}
