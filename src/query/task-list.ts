/** Tasks by what they are asked for, those of no workflow among them: as workflow-list.ts, and with their texts. */

import { readSlot, type Tables } from '../state/tables.js';
import { TASK_AGENT, TASK_ID, TASK_STATUS, TASK_WORKFLOW } from '../state/tasks.js';
import { WORKFLOW_ID } from '../state/workflows.js';
import { type NameKey, nameKey } from './name-key.js';
import { badCursor, formatCursor, type PageRequest, readPage } from './page.js';
import {
  allTasks,
  holds,
  type StateList,
  tasksOfAgent,
  tasksOfStatus,
  tasksOfWorkflow,
} from './state-lists.js';
import type { Texts } from './texts.js';
import { readTask, readTaskLines, type TaskReading, taskWithTexts } from './views.js';
import { shortest, statusOf } from './workflow-list.js';

/** Absent: any. All must hold. */
export interface TaskFilter {
  readonly workflow?: string;
  readonly agent?: string;
  readonly status?: string;
  readonly task?: string;
}

interface Found {
  readonly workflow: number;
  readonly reading: TaskReading;
}

/** @param texts null: without description, error and output */
export async function listTasks(
  tables: Tables,
  texts: Texts | null,
  filter: TaskFilter,
  { limit, cursor }: PageRequest,
): Promise<object> {
  const lists = listsOf(tables, filter);
  const name = cursor?.list ?? shortest(lists);
  if (!lists.has(name)) throw badCursor(formatCursor(name, cursor!));
  const list = lists.get(name)!;
  const read = reader(tables, filter);
  if (list === null || read === null) return { tasks: [], next_cursor: null };
  const page = await readPage(list, limit, cursor, read);
  const ids = workflowIds(tables, page.items);
  const readings = page.items.map(({ reading }) => reading);
  const lines = texts === null ? null : await readTaskLines(texts, readings);
  return {
    tasks: page.items.map(({ workflow, reading }) => ({
      workflow: ids.get(workflow) ?? null,
      ...(lines === null ? reading.view : taskWithTexts(reading, lines)),
    })),
    next_cursor: page.next === null ? null : formatCursor(name, page.next),
  };
}

function listsOf(tables: Tables, filter: TaskFilter): Map<string, StateList | null> {
  const lists = new Map<string, StateList | null>();
  if (filter.workflow !== undefined) {
    const slot = findWorkflow(tables, nameKey(filter.workflow));
    lists.set('workflow', slot === 0 ? null : tasksOfWorkflow(tables, slot));
  }
  if (filter.agent !== undefined) lists.set('agent', tasksOfAgent(tables, nameKey(filter.agent)));
  if (filter.status !== undefined) lists.set('status', tasksOfStatus(tables, statusOf(filter.status)));
  if (lists.size === 0) lists.set('all', allTasks(tables));
  return lists;
}

function findWorkflow({ workflows }: Tables, { view, length, hash }: NameKey): number {
  return workflows.findSettled(view, 0, length, hash);
}

/** What is wanted of a task, under its slot's lock; null: there is none that matches. */
function reader(tables: Tables, filter: TaskFilter): ((slot: number) => Found | null) | null {
  const { names, tasks } = tables;
  const { words, slotWords } = tasks.table;
  const conditions: ((slot: number) => boolean)[] = [(slot) => words[slot * slotWords + TASK_ID] !== 0];
  if (filter.workflow !== undefined) {
    const workflow = findWorkflow(tables, nameKey(filter.workflow));
    if (workflow === 0) return null;
    conditions.push((slot) => words[slot * slotWords + TASK_WORKFLOW] === workflow);
  }
  if (filter.status !== undefined) {
    const status = statusOf(filter.status);
    conditions.push((slot) => words[slot * slotWords + TASK_STATUS] === status);
  }
  if (filter.agent !== undefined) {
    const key = nameKey(filter.agent);
    const ref = names.findSettled(key.view, 0, key.length, key.hash);
    if (ref === 0) return null;
    conditions.push((slot) => holds(names, tasks.table, slot, TASK_AGENT, ref, key));
  }
  if (filter.task !== undefined) {
    const { view, length } = nameKey(filter.task);
    conditions.push((slot) => names.equals(words[slot * slotWords + TASK_ID]!, view, 0, length));
  }
  return (slot) => {
    if (!conditions.every((holdsFor) => holdsFor(slot))) return null;
    return { workflow: words[slot * slotWords + TASK_WORKFLOW]!, reading: readTask(tables, slot) };
  };
}

/** The ids of the workflows that tasks belong to, by slot. */
function workflowIds(tables: Tables, found: readonly Found[]): Map<number, string> {
  const { names, workflows } = tables;
  const { table } = workflows;
  const ids = new Map<number, string>();
  for (const { workflow } of found) {
    if (workflow === 0 || ids.has(workflow)) continue;
    const id = readSlot(table, workflow, () =>
      names.text(table.words[workflow * table.slotWords + WORKFLOW_ID]!),
    );
    if (id !== undefined && id !== '') ids.set(workflow, id);
  }
  return ids;
}
