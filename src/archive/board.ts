/**
 * What the archive has written and what is durable, in shared memory: where a re-run goes on, how far a reader may read,
 * how the sync stage hands a failed sync back to the archive stage, and what the status shows.
 *
 *   words   ┌─────────┬─────────┬───────────┬──────────┬───────┬─────────┬─────────┬──────────┬───────┐
 *           │ written │ durable │ sync      │ sync     │ sync  │ waits   │ holds   │ refusals │ read  │
 *           │ current │ current │ in flight │ failures │ error │         │ for     │          │ error │
 *           └─────────┴─────────┴───────────┴──────────┴───────┴─────────┴─────────┴──────────┴───────┘
 *             archive   sync      sync        sync       sync    archive   archive   archive    fold
 *   doubles ┌─────────────┬────────────┬───────────┬───────────┬───────────┬───────────┐
 *           │ sync wanted │ sync since │ written 0 │ written 1 │ durable 0 │ durable 1 │
 *           └─────────────┴────────────┴───────────┴───────────┴───────────┴───────────┘
 *             archive       sync         archive                 sync
 *
 * `written` and `durable` are sets of numbers that belong together (position in the ring, line, segment, its size …): their
 * stage fills the set that is not current and makes it current by one store, so position and file offset never part.
 * `current` counts the stores, and its last bit is the set: readers take a set and take it again if `current` moved
 * meanwhile, also where it moved by two and the same set was filled again.
 *
 * A sync that did not come back with success has failed, also one whose thread died within it. From the store of
 * `sync failures` on the sync stage touches no file until the archive stage has answered as many (`rewrites` of `written`):
 * then all that was written since `durable` has been written again.
 */

const WRITTEN_CURRENT = 0; // in words
const DURABLE_CURRENT = 1;
const SYNC_IN_FLIGHT = 2;
const SYNC_FAILURES = 3;
const SYNC_ERROR = 4;
const WAITS = 5;
const HOLDS_FOR = 6;
const REFUSALS = 7;
const READ_ERROR = 8;
const SYNC_WANTED = 5; // in doubles, from here on
const SYNC_SINCE = 6;
const WRITTEN = 7;
const WRITTEN_LENGTH = 16;
const DURABLE = WRITTEN + 2 * WRITTEN_LENGTH;
const DURABLE_LENGTH = 4;
const LENGTH = DURABLE + 2 * DURABLE_LENGTH;

/** What is in the segments, up to one moment. */
export interface Written {
  /** In the ring: everything before it is in a frame, or was cut out. */
  position: number;
  /** Number of the last line in a frame. */
  line: number;
  /** Entries of the cuts ring that are done with. */
  cuts: number;
  /** Number in the name of the active segment; 0: there is none yet. */
  segment: number;
  segmentBytes: number;
  /** Arrival of the first line in the active segment, µs. */
  segmentSinceUs: number;
  segments: number;
  rawBytes: number;
  compressedBytes: number;
  lastArrivedUs: number;
  /** Arrival of the oldest line in the log, µs; 0: none. */
  oldestUs: number;
  /** Bytes of all frames since the process began, each frame counted once. */
  frameBytes: number;
  /** Failed syncs that are answered. */
  rewrites: number;
}

/** What is on the disk, up to one moment. */
export interface Durable {
  position: number;
  line: number;
  /** Of those of `Written`. */
  frameBytes: number;
}

/** What a start has found of the log, all of it durable. */
export type FoundLog = Omit<Written, 'frameBytes' | 'rewrites'>;

export function allocateArchiveBoard(found: FoundLog): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(LENGTH * 8);
  const board = new ArchiveBoard(memory);
  const written = { ...found, frameBytes: 0, rewrites: 0 };
  board.setWritten(written);
  board.setDurable(written, Number.NaN);
  board.wantSync(written.position);
  return memory;
}

export class ArchiveBoard {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
  }

  written(): Written {
    for (;;) {
      const current = Atomics.load(this.#words, WRITTEN_CURRENT);
      const at = WRITTEN + (current & 1) * WRITTEN_LENGTH;
      const d = this.#doubles;
      const written = {
        position: d[at]!,
        line: d[at + 1]!,
        cuts: d[at + 2]!,
        segment: d[at + 3]!,
        segmentBytes: d[at + 4]!,
        segmentSinceUs: d[at + 5]!,
        segments: d[at + 6]!,
        rawBytes: d[at + 7]!,
        compressedBytes: d[at + 8]!,
        lastArrivedUs: d[at + 9]!,
        oldestUs: d[at + 10]!,
        frameBytes: d[at + 11]!,
        rewrites: d[at + 12]!,
      };
      if (Atomics.load(this.#words, WRITTEN_CURRENT) === current) return written;
    }
  }

  setWritten(w: Written): void {
    const next = (Atomics.load(this.#words, WRITTEN_CURRENT) + 1) | 0;
    const at = WRITTEN + (next & 1) * WRITTEN_LENGTH;
    const d = this.#doubles;
    d[at] = w.position;
    d[at + 1] = w.line;
    d[at + 2] = w.cuts;
    d[at + 3] = w.segment;
    d[at + 4] = w.segmentBytes;
    d[at + 5] = w.segmentSinceUs;
    d[at + 6] = w.segments;
    d[at + 7] = w.rawBytes;
    d[at + 8] = w.compressedBytes;
    d[at + 9] = w.lastArrivedUs;
    d[at + 10] = w.oldestUs;
    d[at + 11] = w.frameBytes;
    d[at + 12] = w.rewrites;
    Atomics.store(this.#words, WRITTEN_CURRENT, next);
  }

  durable(): Durable & { readonly syncMs: number } {
    for (;;) {
      const current = Atomics.load(this.#words, DURABLE_CURRENT);
      const at = DURABLE + (current & 1) * DURABLE_LENGTH;
      const d = this.#doubles;
      const durable = { position: d[at]!, line: d[at + 1]!, frameBytes: d[at + 2]!, syncMs: d[at + 3]! };
      if (Atomics.load(this.#words, DURABLE_CURRENT) === current) return durable;
    }
  }

  /** @param syncMs how long the last fdatasync took; NaN: there was none */
  setDurable({ position, line, frameBytes }: Durable, syncMs: number): void {
    const next = (Atomics.load(this.#words, DURABLE_CURRENT) + 1) | 0;
    const at = DURABLE + (next & 1) * DURABLE_LENGTH;
    const d = this.#doubles;
    d[at] = position;
    d[at + 1] = line;
    d[at + 2] = frameBytes;
    d[at + 3] = syncMs;
    Atomics.store(this.#words, DURABLE_CURRENT, next);
  }

  /** Everything before this position of the ring is on the disk, or belongs to no file. */
  get durablePosition(): number {
    return this.durable().position;
  }

  /** Number of the last line that is on the disk. */
  get durableLine(): number {
    return this.durable().line;
  }

  /** Position up to which the archive stage asks the sync stage for durability. */
  get syncWanted(): number {
    return this.#doubles[SYNC_WANTED]!;
  }

  wantSync(position: number): void {
    this.#doubles[SYNC_WANTED] = position;
  }

  // A sync, and its failure

  /** @param sinceMs on the clock of `process.uptime`, which all threads share */
  beginSync(sinceMs: number): void {
    this.#doubles[SYNC_SINCE] = sinceMs;
    Atomics.store(this.#words, SYNC_IN_FLIGHT, 1);
  }

  endSync(): void {
    Atomics.store(this.#words, SYNC_IN_FLIGHT, 0);
  }

  /** When the sync that runs began; null: none runs. */
  get syncSinceMs(): number | null {
    return this.syncIsInFlight ? this.#doubles[SYNC_SINCE]! : null;
  }

  get syncIsInFlight(): boolean {
    return Atomics.load(this.#words, SYNC_IN_FLIGHT) !== 0;
  }

  get syncFailures(): number {
    return Atomics.load(this.#words, SYNC_FAILURES);
  }

  countSyncFailure(): void {
    Atomics.add(this.#words, SYNC_FAILURES, 1);
  }

  /** Number of the system's error because of which syncing does not go on; 0: it does. */
  get syncError(): number {
    return Atomics.load(this.#words, SYNC_ERROR);
  }

  setSyncError(number: number): void {
    Atomics.store(this.#words, SYNC_ERROR, number);
  }

  // The archive stage, where it cannot go on

  /** Whether it sleeps until the sync stage rings its bell. */
  get waitsForSync(): boolean {
    return Atomics.load(this.#words, WAITS) !== 0;
  }

  setWaitsForSync(waits: boolean): void {
    Atomics.store(this.#words, WAITS, waits ? 1 : 0);
  }

  /** Number of the system's error because of which it writes nothing; 0: it writes. */
  get holdsFor(): number {
    return Atomics.load(this.#words, HOLDS_FOR);
  }

  /** How often the system has refused it something. */
  get refusals(): number {
    return Atomics.load(this.#words, REFUSALS);
  }

  hold(number: number): void {
    Atomics.add(this.#words, REFUSALS, 1);
    Atomics.store(this.#words, HOLDS_FOR, number);
  }

  goOn(): void {
    if (this.holdsFor !== 0) Atomics.store(this.#words, HOLDS_FOR, 0);
  }

  /** Number of the system's error because of which the fold cannot read the lines that its tables lack; 0: it can. */
  get readError(): number {
    return Atomics.load(this.#words, READ_ERROR);
  }

  setReadError(number: number): void {
    Atomics.store(this.#words, READ_ERROR, number);
  }
}
