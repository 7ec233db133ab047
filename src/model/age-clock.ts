/**
 * The time by which things grow too old to be kept. What is removed by mistake is gone, and what stays a day too long does no
 * harm, so it is not the wall's alone. It is never later than the newest arrival, so a log that nobody adds to keeps what it has;
 * and a wall that jumps ahead is believed only when it has stayed there for a day. A machine that has slept, and a log
 * that goes on after a pause, wait for that day, too.
 */

/** More than a clock that is kept by NTP is ever set at once. */
const STEP_MS_MAX = 3_600_000;
const DOUBT_MS = 86_400_000;

export interface AgeTimes {
  readonly wallMs: number;
  /** Of the log's newest record; 0: it has none. */
  readonly newestArrivalMs: number;
  /** Of a clock that nobody sets. */
  readonly fineMs: number;
}

export class AgeClock {
  /** What a wall that is believed showed when the fine clock was at 0. */
  #offsetMs: number;
  /** Since when the wall is too far ahead of that, by the fine clock; null: it is not. */
  #doubtedSinceMs: number | null = null;

  /** A start has nothing to judge the wall by but the log; where that is empty there is nothing to lose. */
  constructor({ wallMs, newestArrivalMs, fineMs }: AgeTimes) {
    this.#offsetMs = (newestArrivalMs > 0 ? Math.min(wallMs, newestArrivalMs) : wallMs) - fineMs;
  }

  /** Call it now and then. */
  nowMs({ wallMs, newestArrivalMs, fineMs }: AgeTimes): number {
    let believedMs = this.#offsetMs + fineMs;
    if (wallMs - believedMs > STEP_MS_MAX) {
      this.#doubtedSinceMs ??= fineMs;
      if (fineMs - this.#doubtedSinceMs >= DOUBT_MS) believedMs = wallMs;
    } else {
      this.#doubtedSinceMs = null;
      believedMs = wallMs;
    }
    this.#offsetMs = believedMs - fineMs;
    return Math.min(believedMs, newestArrivalMs);
  }
}
