/** The lists of the state as a walk takes them (list-walk.ts): all workflows, those of a phase, the tasks of an agent … */

import { LIST_AGENT, type Names } from '../state/names.js';
import type { SlotList } from '../state/slot-list.js';
import type { SlotTable } from '../state/slot-table.js';
import type { Tables } from '../state/tables.js';
import { TASK_AGENT, TASK_FIRST_LINE, TASK_ID, TASK_STATUS, TASK_WORKFLOW } from '../state/tasks.js';
import { WORKFLOW_ID, WORKFLOW_STATUS } from '../state/workflows.js';
import type { WalkedList } from './list-walk.js';
import type { NameKey } from './name-key.js';

export interface StateList extends WalkedList {
  readonly length: number;
}

export function allWorkflows({ workflows }: Tables): StateList {
  const { table, all, allHead } = workflows;
  return slotList(table, all, table.words, allHead, (slot) => isUsed(table, slot, WORKFLOW_ID));
}

export function workflowsOfStatus({ workflows }: Tables, status: number): StateList {
  const { table, byStatus } = workflows;
  const has = (slot: number) => {
    return isUsed(table, slot, WORKFLOW_ID) && wordOf(table, slot, WORKFLOW_STATUS) === status;
  };
  return slotList(table, byStatus, table.words, workflows.statusHead(status), has);
}

/** @param by one of the lists of `tables.workflows` @returns null where no workflow has this name */
export function workflowsOf(
  { workflows, names }: Tables,
  by: 'byPhase' | 'byProject' | 'byParent',
  key: NameKey,
): StateList | null {
  const ref = names.findSettled(key.view, 0, key.length, key.hash);
  if (ref === 0) return null;
  const { table } = workflows;
  const { word, list, slots } = workflows[by];
  const has = (slot: number) => isUsed(table, slot, WORKFLOW_ID) && holds(names, table, slot, word, ref, key);
  return slotList(table, slots, names.words, names.headOf(ref, list), has);
}

/** @returns null where no task has this agent */
export function tasksOfAgent({ tasks, names }: Tables, key: NameKey): StateList | null {
  const ref = names.findSettled(key.view, 0, key.length, key.hash);
  if (ref === 0) return null;
  const { table, byAgent } = tasks;
  const has = (slot: number) =>
    isUsed(table, slot, TASK_ID) && holds(names, table, slot, TASK_AGENT, ref, key);
  return slotList(table, byAgent, names.words, names.headOf(ref, LIST_AGENT), has);
}

export function tasksOfStatus({ tasks }: Tables, status: number): StateList {
  const { table, byStatus } = tasks;
  const has = (slot: number) => isUsed(table, slot, TASK_ID) && wordOf(table, slot, TASK_STATUS) === status;
  return slotList(table, byStatus, table.words, tasks.statusHead(status), has);
}

/** In the order of their first events. @param workflow its slot */
export function tasksOfWorkflow({ tasks }: Tables, workflow: number): StateList {
  const { table } = tasks;
  return {
    table,
    order: 1,
    length: tasks.held(workflow),
    first: () => tasks.first(workflow),
    next: (slot) => tasks.next(slot),
    has: (slot) => isUsed(table, slot, TASK_ID) && wordOf(table, slot, TASK_WORKFLOW) === workflow,
    number: (slot) => table.doubles[slot * table.slotDoubles + TASK_FIRST_LINE]!,
  };
}

/** All tasks, by their slots: a task keeps its slot, so a cursor is the slot alone. */
export function allTasks({ tasks }: Tables): StateList {
  const { table } = tasks;
  return {
    table,
    order: -1,
    length: tasks.used,
    first: () => table.top - 1,
    next: (slot) => slot - 1,
    // A slot without a task stands in the list, too: it is passed over by what is asked of it.
    has: () => true,
    number: (slot) => slot,
  };
}

function slotList(
  table: SlotTable,
  list: SlotList,
  heads: Int32Array,
  head: number,
  has: (slot: number) => boolean,
): StateList {
  return {
    table,
    order: -1,
    length: list.length(heads, head),
    first: () => list.newest(heads, head),
    next: (slot) => list.older(slot),
    has,
    number: (slot) => list.number(slot),
  };
}

/** Whether a word of a slot is this name: the reference may have been freed meanwhile, and be another one's. */
export function holds(
  names: Names,
  table: SlotTable,
  slot: number,
  word: number,
  ref: number,
  key: NameKey,
): boolean {
  return wordOf(table, slot, word) === ref && names.equals(ref, key.view, 0, key.length);
}

function wordOf(table: SlotTable, slot: number, word: number): number {
  return table.words[slot * table.slotWords + word]!;
}

/** Whether the slot has an entry at all. @param id the word of its id */
function isUsed(table: SlotTable, slot: number, id: number): boolean {
  return wordOf(table, slot, id) !== 0;
}
