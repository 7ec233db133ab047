/**
 * What main does with the segments and the archive stage and the status have to know of it, in shared memory, and what lies
 * beside the segments and the disk does not take.
 *
 *   words   ┌───────────────┬─────────────────┐   wished: main counts the wishes that the active segment be closed
 *           │ closes wished │ closes answered │   answered: the archive stage says which of them it has seen to
 *           ├───────────────┼─────────────────┤   0 or 1, whether the last try has failed: to write roll-ups (main says it
 *           │ roll-ups fail │ indexes fail    │   for the fold), to write an index (control)
 *           └───────────────┴─────────────────┘
 *   doubles ┌──────────┬───────┬───────────┬────────────┐   what retention has removed since the process began, and
 *           │ segments │ bytes │ oldest µs │ raw before │   where the log begins now: main alone
 *           └──────────┴───────┴───────────┴────────────┘
 *
 * A status that reads while main writes may mix two states of the doubles: it shows numbers of a moment ago, and nothing
 * else depends on them.
 */

const WISHED = 0; // in words
const ANSWERED = 1;
const ROLLUPS_FAIL = 2;
const INDEXES_FAIL = 3;
const REMOVED_SEGMENTS = 2; // in doubles, from here on
const REMOVED_BYTES = 3;
const OLDEST_US = 4;
const RAW_BEFORE = 5;
const LENGTH = 6;

export interface LogBeginning {
  /** Segments that retention has removed since the process began, and their bytes. */
  readonly removedSegments: number;
  readonly removedBytes: number;
  /** Arrival of the oldest frame that is kept, µs; 0: there is none, or none was removed yet. */
  readonly oldestUs: number;
  /** Raw bytes of the lines that are not kept any more, since line 1. */
  readonly rawBytesBefore: number;
}

export function allocateUpkeep(): SharedArrayBuffer {
  return new SharedArrayBuffer(LENGTH * 8);
}

export class UpkeepBoard {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
  }

  /** The next frame begins a segment. */
  wishClose(): void {
    Atomics.add(this.#words, WISHED, 1);
  }

  /** The wishes that are not answered yet: a count to answer them with, or null. */
  wishedClose(): number | null {
    const wished = Atomics.load(this.#words, WISHED);
    return wished === Atomics.load(this.#words, ANSWERED) ? null : wished;
  }

  answerClose(wished: number): void {
    Atomics.store(this.#words, ANSWERED, wished);
  }

  get rollupsFail(): boolean {
    return Atomics.load(this.#words, ROLLUPS_FAIL) !== 0;
  }

  setRollupsFail(fail: boolean): void {
    Atomics.store(this.#words, ROLLUPS_FAIL, Number(fail));
  }

  get indexesFail(): boolean {
    return Atomics.load(this.#words, INDEXES_FAIL) !== 0;
  }

  setIndexesFail(fail: boolean): void {
    Atomics.store(this.#words, INDEXES_FAIL, Number(fail));
  }

  get beginning(): LogBeginning {
    const doubles = this.#doubles;
    return {
      removedSegments: doubles[REMOVED_SEGMENTS]!,
      removedBytes: doubles[REMOVED_BYTES]!,
      oldestUs: doubles[OLDEST_US]!,
      rawBytesBefore: doubles[RAW_BEFORE]!,
    };
  }

  setBeginning({ removedSegments, removedBytes, oldestUs, rawBytesBefore }: LogBeginning): void {
    this.#doubles[REMOVED_SEGMENTS] = removedSegments;
    this.#doubles[REMOVED_BYTES] = removedBytes;
    this.#doubles[OLDEST_US] = oldestUs;
    this.#doubles[RAW_BEFORE] = rawBytesBefore;
  }
}
