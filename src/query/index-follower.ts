/**
 * Keeps the index of the log behind its writer: what is asked for then has little to index first, and a segment has its index
 * soon after it is closed. It follows by lots, since nothing depends on the last lines being there.
 */

import type { LogIndex } from '../archive/log-index.js';
import type { LogPosition } from '../archive/log-reader.js';
import { Failure } from '../model/failure.js';

const LOOK_MS = 1000;
/** Compressed: some 10 ms of work for whoever asks for the rest. */
const LOT_BYTES = 1024 * 1024;
/** After indexes that the disk did not take. */
const RETRY_MS = 5000;
/** One that somebody has removed is built again after this. */
const LOOK_ANYWAY_MS = 60_000;
/** How many looks in a row give way to ingestion: a load that lasts is indexed all the same. */
const YIELDS_MAX = 15;

export interface IndexFollowerParts {
  /** Not before the state is whole: a start needs the processors more. */
  readonly isReady: () => boolean;
  /** How often ingestion has stood still for want of room. */
  readonly stalls: () => number;
  readonly position: () => LogPosition;
  /** Told what an index could not be built of; the same is told once. */
  readonly onWarning: (text: string) => void;
  readonly onBug: (error: unknown) => void;
}

export class IndexFollower {
  readonly #index: LogIndex;
  readonly #parts: IndexFollowerParts;
  readonly #timer: NodeJS.Timeout;
  /** How far it has come. */
  #followed: LogPosition | null = null;
  #againAtMs = Number.POSITIVE_INFINITY;
  #isBusy = false;
  #stalls = 0;
  #yields = 0;
  #said = '';

  constructor(index: LogIndex, parts: IndexFollowerParts) {
    this.#index = index;
    this.#parts = parts;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const position = this.#parts.position();
    const followed = this.#followed;
    const isFar =
      performance.now() >= this.#againAtMs ||
      followed?.segment !== position.segment ||
      position.offset - followed.offset >= LOT_BYTES;
    if (this.#isBusy || !isFar || !this.#parts.isReady() || this.#yieldsToIngestion()) return;
    this.#isBusy = true;
    this.#follow(position)
      .catch(this.#parts.onBug)
      .finally(() => {
        this.#isBusy = false;
      });
  }

  #yieldsToIngestion(): boolean {
    const stalls = this.#parts.stalls();
    const isPressed = stalls !== this.#stalls && this.#yields < YIELDS_MAX;
    this.#stalls = stalls;
    this.#yields = isPressed ? this.#yields + 1 : 0;
    return isPressed;
  }

  async #follow(position: LogPosition): Promise<void> {
    try {
      const isWritten = await this.#index.follow(position);
      this.#againAtMs = performance.now() + (isWritten ? LOOK_ANYWAY_MS : RETRY_MS);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.message !== this.#said) this.#parts.onWarning(`the archive is not indexed: ${error.message}`);
      this.#said = error.message;
    }
    this.#followed = position;
  }
}
