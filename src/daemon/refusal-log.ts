/** Says in the daemon's log that lines were refused: at most one message an interval, whatever comes in. */

import type { RejectCounts } from '../archive/rejects.js';
import type { LedgerTotals } from '../ring/ledger.js';
import type { Log } from './log.js';

const INTERVAL_MS = 10_000;

export class RefusalLog {
  readonly #log: Log;
  readonly #directory: string;
  #byReason: Readonly<Record<string, number>> = {};
  #counts: RejectCounts = { written: 0, skipped: 0, failed: 0 };
  #saidAtMs = Number.NEGATIVE_INFINITY;

  /** @param directory of the refused lines, to look into */
  constructor(log: Log, directory: string) {
    this.#log = log;
    this.#directory = directory;
  }

  /**
   * Says what is new since the last message. Call it now and then.
   * @param atEnd says it even where the last message was a moment ago
   */
  look({ rejectedByReason }: LedgerTotals, counts: RejectCounts, nowMs: number, atEnd = false): void {
    if (!atEnd && nowMs - this.#saidAtMs < INTERVAL_MS) return;
    const reasons = Object.entries(rejectedByReason)
      .map(([reason, count]) => [reason, count - (this.#byReason[reason] ?? 0)] as const)
      .filter(([, count]) => count > 0);
    if (reasons.length === 0) return;
    const lines = reasons.reduce((sum, [, count]) => sum + count, 0);
    const skipped = counts.skipped - this.#counts.skipped;
    const failed = counts.failed - this.#counts.failed;
    const facts = { refused: Object.fromEntries(reasons), skipped, failed };
    const missing = failed > 0 ? `; the disk did not take ${failed} of them` : '';
    const some = skipped > 0 ? `; ${skipped} were too many to write` : '';
    this.#log.warn(facts, `refused ${lines} lines; see ${this.#directory}${missing}${some}`);
    this.#byReason = rejectedByReason;
    this.#counts = counts;
    this.#saidAtMs = nowMs;
  }
}
