/** Waits between attempts, longer and longer: a thread that retries must neither spin nor be late when it comes right. */

const FIRST_MS = 20;
/** What went wrong is gone on with within a second of coming right. */
const LONGEST_MS = 500;

export class Pause {
  readonly #word = new Int32Array(new SharedArrayBuffer(4));
  #ms = FIRST_MS;

  /** Blocks this thread; nothing wakes it before. */
  take(): void {
    Atomics.wait(this.#word, 0, 0, this.#ms);
    this.#ms = Math.min(this.#ms * 2, LONGEST_MS);
  }

  /** It came right. */
  reset(): void {
    this.#ms = FIRST_MS;
  }
}
