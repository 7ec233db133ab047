/**
 * Main's part in the ticks (model/tick.ts): it says what time it is, and what the limits are, as records among the others. The
 * fold alone decides what comes of that.
 *
 * A tick of time is said only when one is due, by a look at the tables that may be a little stale: so an idle daemon writes
 * nothing, and a live workflow costs nothing until it has been idle for too long.
 */

import { TICK_LIMITS, TICK_TIME } from '../model/tick.js';
import { encodeLimits, type Limits } from '../state/limits.js';
import type { Tables } from '../state/tables.js';
import { WORKFLOW_TOUCHED } from '../state/workflows.js';

const STEP_MS = 1000;
const NO_PAYLOAD = new Uint8Array(0);

export interface TickerParts {
  /** @returns false where it finds no room now */
  readonly tryTick: (kind: number, payload: Uint8Array) => boolean;
  /** The tables are a part of the log only while they are rebuilt. */
  readonly isReady: () => boolean;
  /** The fold has hours to write that the disk has refused: it tries again with each record, also where no line comes. */
  readonly holdsHours: () => boolean;
  readonly nowMs: () => number;
}

export class Ticker {
  readonly #tables: Tables;
  readonly #parts: TickerParts;
  /** Those that are still to be said. */
  #limits: Limits | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(tables: Tables, parts: TickerParts) {
    this.#tables = tables;
    this.#parts = parts;
  }

  /** Says these limits before anything else, and from then on the time when it matters. */
  start(limits: Limits): void {
    this.changeLimits(limits);
    this.#timer = setInterval(() => this.step(), STEP_MS).unref();
  }

  /** Limits that hold from now on. */
  changeLimits(limits: Limits): void {
    this.#limits = limits;
    this.step();
  }

  stop(): void {
    clearInterval(this.#timer ?? undefined);
  }

  step(): void {
    const { tryTick, isReady, holdsHours } = this.#parts;
    if (this.#limits !== null && tryTick(TICK_LIMITS, encodeLimits(this.#limits))) this.#limits = null;
    if (this.#limits !== null || !isReady()) return;
    if (this.#isDue() || holdsHours()) tryTick(TICK_TIME, NO_PAYLOAD);
  }

  #isDue(): boolean {
    const { workflows, limits } = this.#tables;
    const oldest = workflows.oldestLive;
    if (oldest === 0) return false;
    const touched = workflows.table.doubles[oldest * workflows.table.slotDoubles + WORKFLOW_TOUCHED]!;
    return touched * 1000 + limits.staleAfterMs <= this.#parts.nowMs();
  }
}
