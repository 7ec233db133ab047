/**
 * Promises that a program waits on. Nothing else of the client keeps its process alive, so a program that has nothing to do
 * but to wait for the daemon needs a timer that does.
 */

import { DELAY_MS_MAX } from './options.js';

export class Waiter<T> {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (reason: unknown) => void;
  #over: (() => void) | undefined;

  /** @param over called once, when it is settled */
  constructor(over: () => void) {
    this.#over = over;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  resolve(value: T): void {
    this.#end();
    this.#resolve(value);
  }

  reject(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  #end(): void {
    this.#over?.();
    this.#over = undefined;
  }
}

export class Waiters {
  #count = 0;
  #keepingAlive: NodeJS.Timeout | undefined;

  /**
   * Puts an entry for it into the list. Whoever takes the entry out settles it.
   * @returns what is settled, or rejected with the signal's reason, and then the entry is in the list no more
   */
  wait<T, Entry>(
    list: Entry[],
    entryOf: (waiter: Waiter<T>) => Entry,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const abort = () => {
      list.splice(list.indexOf(entry), 1);
      waiter.reject(signal!.reason);
    };
    const waiter = new Waiter<T>(() => {
      signal?.removeEventListener('abort', abort);
      this.#count--;
      if (this.#count > 0) return;
      clearInterval(this.#keepingAlive);
      this.#keepingAlive = undefined;
    });
    this.#count++;
    this.#keepingAlive ??= setInterval(() => {}, DELAY_MS_MAX);
    signal?.addEventListener('abort', abort);
    const entry = entryOf(waiter);
    list.push(entry);
    return waiter.promise;
  }
}
