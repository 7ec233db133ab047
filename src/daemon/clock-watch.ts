/** Watches the wall clock for the daemon's log: says when somebody has set it, since what goes by it (windows, ages) is off then. */

import type { Log } from './log.js';

/** More than a clock that is kept by NTP is ever set at once. */
const STEP_MS_MAX = 5000;

export class ClockWatch {
  readonly #log: Log;
  /** What the wall is ahead of the other clock. */
  #aheadMs: number;

  /** @param fineMs of a clock that nobody sets */
  constructor(log: Log, wallMs: number, fineMs: number) {
    this.#log = log;
    this.#aheadMs = wallMs - fineMs;
  }

  /** Call it now and then. */
  look(wallMs: number, fineMs: number): void {
    const aheadMs = wallMs - fineMs;
    const stepMs = aheadMs - this.#aheadMs;
    this.#aheadMs = aheadMs;
    if (Math.abs(stepMs) < STEP_MS_MAX) return;
    const facts = { step_seconds: stepMs / 1000 };
    if (stepMs > 0) {
      this.#log.warn(
        facts,
        'the wall clock was set ahead, or the machine has slept: arrival times follow it, and windows take it for time that has passed',
      );
    } else {
      this.#log.warn(
        facts,
        'the wall clock was set back: arrival times go on from where they were, a tenth slower until it has caught up',
      );
    }
  }
}
