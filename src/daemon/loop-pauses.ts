/**
 * How long the main thread is away from its loop at a time: nobody is read from meanwhile, and no client is answered.
 *
 * Node measures it by a timer that says how late it is. That timer would wake an idle daemon 500 times a second, so it runs only
 * while there is work.
 */

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoopPausesMs } from '../ring/vitals.js';

const RESOLUTION_MS = 2;
/** The part of the time that the loop has to work for the timer to run. */
const BUSY_FRACTION = 0.02;
/** Of so many busy looks, one a second: what was long ago says nothing of now. */
const LOOKS_MAX = 60;
/** A histogram that is younger speaks of too little; until then the one before it does. */
const LOOKS_MIN = 5;

export class LoopPauses {
  readonly #tell: (pauses: LoopPausesMs) => void;
  readonly #activeMs: () => number;
  #lastActiveMs = 0;
  #lastLookMs = 0;
  #histogram: IntervalHistogram | null = null;
  #looks = 0;
  #told = false;

  /**
   * @param activeMs how long the loop has worked so far
   * @param tell takes what the last busy minute was like
   */
  constructor(activeMs: () => number, tell: (pauses: LoopPausesMs) => void) {
    this.#activeMs = activeMs;
    this.#tell = tell;
  }

  /** Call it about once a second. */
  look(nowMs: number): void {
    const activeMs = this.#activeMs();
    const isBusy = activeMs - this.#lastActiveMs >= BUSY_FRACTION * (nowMs - this.#lastLookMs);
    this.#lastActiveMs = activeMs;
    this.#lastLookMs = nowMs;
    this.#say();
    if (!isBusy || this.#looks === LOOKS_MAX) this.#stop();
    if (isBusy && this.#histogram === null) {
      this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#histogram.enable();
    }
  }

  #say(): void {
    const histogram = this.#histogram;
    if (histogram === null) return;
    this.#looks++;
    if (histogram.max === 0 || (this.#told && this.#looks < LOOKS_MIN)) return;
    this.#told = true;
    // What is recorded is from one run of the timer to the next.
    const pauseOf = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
    this.#tell({
      p50: pauseOf(histogram.percentile(50)),
      p99: pauseOf(histogram.percentile(99)),
      p99_9: pauseOf(histogram.percentile(99.9)),
      max: pauseOf(histogram.max),
    });
  }

  /** A histogram that is switched on again would take the time between for a pause, so each is used once. */
  #stop(): void {
    this.#histogram?.disable();
    this.#histogram = null;
    this.#looks = 0;
  }
}
