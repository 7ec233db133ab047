/** What a slot of the tables says, as the contract names it. Call the readers under the slot's lock (`readSlot`). */

import { copyCover } from '../fold/cover.js';
import { groupLines } from '../fold/groups.js';
import { STATUS_NAMES, STATUS_RUNNING } from '../model/status.js';
import type { Tables } from '../state/tables.js';
import {
  FLAG_END_TEXTS,
  FLAG_PARALLEL,
  FLAG_PARALLEL_KNOWN,
  FLAG_REPEATED,
  TASK_AGENT,
  TASK_DESCRIPTION_LINE,
  TASK_DURATION,
  TASK_ENDED,
  TASK_FLAGS,
  TASK_ID,
  TASK_KIND,
  TASK_SECONDS_BEFORE,
  TASK_STARTED,
  TASK_STATUS,
  TASK_STATUS_LINE,
  TASK_TOKENS,
} from '../state/tasks.js';
import {
  FLAG_IMPLICIT,
  FLAG_OVER,
  WORKFLOW_COMPLETED,
  WORKFLOW_COVER,
  WORKFLOW_ENDED,
  WORKFLOW_ERROR_LINE,
  WORKFLOW_EXECUTIONS,
  WORKFLOW_FIRST_LINE,
  WORKFLOW_FLAGS,
  WORKFLOW_GROUPS,
  WORKFLOW_GROUPS_MEASURED,
  WORKFLOW_ID,
  WORKFLOW_NAME,
  WORKFLOW_PARALLEL,
  WORKFLOW_PARENT,
  WORKFLOW_PHASE,
  WORKFLOW_PROJECT,
  WORKFLOW_REQUEST_LINE,
  WORKFLOW_RUN,
  WORKFLOW_SECONDS,
  WORKFLOW_SHARE_FIRST,
  WORKFLOW_SPEEDUPS,
  WORKFLOW_STARTED,
  WORKFLOW_STATUS,
  WORKFLOW_TASKS_BY_STATUS,
  WORKFLOW_TASKS_TOTAL,
  WORKFLOW_TOKENS,
} from '../state/workflows.js';
import type { Line, Texts } from './texts.js';

const TASK_STATUSES = ['running', 'completed', 'failed', 'timeout', 'cancelled'] as const;

export interface TaskView {
  readonly task: string;
  readonly agent: string;
  readonly kind: string | null;
  readonly status: string;
  readonly parallel: boolean | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tokens: number | null;
}

/** Lines of the log that have the texts of a task; 0 where there is none. */
export interface TaskLines {
  readonly startLine: number;
  readonly endLine: number;
}

export interface TaskReading extends TaskLines {
  readonly view: TaskView;
  /** Whether one of its executions has ended, and the seconds of those before this one. */
  readonly worked: boolean;
  readonly secondsBefore: number;
}

export function readTask({ names, tasks }: Tables, slot: number): TaskReading {
  const { words, doubles, slotWords, slotDoubles } = tasks.table;
  const at = slot * slotWords;
  const d = slot * slotDoubles;
  const flags = words[at + TASK_FLAGS]!;
  const status = words[at + TASK_STATUS]!;
  const hasEndTexts = status !== STATUS_RUNNING && (flags & FLAG_END_TEXTS) !== 0;
  return {
    view: {
      task: names.text(words[at + TASK_ID]!),
      agent: names.text(words[at + TASK_AGENT]!),
      kind: names.text(words[at + TASK_KIND]!) || null,
      status: STATUS_NAMES[status]!,
      parallel: (flags & FLAG_PARALLEL_KNOWN) === 0 ? null : (flags & FLAG_PARALLEL) !== 0,
      started_at: known(doubles[d + TASK_STARTED]!),
      ended_at: known(doubles[d + TASK_ENDED]!),
      duration: known(doubles[d + TASK_DURATION]!),
      tokens: known(doubles[d + TASK_TOKENS]!),
    },
    startLine: doubles[d + TASK_DESCRIPTION_LINE]!,
    endLine: hasEndTexts ? doubles[d + TASK_STATUS_LINE]! : 0,
    worked: status !== STATUS_RUNNING || (flags & FLAG_REPEATED) !== 0,
    secondsBefore: doubles[d + TASK_SECONDS_BEFORE]!,
  };
}

/** A task with its texts, out of lines that were read for it. */
export function taskWithTexts({ view, startLine, endLine }: TaskReading, lines: ReadonlyMap<number, Line>) {
  return {
    ...view,
    description: textOf(lines, startLine, 'description'),
    error: textOf(lines, endLine, 'error'),
    output: lines.get(endLine)?.output ?? null,
  };
}

export function readTaskLines(texts: Texts, tasks: readonly TaskLines[]): Promise<Map<number, Line>> {
  return texts.lines(tasks.flatMap(({ startLine, endLine }) => [startLine, endLine]));
}

export interface WorkflowSummary {
  readonly workflow: string;
  readonly run: number;
  readonly name: string | null;
  readonly project: string | null;
  readonly parent: string | null;
  readonly status: string;
  readonly phase: string | null;
  readonly implicit: boolean;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tasks_total: number;
  readonly tasks_by_status: Record<string, number>;
  readonly source: string;
}

export function readSummary({ names, workflows }: Tables, slot: number): WorkflowSummary {
  const { words, doubles, slotWords, slotDoubles } = workflows.table;
  const at = slot * slotWords;
  const d = slot * slotDoubles;
  const started = known(doubles[d + WORKFLOW_STARTED]!);
  const ended = known(doubles[d + WORKFLOW_ENDED]!);
  const flags = words[at + WORKFLOW_FLAGS]!;
  const byStatus = TASK_STATUSES.map((status) => {
    return [status, words[at + WORKFLOW_TASKS_BY_STATUS + STATUS_NAMES.indexOf(status)]!];
  });
  return {
    workflow: names.text(words[at + WORKFLOW_ID]!),
    run: words[at + WORKFLOW_RUN]!,
    name: names.text(words[at + WORKFLOW_NAME]!) || null,
    project: names.text(words[at + WORKFLOW_PROJECT]!) || null,
    parent: names.text(words[at + WORKFLOW_PARENT]!) || null,
    status: STATUS_NAMES[words[at + WORKFLOW_STATUS]!]!,
    phase: names.text(words[at + WORKFLOW_PHASE]!) || null,
    implicit: (flags & FLAG_IMPLICIT) !== 0,
    started_at: started,
    ended_at: ended,
    duration: started === null || ended === null ? null : Math.max(0, ended - started),
    tasks_total: words[at + WORKFLOW_TASKS_TOTAL]!,
    tasks_by_status: Object.fromEntries(byStatus),
    source: (flags & FLAG_OVER) === 0 ? 'live' : 'recent',
  };
}

/** The numbers of a workflow's report, and where the rest of it is found. */
export interface WorkflowReading {
  readonly summary: WorkflowSummary;
  readonly over: boolean;
  /** Of the log: it began what is in memory of the run. */
  readonly firstLine: number;
  readonly requestLine: number;
  readonly errorLine: number;
  readonly groupLines: readonly number[];
  readonly firstShare: number;
  readonly cover: Float64Array;
  readonly executions: number;
  readonly parallel: number;
  readonly completed: number;
  readonly seconds: number;
  readonly tokens: number;
  readonly groups: number;
  readonly speedups: number;
}

export function readWorkflow(tables: Tables, slot: number): WorkflowReading {
  const { words, doubles, slotWords, slotDoubles } = tables.workflows.table;
  const at = slot * slotWords;
  const d = slot * slotDoubles;
  const sum = (double: number) => doubles[d + double]! + doubles[d + double + 1]!;
  return {
    summary: readSummary(tables, slot),
    over: (words[at + WORKFLOW_FLAGS]! & FLAG_OVER) !== 0,
    firstLine: doubles[d + WORKFLOW_FIRST_LINE]!,
    requestLine: doubles[d + WORKFLOW_REQUEST_LINE]!,
    errorLine: doubles[d + WORKFLOW_ERROR_LINE]!,
    groupLines: groupLines(tables.names, words[at + WORKFLOW_GROUPS]!),
    firstShare: words[at + WORKFLOW_SHARE_FIRST]!,
    cover: copyCover(tables.names, words[at + WORKFLOW_COVER]!),
    executions: words[at + WORKFLOW_EXECUTIONS]!,
    parallel: words[at + WORKFLOW_PARALLEL]!,
    completed: words[at + WORKFLOW_COMPLETED]!,
    seconds: sum(WORKFLOW_SECONDS),
    tokens: sum(WORKFLOW_TOKENS),
    groups: words[at + WORKFLOW_GROUPS_MEASURED]!,
    speedups: sum(WORKFLOW_SPEEDUPS),
  };
}

export function textOf(lines: ReadonlyMap<number, Line>, line: number, field: string): string | null {
  const value = lines.get(line)?.[field];
  return typeof value === 'string' && value !== '' ? value : null;
}

function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
