/**
 * What the archive has written and what is durable, in shared memory: where a re-run goes on, how far a reader may read,
 * and what the status shows.
 *
 *   ┌─────────┬──────────────────┬───────────┬───────────┬─────────┐
 *   │ current │ sync wanted, f64 │ written 0 │ written 1 │ durable │
 *   └─────────┴──────────────────┴───────────┴───────────┴─────────┘
 *
 * `written` is a set of numbers that belong together (position in the ring, line, segment, its size …): the archive stage
 * fills the set that is not current and makes it current by one store, so position and file offset never part. `durable`
 * (line and position) is the sync stage's. `current` counts the stores, and its last bit is the set: readers take a set and take it
 * again if `current` moved meanwhile, also where it moved by two and the same set was filled again.
 */

const CURRENT = 0; // in words
const SYNC_WANTED = 1; // in doubles, from here on
const DURABLE_LINE = 2;
const LAST_SYNC_MS = 3;
const DURABLE_POSITION = 4;
const WRITTEN = 5;
const WRITTEN_LENGTH = 16;

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
}

export function allocateArchiveBoard(start: Written): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((WRITTEN + 2 * WRITTEN_LENGTH) * 8);
  const board = new ArchiveBoard(memory);
  board.setWritten(start);
  board.setDurable(start.line, Number.NaN);
  board.setDurablePosition(start.position);
  board.wantSync(start.position);
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
      const current = Atomics.load(this.#words, CURRENT);
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
      };
      if (Atomics.load(this.#words, CURRENT) === current) return written;
    }
  }

  setWritten(w: Written): void {
    const next = (Atomics.load(this.#words, CURRENT) + 1) | 0;
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
    Atomics.store(this.#words, CURRENT, next);
  }

  /** Position up to which the archive stage asks the sync stage for durability. */
  get syncWanted(): number {
    return this.#doubles[SYNC_WANTED]!;
  }

  wantSync(position: number): void {
    this.#doubles[SYNC_WANTED] = position;
  }

  /** Number of the last line that is on the disk. */
  get durableLine(): number {
    return this.#doubles[DURABLE_LINE]!;
  }

  /** Everything before this position of the ring is on the disk, or belongs to no file. */
  get durablePosition(): number {
    return this.#doubles[DURABLE_POSITION]!;
  }

  setDurablePosition(position: number): void {
    this.#doubles[DURABLE_POSITION] = position;
  }

  /** How long the last fdatasync took; NaN: there was none. */
  get lastSyncMs(): number {
    return this.#doubles[LAST_SYNC_MS]!;
  }

  setDurable(line: number, syncMs: number): void {
    this.#doubles[DURABLE_LINE] = line;
    this.#doubles[LAST_SYNC_MS] = syncMs;
  }
}
