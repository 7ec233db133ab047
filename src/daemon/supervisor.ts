/**
 * Runs the stages as long tasks of a Piscina pool, one thread each, and runs a stage again that died: the pool has made a
 * new thread for it by then, and the shared memory has all that it needs to go on.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Vitals } from '../ring/vitals.js';
import type { Log } from './log.js';
import { ThreadPool } from './thread-pool.js';

export interface Stage {
  /** Its row in the vitals, and its name in the log. */
  readonly row: number;
  readonly name: string;
  /** The module whose default export is the task. */
  readonly file: URL;
  /** @param rerun whether it has died before */
  readonly task: (rerun: boolean) => { data: unknown; transfer?: readonly unknown[] };
}

/** A stage that dies this often within the time is not going to recover by being run once more. */
const DEATHS_MAX = 20;
const DEATHS_WITHIN_MS = 30_000;
const PAUSE_AFTER_MS = 250;

export class Supervisor {
  readonly #pool: ThreadPool;
  readonly #vitals: Vitals;
  readonly #log: Log;
  readonly #giveUp: (stage: string, error: unknown) => void;

  /** @param giveUp called once a stage cannot be kept alive: the process has to end, and be started anew */
  constructor(threads: number, vitals: Vitals, log: Log, giveUp: (stage: string, error: unknown) => void) {
    this.#pool = new ThreadPool(threads);
    this.#vitals = vitals;
    this.#log = log;
    this.#giveUp = giveUp;
  }

  /** Resolves when the stage has finished its work. */
  async run(stage: Stage): Promise<void> {
    const deaths: number[] = [];
    for (let rerun = false; ; rerun = true) {
      const { data, transfer = [] } = stage.task(rerun);
      try {
        await this.#pool.run(stage.file, data, transfer);
        return;
      } catch (error) {
        this.#vitals.countRestart(stage.row);
        this.#log.error({ stage: stage.name, err: error }, `the ${stage.name} stage died and is run again`);
        const nowMs = performance.now();
        deaths.push(nowMs);
        if (deaths.length > DEATHS_MAX) deaths.shift();
        if (deaths.length === DEATHS_MAX && nowMs - deaths[0]! < DEATHS_WITHIN_MS) {
          this.#giveUp(stage.name, error);
          return;
        }
        // The first re-run is at once; one that dies again and again leaves the machine some air.
        if (deaths.length > 1 && nowMs - deaths.at(-2)! < 1000) await sleep(PAUSE_AFTER_MS);
      }
    }
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
