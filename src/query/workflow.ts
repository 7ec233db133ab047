/** One workflow as the contract shows it: state from the tables, texts from the archive. */

import { workflowReport } from '../fold/report.js';
import { hashBytes } from '../model/hash.js';
import { STATUS_NAMES, STATUS_RUNNING } from '../model/status.js';
import { readSlot, type Tables } from '../state/tables.js';
import {
  FLAG_PARALLEL,
  FLAG_PARALLEL_KNOWN,
  TASK_AGENT,
  TASK_DURATION,
  TASK_END_LINE,
  TASK_ENDED,
  TASK_FLAGS,
  TASK_ID,
  TASK_KIND,
  TASK_NEXT,
  TASK_START_LINE,
  TASK_STARTED,
  TASK_STATUS,
  TASK_TOKENS,
  TASK_WORKFLOW,
} from '../state/tasks.js';
import {
  FLAG_IMPLICIT,
  FLAG_OVER,
  WORKFLOW_ENDED,
  WORKFLOW_ERROR_LINE,
  WORKFLOW_FLAGS,
  WORKFLOW_ID,
  WORKFLOW_NAME,
  WORKFLOW_PARENT,
  WORKFLOW_PHASE,
  WORKFLOW_PROJECT,
  WORKFLOW_REQUEST_LINE,
  WORKFLOW_RUN,
  WORKFLOW_STARTED,
  WORKFLOW_STATUS,
  WORKFLOW_TASKS_BY_STATUS,
  WORKFLOW_TASKS_TOTAL,
} from '../state/workflows.js';
import { Problem } from './problem.js';
import type { Line, Texts } from './texts.js';

const TASK_STATUSES = ['running', 'completed', 'failed', 'timeout', 'cancelled'] as const;
/** A walk over the tasks of a workflow that the fold changes meanwhile is repeated, a bounded number of times. */
const WALK_TRIES = 20;

interface TaskView {
  readonly task: string;
  readonly agent: string;
  readonly kind: string | null;
  readonly status: string;
  readonly parallel: boolean | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tokens: number | null;
  readonly startLine: number;
  readonly endLine: number;
}

/** @throws Problem 404 where no workflow of this id is in memory, or not this run of it */
export async function queryWorkflow(
  tables: Tables,
  texts: Texts,
  id: string,
  run: number | null,
): Promise<object> {
  const slot = findWorkflow(tables, id);
  const workflow =
    slot === 0 ? undefined : readSlot(tables.workflows.table, slot, () => readWorkflow(tables, slot));
  if (workflow === undefined || workflow.workflow !== id) {
    throw new Problem(404, 'No such workflow', `no workflow ${JSON.stringify(id)} is in memory`);
  }
  if (run !== null && run !== workflow.run) {
    const detail = `run ${run} of workflow ${JSON.stringify(id)} is not in memory; run ${workflow.run} is`;
    throw new Problem(404, 'No such run', detail);
  }
  const tasks = walkTasks(tables, slot);
  const wanted = [
    workflow.requestLine,
    workflow.errorLine,
    ...tasks.flatMap((task) => [task.startLine, task.endLine]),
  ];
  const lines = await texts.lines(wanted);
  const { requestLine, errorLine, source, ...rest } = workflow;
  return {
    ...rest,
    request: text(lines, requestLine, 'request'),
    runs: [{ run: workflow.run, started_at: workflow.started_at, status: workflow.status, source }],
    children: [],
    error: text(lines, errorLine, 'error'),
    tasks: tasks.map(({ startLine, endLine, ...task }) => ({
      ...task,
      description: text(lines, startLine, 'description'),
      error: text(lines, endLine, 'error'),
      output: lines.get(endLine)?.output ?? null,
    })),
    active_agents: workflow.ended_at === null ? agentsWith(tasks, 'running') : [],
    completed_agents: agentsWith(tasks, 'completed'),
    failed_agents: agentsWith(tasks, 'failed'),
    groups: [],
    metrics: workflowReport(tasks),
    source,
  };
}

function findWorkflow(tables: Tables, id: string): number {
  const bytes = Buffer.from(id);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return tables.workflows.findSettled(view, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
}

function readWorkflow(tables: Tables, slot: number) {
  const { names } = tables;
  const { words, doubles, slotWords, slotDoubles } = tables.workflows.table;
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
    requestLine: doubles[d + WORKFLOW_REQUEST_LINE]!,
    errorLine: doubles[d + WORKFLOW_ERROR_LINE]!,
  };
}

function walkTasks(tables: Tables, workflow: number): TaskView[] {
  for (let tries = 0; ; tries++) {
    const tasks: TaskView[] = [];
    let slot = tables.tasks.first(workflow);
    let whole = true;
    const bound = tables.tasks.table.top;
    while (slot !== 0 && tasks.length < bound) {
      const read = readSlot(tables.tasks.table, slot, () => readTask(tables, slot, workflow));
      if (read === undefined || read === null) {
        whole = false;
        break;
      }
      tasks.push(read.task);
      slot = read.next;
    }
    if (whole || tries === WALK_TRIES) return tasks;
  }
}

/** null: the slot has been taken by a task of another workflow since it was linked here. */
function readTask(tables: Tables, slot: number, workflow: number): { task: TaskView; next: number } | null {
  const { names } = tables;
  const { words, doubles, slotWords, slotDoubles } = tables.tasks.table;
  const at = slot * slotWords;
  const d = slot * slotDoubles;
  if (words[at + TASK_WORKFLOW] !== workflow || words[at + TASK_ID] === 0) return null;
  const flags = words[at + TASK_FLAGS]!;
  const task = {
    task: names.text(words[at + TASK_ID]!),
    agent: names.text(words[at + TASK_AGENT]!),
    kind: names.text(words[at + TASK_KIND]!) || null,
    status: STATUS_NAMES[words[at + TASK_STATUS]!]! || STATUS_NAMES[STATUS_RUNNING],
    parallel: (flags & FLAG_PARALLEL_KNOWN) === 0 ? null : (flags & FLAG_PARALLEL) !== 0,
    started_at: known(doubles[d + TASK_STARTED]!),
    ended_at: known(doubles[d + TASK_ENDED]!),
    duration: known(doubles[d + TASK_DURATION]!),
    tokens: known(doubles[d + TASK_TOKENS]!),
    startLine: doubles[d + TASK_START_LINE]!,
    endLine: doubles[d + TASK_END_LINE]!,
  };
  return { task, next: words[at + TASK_NEXT]! };
}

function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

function text(lines: ReadonlyMap<number, Line>, line: number, field: string): string | null {
  const value = lines.get(line)?.[field];
  return typeof value === 'string' && value !== '' ? value : null;
}

function agentsWith(tasks: readonly TaskView[], status: string): string[] {
  return [...new Set(tasks.filter((task) => task.status === status).map((task) => task.agent))];
}
