/** Piscina's pools: one for the stages, whose tasks take as long as the daemon runs, one for tasks that end. */

import { Piscina } from 'piscina';

/**
 * The stages make next to no garbage, so with the usual 16 MiB collections would be far apart, and native memory that hangs on
 * small objects (compressed frames) would wait for them. It does no harm to the others.
 */
const YOUNG_GENERATION_MB = 2;

export class ThreadPool {
  readonly #pool: Piscina;

  /**
   * @param idleMs after which a thread without a task ends
   * @param niceness above 0: the threads take what the others leave of the processors (nice(2), of a thread)
   */
  constructor(threads: number, idleMs = Number.POSITIVE_INFINITY, niceness = 0) {
    this.#pool = new Piscina({
      minThreads: idleMs === Number.POSITIVE_INFINITY ? 1 : 0,
      maxThreads: threads,
      idleTimeout: idleMs,
      concurrentTasksPerWorker: 1,
      niceIncrement: niceness,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
  }

  /** Runs the default export of a module on a thread. Rejects where it throws, or the thread ends. */
  run(file: URL, data: unknown, transfer: readonly unknown[] = []): Promise<unknown> {
    return this.#pool.run(data, { filename: file.href, transferList: transfer as never });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** What a task returns without a copy of this memory: it is gone from its own thread then. */
export function moved<T extends object>(value: T, memory: readonly ArrayBuffer[]): T {
  const transferable = { [Piscina.transferableSymbol]: memory, [Piscina.valueSymbol]: value };
  return Piscina.move(transferable as never) as T;
}
