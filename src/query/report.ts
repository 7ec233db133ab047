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
import type { Texts } from './texts.js';
import { queryWorkflow } from './workflow.js';

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
};

/** @throws Problem 404 where the workflow is not known */
export async function queryReport(
  tables: Tables,
  texts: Texts,
  { workflow, project }: ReportScope,
): Promise<PartialReport> {
  if (workflow !== null) {
    const view = (await queryWorkflow(tables, texts, workflow, null)) as { metrics: Report };
    return view.metrics;
  }
  const report = reportOf(totals(tables, project));
  return project !== null && tables.reports.overflowed ? { ...report, partial: true } : report;
}

function totals(tables: Tables, project: string | null): ReportNumbers {
  const secondsByAgent = new Map<string, number>();
  const sum = {
    executions: 0,
    parallel: 0,
    completed: 0,
    seconds: 0,
    tokens: 0,
    groups: 0,
    speedups: 0,
    busySeconds: 0,
    coveredSeconds: 0,
    secondsByAgent,
  };
  const { table } = tables.reports;
  for (let row = REST_ROW; row < table.top; row++) {
    const numbers = readSlot(table, row, () => readRow(tables, row, project));
    if (!numbers) continue;
    sum.executions += numbers.executions;
    sum.parallel += numbers.parallel;
    sum.completed += numbers.completed;
    sum.seconds += numbers.seconds;
    sum.tokens += numbers.tokens;
    sum.groups += numbers.groups;
    sum.speedups += numbers.speedups;
    sum.busySeconds += numbers.busySeconds;
    sum.coveredSeconds += numbers.coveredSeconds;
    if (numbers.executions === 0) continue;
    const seconds = (secondsByAgent.get(numbers.agent) ?? 0) + numbers.seconds;
    secondsByAgent.set(numbers.agent, seconds);
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
