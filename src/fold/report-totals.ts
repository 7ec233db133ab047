/** What the report counts, into its rows (state/reports.ts), as it happens: over all time, and in the hour that is open. */

import { type Doubles, ownWords, type Words } from '../model/memory.js';
import { STATUS_COMPLETED } from '../model/status.js';
import {
  REPORT_BUSY_SECONDS,
  REPORT_COMPLETED,
  REPORT_COVERED_SECONDS,
  REPORT_EXECUTIONS,
  REPORT_GROUPS,
  REPORT_HOUR,
  REPORT_PARALLEL,
  REPORT_SECONDS,
  REPORT_SPEEDUPS,
  REPORT_TOKENS,
  REST_ROW,
} from '../state/reports.js';
import type { Tables } from '../state/tables.js';
import { addCarrying } from './moments.js';
import { groupSpeedup } from './scores.js';

/** A power of two: pairs of project and agent of a busy host. */
const RECENT_ROWS = 1024;

export class ReportTotals {
  readonly #tables: Tables;
  /** Rows met lately: project, agent, row. A row is never given back, so what stands here stays right. */
  readonly #recent: Words = ownWords(3 * RECENT_ROWS);

  constructor(tables: Tables) {
    this.#tables = tables;
    tables.reports.prepare();
  }

  /**
   * An execution has ended.
   * @param project interned, 0: none
   * @param agent interned, 0: the names had no room for it
   * @param seconds and `tokens`: NaN where unknown
   */
  taskEnded(project: i32, agent: i32, status: i32, parallel: boolean, seconds: f64, tokens: f64): void {
    const { table } = this.#tables.reports;
    const row = agent === 0 ? REST_ROW : this.#row(project, agent);
    const at = row * table.slotDoubles;
    const { doubles } = table;
    table.lock(row);
    countOne(doubles, at + REPORT_EXECUTIONS);
    if (parallel) countOne(doubles, at + REPORT_PARALLEL);
    if (status === STATUS_COMPLETED) countOne(doubles, at + REPORT_COMPLETED);
    if (seconds > 0) addTo(doubles, at + REPORT_SECONDS, seconds);
    if (tokens > 0) addTo(doubles, at + REPORT_TOKENS, tokens);
    table.unlock(row);
  }

  /**
   * The start of an execution came after its end: what the end had left open.
   * @param nowParallel it counted as sequential, and is not
   * @param seconds NaN where they were known before
   */
  taskCompleted(project: i32, agent: i32, nowParallel: boolean, seconds: f64): void {
    const { table } = this.#tables.reports;
    const { doubles } = table;
    const row = this.#row(project, agent);
    const at = row * table.slotDoubles;
    table.lock(row);
    if (nowParallel) countOne(doubles, at + REPORT_PARALLEL);
    if (seconds > 0) addTo(doubles, at + REPORT_SECONDS, seconds);
    table.unlock(row);
  }

  /** So many tasks ran in parallel, and took so long together. @returns their speed-up */
  groupEnded(project: i32, members: i32, seconds: f64): f64 {
    const speedup = groupSpeedup(members, seconds);
    const { table } = this.#tables.reports;
    const { doubles } = table;
    const row = this.#row(project, 0);
    const at = row * table.slotDoubles;
    table.lock(row);
    countOne(doubles, at + REPORT_GROUPS);
    addTo(doubles, at + REPORT_SPEEDUPS, speedup);
    table.unlock(row);
    return speedup;
  }

  /** @param busySeconds sum of the durations of its tasks @param coveredSeconds how long any of them ran */
  workflowEnded(project: i32, busySeconds: f64, coveredSeconds: f64): void {
    const { table } = this.#tables.reports;
    const { doubles } = table;
    const row = this.#row(project, 0);
    const at = row * table.slotDoubles;
    table.lock(row);
    addTo(doubles, at + REPORT_BUSY_SECONDS, busySeconds);
    addTo(doubles, at + REPORT_COVERED_SECONDS, coveredSeconds);
    table.unlock(row);
  }

  #row(project: i32, agent: i32): i32 {
    const recent = this.#recent;
    const at = ((project * 31 + agent) & (RECENT_ROWS - 1)) * 3;
    if (recent[at] === project && recent[at + 1] === agent && recent[at + 2] !== 0) return recent[at + 2]!;
    const row = this.#tables.reports.row(project, agent);
    recent[at] = project;
    recent[at + 1] = agent;
    recent[at + 2] = row;
    return row;
  }
}

function countOne(doubles: Doubles, at: i32): void {
  doubles[at]! += 1;
  doubles[at + REPORT_HOUR]! += 1;
}

/** A sum and its error. */
function addTo(doubles: Doubles, at: i32, value: f64): void {
  addCarrying(doubles, at, value);
  addCarrying(doubles, at + REPORT_HOUR, value);
}
