/**
 * Options that a running daemon takes, in shared memory: a double each. Main writes them, a stage reads one where it uses it, so
 * a new value holds from its next use on. The fold's results
 * follow from none of them: what changes those has to stand in the log.
 */

const SEGMENT_BYTES = 0;
const SEGMENT_AGE_MS = 1;
const SYNC_INTERVAL_MS = 2;
const CLIENT_MEMORY_MS = 3;
const PRUNES_WHEN_FULL = 4;
const COUNT = 5;

export interface SettingValues {
  /** Compressed size at which a segment of the archive is closed. */
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  readonly syncIntervalMs: number;
  /** How long a client that is silent and not connected keeps its number, by the arrivals of the log. */
  readonly clientMemoryMs: number;
  /** On a full disk the oldest segments are removed, and nobody waits. */
  readonly prunesWhenFull: boolean;
}

export function allocateSettings(values: SettingValues): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(COUNT * 8);
  new Settings(memory).set(values);
  return memory;
}

export class Settings implements SettingValues {
  readonly #doubles: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#doubles = new Float64Array(memory);
  }

  set(values: SettingValues): void {
    this.#doubles[SEGMENT_BYTES] = values.segmentBytes;
    this.#doubles[SEGMENT_AGE_MS] = values.segmentAgeMs;
    this.#doubles[SYNC_INTERVAL_MS] = values.syncIntervalMs;
    this.#doubles[CLIENT_MEMORY_MS] = values.clientMemoryMs;
    this.#doubles[PRUNES_WHEN_FULL] = values.prunesWhenFull ? 1 : 0;
  }

  get segmentBytes(): number {
    return this.#doubles[SEGMENT_BYTES]!;
  }

  get segmentAgeMs(): number {
    return this.#doubles[SEGMENT_AGE_MS]!;
  }

  get syncIntervalMs(): number {
    return this.#doubles[SYNC_INTERVAL_MS]!;
  }

  get clientMemoryMs(): number {
    return this.#doubles[CLIENT_MEMORY_MS]!;
  }

  get prunesWhenFull(): boolean {
    return this.#doubles[PRUNES_WHEN_FULL] !== 0;
  }
}
