/** The performance report (contract, section 4), over one workflow, one project, or everything there ever was. */

import { type Report, type ReportNumbers, reportOf } from '../fold/report.js';
import {
  REPORT_AGENT,
  REPORT_BUSY_SECONDS,
  REPORT_COMPLETED,
  REPORT_COVERED_SECONDS,
  REPORT_EXECUTIONS,
  REPORT_GROUPS,
  REPORT_PARALLEL,
  REPORT_PROJECT,
  REPORT_SECONDS,
  REPORT_SPEEDUPS,
  REPORT_TOKENS,
  REST_ROW,
} from '../state/reports.js';
import { readSlot, type Tables } from '../state/tables.js';
import type { WorkflowLookup } from './workflow-lookup.js';

/** At most one of both; neither: everything. */
export interface ReportScope {
  readonly workflow: string | null;
  readonly project: string | null;
}

/** Agents without a row of their own, in `agent_utilization`. */
export const OTHER_AGENTS = '(overflow)';

export type PartialReport = Report & {
  /** Something that may belong to it found no row of its own: raise `stats.max_series`. */
  readonly partial?: true;
  /** The hours that it is over, where it is not over all time: seconds. */
  readonly since?: number | null;
  readonly until?: number;
};

/** Of one row: of a project and an agent, or of a project. */
export interface RowNumbers extends Omit<ReportNumbers, 'secondsByAgent'> {
  readonly agent: string;
}

/** Rows added up. */
export class ReportSum implements ReportNumbers {
  executions = 0;
  parallel = 0;
  completed = 0;
  seconds = 0;
  tokens = 0;
  groups = 0;
  speedups = 0;
  busySeconds = 0;
  coveredSeconds = 0;
  readonly secondsByAgent = new Map<string, number>();
  /** Whether the row of all that found none of its own holds anything. */
  hasRest = false;

  add(row: RowNumbers): void {
    this.executions += row.executions;
    this.parallel += row.parallel;
    this.completed += row.completed;
    this.seconds += row.seconds;
    this.tokens += row.tokens;
    this.groups += row.groups;
    this.speedups += row.speedups;
    this.busySeconds += row.busySeconds;
    this.coveredSeconds += row.coveredSeconds;
    if (row.executions === 0) return;
    this.secondsByAgent.set(row.agent, (this.secondsByAgent.get(row.agent) ?? 0) + row.seconds);
  }
}

/** @throws Problem 404 where the workflow is not known */
export async function queryReport(
  tables: Tables,
  workflows: Pick<WorkflowLookup, 'find'>,
  { workflow, project }: ReportScope,
): Promise<PartialReport> {
  if (workflow !== null) {
    const { metrics } = await workflows.find(workflow, null);
    return metrics;
  }
  const report = reportOf(totals(tables, project));
  return project !== null && tables.reports.overflowed ? { ...report, partial: true } : report;
}

function totals(tables: Tables, project: string | null): ReportNumbers {
  const sum = new ReportSum();
  const { table } = tables.reports;
  for (let row = REST_ROW; row < table.top; row++) {
    const numbers = readSlot(table, row, () => readRow(tables, row, project));
    if (numbers) sum.add(numbers);
  }
  return sum;
}

/** @returns null where it is of another project */
function readRow({ reports, names }: Tables, row: number, project: string | null) {
  const { words, doubles, slotWords, slotDoubles } = reports.table;
  const at = row * slotWords;
  const d = row * slotDoubles;
  if (project !== null && (row === REST_ROW || names.text(words[at + REPORT_PROJECT]!) !== project)) {
    return null;
  }
  const carried = (field: number) => doubles[d + field]! + doubles[d + field + 1]!;
  return {
    agent: row === REST_ROW ? OTHER_AGENTS : names.text(words[at + REPORT_AGENT]!),
    executions: doubles[d + REPORT_EXECUTIONS]!,
    parallel: doubles[d + REPORT_PARALLEL]!,
    completed: doubles[d + REPORT_COMPLETED]!,
    seconds: carried(REPORT_SECONDS),
    tokens: carried(REPORT_TOKENS),
    groups: doubles[d + REPORT_GROUPS]!,
    speedups: carried(REPORT_SPEEDUPS),
    busySeconds: carried(REPORT_BUSY_SECONDS),
    coveredSeconds: carried(REPORT_COVERED_SECONDS),
  };
}
