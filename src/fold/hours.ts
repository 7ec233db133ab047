/**
 * The hour that is open: what arrived in it, of each cell and of each row of the report, apart from what they hold over all
 * time. By the first line of a later hour it is over; whoever keeps roll-ups (rollups/) reads it then, before it is cleared.
 *
 * The open hour is a part of the state. So the fold of the same lines closes the same hours with the same numbers, and an
 * hour whose roll-up a crash has cost is closed again by whoever folds the log from before its end.
 */

import { HOUR_BLOCKS } from '../state/cells.js';
import { REPORT_EXECUTIONS, REPORT_HOUR, REPORT_SUMS, REST_ROW } from '../state/reports.js';
import type { Tables } from '../state/tables.js';
import { clearHour, hourHolds, hourRowHolds } from './hour-sums.js';

export const HOUR_SECONDS = 3600;
const HOUR_US = HOUR_SECONDS * 1e6;

/** Told of each hour that is over and holds anything, while the tables still hold it. */
export type OnHour = (tables: Tables, hour: number, before: number) => void;

export function hourOf(seconds: number): number {
  return Math.floor(seconds / HOUR_SECONDS);
}

export class Hours {
  /** Arrivals from here on are those of a later hour, µs. */
  endUs: f64 = 0;
  readonly #tables: Tables;
  readonly #onHour: OnHour | null;

  constructor(tables: Tables, onHour: OnHour | null) {
    this.#tables = tables;
    this.#onHour = onHour;
  }

  /** The hour of a line that arrived at `endUs` or later is the open one from here on. */
  turnTo(arrivedUs: number): void {
    const { board } = this.#tables;
    const hour = Math.floor(arrivedUs / HOUR_US);
    const open = board.hour;
    if (hour > open) this.#open(hour, open);
    this.endUs = (Math.max(hour, open) + 1) * HOUR_US;
  }

  #open(hour: number, over: number): void {
    const { board } = this.#tables;
    const before = board.hourBefore;
    const isEmpty = !this.#holdsAnything();
    if (!isEmpty) this.#onHour?.(this.#tables, over, before);
    board.stepHourVersion();
    if (!isEmpty) this.#clear();
    board.setHour(hour, isEmpty ? before : over);
    board.stepHourVersion();
  }

  #holdsAnything(): boolean {
    const { cells, reports } = this.#tables;
    for (let cell = 1; cell < cells.table.top; cell++) if (hourHolds(this.#tables, cell)) return true;
    for (let row = REST_ROW; row < reports.table.top; row++) if (hourRowHolds(this.#tables, row)) return true;
    return false;
  }

  #clear(): void {
    const { cells, reports, hourBuckets } = this.#tables;
    for (let cell = 1; cell < cells.table.top; cell++) {
      if (!hourHolds(this.#tables, cell)) continue;
      cells.table.lock(cell);
      const at = cell * cells.table.slotWords;
      hourBuckets.release(cells.table.words[at + HOUR_BLOCKS]!);
      cells.table.words[at + HOUR_BLOCKS] = 0;
      clearHour(cells.table.doubles, cell * cells.table.slotDoubles);
      cells.table.unlock(cell);
    }
    for (let row = REST_ROW; row < reports.table.top; row++) {
      if (!hourRowHolds(this.#tables, row)) continue;
      reports.table.lock(row);
      const first = row * reports.table.slotDoubles + REPORT_EXECUTIONS + REPORT_HOUR;
      reports.table.doubles.fill(0, first, first + REPORT_SUMS);
      reports.table.unlock(row);
    }
  }
}
