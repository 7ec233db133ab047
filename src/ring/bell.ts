/**
 * A bell wakes one sleeping thread. `Atomics.notify` costs 80 ns even with nobody waiting, so the sleeper says that
 * it sleeps, and the ringer only looks at that word.
 *
 *   byte 0 ┌───────┐ 4 ┌──────────┐
 *          │ rings │   │ sleeping │
 *          └───────┘   └──────────┘
 *            ringers     sleeper
 *
 * No wake-up is lost: the sleeper writes `sleeping` before it looks for work a last time, the ringer stores the work
 * before it reads `sleeping`, so at least one of them sees the other. A ring between that look and the wait changes
 * `rings`, and the wait returns at once. The ringer takes `sleeping` back, so that a sleeper is woken once: in a virtual
 * machine that costs the ringer up to 50 µs. Both touch `sleeping` by a read-modify-write, which is a full fence: past a
 * plain `Atomics.load` a plain store of the work may be delayed, and then both miss (796 of a million rounds; the
 * fence costs no more than the load).
 */

const RINGS = 0;
const SLEEPING = 1;

export function allocateBell(): SharedArrayBuffer {
  return new SharedArrayBuffer(128);
}

export class Bell {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Call after the work is visible. */
  ring(): void {
    if (Atomics.exchange(this.#words, SLEEPING, 0) === 0) return;
    Atomics.add(this.#words, RINGS, 1);
    Atomics.notify(this.#words, RINGS);
  }

  /**
   * Blocks this thread until the bell rings, `hasWork` says yes, or the time is over.
   * @param timeoutMs Infinity: no limit
   */
  sleep(hasWork: () => boolean, timeoutMs: number): void {
    const rings = Atomics.load(this.#words, RINGS);
    Atomics.exchange(this.#words, SLEEPING, 1);
    if (!hasWork()) Atomics.wait(this.#words, RINGS, rings, timeoutMs);
    Atomics.store(this.#words, SLEEPING, 0);
  }

  /** For a thread with an event loop: calls `wake` after every ring, until `close` is called. */
  listen(wake: () => void): { close(): void } {
    let open = true;
    const wait = () => {
      while (open) {
        const rings = Atomics.load(this.#words, RINGS);
        Atomics.exchange(this.#words, SLEEPING, 1);
        wake();
        const result = Atomics.waitAsync(this.#words, RINGS, rings);
        if (result.async) {
          result.value.then(wait);
          return;
        }
      }
    };
    wait();
    return {
      close: () => {
        open = false;
        Atomics.store(this.#words, SLEEPING, 0);
        Atomics.notify(this.#words, RINGS);
      },
    };
  }
}
