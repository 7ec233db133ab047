/** One run of a workflow as the contract shows it: state from the tables, texts from the archive. */

import { addCoverTo } from '../fold/cover.js';
import { IntervalUnion } from '../fold/interval-union.js';
import { type Report, reportOf } from '../fold/report.js';
import { STATUS_COMPLETED, STATUS_FAILED } from '../model/status.js';
import { SHARE_AGENT, SHARE_NEXT, SHARE_SECONDS, SHARE_STATUSES, SHARE_WORKFLOW } from '../state/shares.js';
import { readSlot, type Tables } from '../state/tables.js';
import { ListWalk } from './list-walk.js';
import { nameKey } from './name-key.js';
import { tasksOfWorkflow, workflowsOf } from './state-lists.js';
import type { Line, Texts } from './texts.js';
import {
  readSummary,
  readTask,
  readWorkflow,
  type TaskReading,
  taskWithTexts,
  textOf,
  type WorkflowReading,
  type WorkflowSummary,
} from './views.js';

/** A workflow in these tables. */
export interface FoundWorkflow {
  readonly slot: number;
  readonly read: WorkflowReading;
}

/** All that is shown of a run but what its tables do not know: its other runs, and the children that have left memory. */
export interface WorkflowFacts extends Omit<WorkflowSummary, 'source'> {
  readonly metrics: Report;
}

/** null: it is not in these tables. */
export function findWorkflow(tables: Tables, id: string): FoundWorkflow | null {
  const { view, length, hash } = nameKey(id);
  const slot = tables.workflows.findSettled(view, 0, length, hash);
  if (slot === 0) return null;
  const read = readSlot(tables.workflows.table, slot, () => readWorkflow(tables, slot));
  return read?.summary.workflow === id ? { slot, read } : null;
}

/** Reads the tables before it waits for the texts: what was found must have been found just now. */
export async function workflowFacts(
  tables: Tables,
  texts: Pick<Texts, 'lines'>,
  { slot, read }: FoundWorkflow,
): Promise<WorkflowFacts> {
  const { summary, over, requestLine, errorLine } = read;
  const tasks = walk(new ListWalk(tasksOfWorkflow(tables, slot), null, (task) => readTask(tables, task)));
  const shares = readShares(tables, slot, read.firstShare);
  const lines = await texts.lines([
    requestLine,
    errorLine,
    ...read.groupLines,
    ...tasks.flatMap(({ startLine, endLine }) => [startLine, endLine]),
  ]);
  const { source: _, ...facts } = summary;
  const found = {
    ...facts,
    request: textOf(lines, requestLine, 'request'),
    error: textOf(lines, errorLine, 'error'),
    tasks: tasks.map((task) => taskWithTexts(task, lines)),
    // The workflow's end ends no task, but nobody works for it any more.
    active_agents: over ? [] : agentsOf(tasks, [], 'running', 0),
    completed_agents: agentsOf(tasks, shares, 'completed', STATUS_COMPLETED),
    failed_agents: agentsOf(tasks, shares, 'failed', STATUS_FAILED),
    groups: groupsOf(read.groupLines, lines),
    metrics: metricsOf(read, tasks, shares),
  };
  return found;
}

/** Ids of the workflows in these tables that name this one as their parent, in the order in which they did. */
export function childrenOf(tables: Tables, id: string): string[] {
  const list = workflowsOf(tables, 'byParent', nameKey(id));
  if (list === null) return [];
  return walk(new ListWalk(list, null, (slot) => readSummary(tables, slot).workflow)).reverse();
}

function walk<T>(along: ListWalk<T>): T[] {
  const found: T[] = [];
  for (let item = along.next(); item !== undefined; item = along.next()) if (item !== null) found.push(item);
  return found;
}

interface Share {
  readonly agent: string;
  /** A bit for each status. */
  readonly statuses: number;
  readonly seconds: number;
}

/** What agents did in tasks that are forgotten. */
function readShares({ shares, names }: Tables, workflow: number, first: number): Share[] {
  const { table } = shares;
  const { words, doubles, slotWords, slotDoubles } = table;
  const found: Share[] = [];
  for (let slot = first; slot > 0 && slot < table.top && found.length < table.top; ) {
    const at = slot * slotWords;
    const seconds = slot * slotDoubles + SHARE_SECONDS;
    const read = readSlot(table, slot, () => ({
      workflow: words[at + SHARE_WORKFLOW],
      share: {
        agent: names.text(words[at + SHARE_AGENT]!),
        statuses: words[at + SHARE_STATUSES]!,
        seconds: doubles[seconds]! + doubles[seconds + 1]!,
      },
      next: words[at + SHARE_NEXT]!,
    }));
    if (read?.workflow !== workflow) break;
    found.push(read.share);
    slot = read.next;
  }
  return found;
}

/** Agents with a task of a status: those of the tasks in memory first, in their order. */
function agentsOf(
  tasks: readonly TaskReading[],
  shares: readonly Share[],
  status: string,
  bit: number,
): string[] {
  const agents = tasks.filter(({ view }) => view.status === status).map(({ view }) => view.agent);
  const forgotten = shares.filter(({ statuses }) => (statuses & (1 << bit)) !== 0).map(({ agent }) => agent);
  return [...new Set([...agents, ...forgotten])];
}

/** Who was in the groups. One whose line is not there any more is left out. */
function groupsOf(groupLines: readonly number[], lines: ReadonlyMap<number, Line>): unknown[] {
  return groupLines.flatMap((number) => {
    const line = lines.get(number);
    const members = line?.tasks ?? line?.agents;
    return Array.isArray(members) ? [members] : [];
  });
}

function metricsOf(read: WorkflowReading, tasks: readonly TaskReading[], shares: readonly Share[]): Report {
  const secondsByAgent = new Map<string, number>();
  const add = (agent: string, seconds: number) => {
    secondsByAgent.set(agent, (secondsByAgent.get(agent) ?? 0) + seconds);
  };
  const union = new IntervalUnion();
  const closed = read.cover.length === 0 ? 0 : addCoverTo(union, read.cover, 0);
  for (const { view, worked, secondsBefore } of tasks) {
    const { agent, ended_at: ended, duration } = view;
    if (worked) add(agent, secondsBefore + (duration ?? 0));
    if (ended !== null && duration !== null && duration > 0) union.add(ended - duration, ended);
  }
  for (const { agent, seconds } of shares) add(agent, seconds);
  return reportOf({
    ...read,
    busySeconds: read.seconds,
    coveredSeconds: union.length() - closed,
    secondsByAgent,
  });
}
