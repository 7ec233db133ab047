/**
 * Workflows by what they are asked for: the shortest of the lists that the question names is walked, and the other
 * conditions are looked at on the way. A cursor says which list it was, since the next page must go on along the same.
 */

import { STATUS_NAMES } from '../model/status.js';
import { readSlot, type Tables } from '../state/tables.js';
import { TASK_AGENT, TASK_WORKFLOW } from '../state/tasks.js';
import { WORKFLOW_ID, WORKFLOW_STATUS } from '../state/workflows.js';
import { ListWalk } from './list-walk.js';
import { type NameKey, nameKey } from './name-key.js';
import { badCursor, formatCursor, type Page, type PageRequest, pauses, readPage } from './page.js';
import { Problem } from './problem.js';
import {
  allWorkflows,
  holds,
  type StateList,
  tasksOfAgent,
  tasksOfWorkflow,
  workflowsOf,
  workflowsOfStatus,
} from './state-lists.js';
import { readSummary, type WorkflowSummary } from './views.js';

/** Absent: any. All must hold. */
export interface WorkflowFilter {
  readonly status?: string;
  readonly phase?: string;
  readonly project?: string;
  readonly parent?: string;
  /** It has a task of this agent in memory. */
  readonly agent?: string;
}

const AGENT_TASKS_MAX = 10_000;
const NAMED = { phase: 'byPhase', project: 'byProject', parent: 'byParent' } as const;
const FIELDS = ['phase', 'project', 'parent'] as const;

/** @param agentTasksMax of an agent with more tasks another list is walked */
export async function listWorkflows(
  tables: Tables,
  filter: WorkflowFilter,
  { limit, cursor }: PageRequest,
  agentTasksMax = AGENT_TASKS_MAX,
): Promise<object> {
  const lists = listsOf(tables, filter);
  const name = cursor?.list ?? bestOf(lists, agentTasksMax);
  if (!lists.has(name)) throw badCursor(formatCursor(name, cursor!));
  const list = lists.get(name)!;
  const matches = matcher(tables, filter);
  if (list === null || matches === null) return { workflows: [], next_cursor: null };
  const read = (slot: number) => (matches(slot) ? readSummary(tables, slot) : null);
  const page =
    name === 'agent'
      ? await pageOfAgent(tables, list, limit, cursor?.number ?? Number.POSITIVE_INFINITY, read)
      : await readPage(list, limit, cursor, read, agentCondition(tables, filter));
  return { workflows: page.items, next_cursor: page.next === null ? null : formatCursor(name, page.next) };
}

/** The lists that have all that is asked for, by their names in cursors; null: it is empty. */
function listsOf(tables: Tables, filter: WorkflowFilter): Map<string, StateList | null> {
  const lists = new Map<string, StateList | null>();
  if (filter.status !== undefined) lists.set('status', workflowsOfStatus(tables, statusOf(filter.status)));
  for (const field of FIELDS) {
    const value = filter[field];
    if (value !== undefined) lists.set(field, workflowsOf(tables, NAMED[field], nameKey(value)));
  }
  if (filter.agent !== undefined) lists.set('agent', tasksOfAgent(tables, nameKey(filter.agent)));
  lists.set('all', allWorkflows(tables));
  return lists;
}

/**
 * The shortest. But the tasks of an agent must all be walked for each page: where they are many, a walk along the shortest other
 * list comes to as many workflows that have the agent soon enough.
 */
function bestOf(lists: ReadonlyMap<string, StateList | null>, agentTasksMax: number): string {
  const best = shortest(lists);
  if (best !== 'agent' || (lists.get(best)?.length ?? 0) <= agentTasksMax) return best;
  return shortest(new Map([...lists].filter(([name]) => name !== best)));
}

export function shortest(lists: ReadonlyMap<string, StateList | null>): string {
  const lengths = [...lists].map(([name, list]) => ({ name, length: list?.length ?? 0 }));
  return lengths.reduce((best, one) => (one.length < best.length ? one : best)).name;
}

/** @throws Problem 400 */
export function statusOf(text: string): number {
  const status = STATUS_NAMES.findIndex((name) => name !== '' && name === text);
  if (status > 0) return status;
  const names = STATUS_NAMES.filter((name) => name !== '').join(', ');
  throw new Problem(400, 'Bad parameter', `status must be one of ${names}, is ${JSON.stringify(text)}`);
}

/** Whether a workflow is as the filter says but for the agent, under its slot's lock; null: none can be. */
function matcher(tables: Tables, filter: WorkflowFilter): ((slot: number) => boolean) | null {
  const { names, workflows } = tables;
  const { table } = workflows;
  const conditions: ((slot: number) => boolean)[] = [];
  if (filter.status !== undefined) {
    const status = statusOf(filter.status);
    conditions.push((slot) => table.words[slot * table.slotWords + WORKFLOW_STATUS] === status);
  }
  for (const field of FIELDS) {
    const value = filter[field];
    if (value === undefined) continue;
    const key = nameKey(value);
    const ref = names.findSettled(key.view, 0, key.length, key.hash);
    if (ref === 0) return null;
    const { word } = workflows[NAMED[field]];
    conditions.push((slot) => holds(names, table, slot, word, ref, key));
  }
  return (slot) => conditions.every((holdsFor) => holdsFor(slot));
}

/** Whether a workflow has a task of the agent, if one is asked for: a walk over its tasks. */
function agentCondition(tables: Tables, { agent }: WorkflowFilter): (slot: number) => boolean {
  if (agent === undefined) return () => true;
  const key = nameKey(agent);
  const ref = tables.names.findSettled(key.view, 0, key.length, key.hash);
  return (slot) => ref !== 0 && hasAgent(tables, slot, ref, key);
}

function hasAgent(tables: Tables, workflow: number, ref: number, key: NameKey): boolean {
  const { names, tasks } = tables;
  const isOfAgent = (slot: number) => holds(names, tasks.table, slot, TASK_AGENT, ref, key);
  const walk = new ListWalk(tasksOfWorkflow(tables, workflow), null, isOfAgent);
  for (let found = walk.next(); found !== undefined; found = walk.next()) if (found === true) return true;
  return false;
}

/**
 * The workflows that an agent's tasks belong to, in the order of `all`. They are gathered anew for each page: a workflow has
 * as many places in the list of the agent's tasks as it has such tasks, but one in that order.
 */
async function pageOfAgent(
  tables: Tables,
  tasksOfIt: StateList,
  limit: number,
  before: number,
  read: (slot: number) => WorkflowSummary | null,
): Promise<Page<WorkflowSummary>> {
  const { tasks, workflows } = tables;
  const { table } = workflows;
  const pause = pauses();
  const slots = new Set<number>();
  const walk = new ListWalk(tasksOfIt, null, (task) => {
    return tasks.table.words[task * tasks.table.slotWords + TASK_WORKFLOW]!;
  });
  for (let slot = walk.next(); slot !== undefined; slot = walk.next()) {
    if (slot !== null && slot !== 0) slots.add(slot);
    const paused = pause();
    if (paused !== null) await paused;
  }
  const entries: { slot: number; number: number }[] = [];
  for (const slot of slots) {
    const number = readSlot(table, slot, () => workflows.all.number(slot)) ?? 0;
    if (number > 0 && number < before) entries.push({ slot, number });
  }
  entries.sort((a, b) => b.number - a.number);
  const items: WorkflowSummary[] = [];
  let next: { slot: number; number: number } | null = null;
  for (const entry of entries) {
    const { slot, number } = entry;
    const isSame = () => {
      return table.words[slot * table.slotWords + WORKFLOW_ID] !== 0 && workflows.all.number(slot) === number;
    };
    const summary = readSlot(table, slot, () => (isSame() ? read(slot) : null));
    if (summary === undefined || summary === null) continue;
    if (items.length === limit) return { items, next };
    items.push(summary);
    next = entry;
    const paused = pause();
    if (paused !== null) await paused;
  }
  return { items, next: null };
}
