/**
 * Where two states differ: cell by cell, workflow by workflow, task by task, client by client, by names and values. Where all used bytes are the
 * same, as they are when both were folded from the same lines, nothing else is looked at.
 */

import { isDeepStrictEqual } from 'node:util';
import { CELL_FIELDS, HOUR_BLOCKS, WINDOW_BLOCKS, WINDOW_OLDEST } from '../state/cells.js';
import { DenseHistogram } from '../state/dense-histogram.js';
import type { TableName } from '../state/layout.js';
import { LIMIT_NAMES } from '../state/limits.js';
import { REPORT_AGENT, REPORT_FIELDS, REPORT_PROJECT, REST_ROW } from '../state/reports.js';
import { SHARE_AGENT, SHARE_FIELDS, SHARE_WORKFLOW } from '../state/shares.js';
import { CLIENT_BYTES } from '../state/slot-bytes.js';
import type { SlotFields, SlotTable, WordName } from '../state/slot-table.js';
import type { Tables } from '../state/tables.js';
import { TASK_FIELDS, TASK_WORKFLOW } from '../state/tasks.js';
import { WORKFLOW_COVER, WORKFLOW_FIELDS, WORKFLOW_GROUPS, WORKFLOW_ID } from '../state/workflows.js';

export interface StateDifference {
  /** `workflow nightly-42`, `task w / a / t`, `cell task_tokens{agent="a"}`, `count task_restarts` … */
  readonly what: string;
  /** null: one of the two does not have it at all. */
  readonly field: string | null;
  readonly left: unknown;
  readonly right: unknown;
}

export interface StateDifferences {
  readonly count: number;
  /** The first ones. */
  readonly differences: readonly StateDifference[];
}

/** Of one block of the windows. */
const MOMENT_DOUBLES = 10;

/** In what way the memories compare, where their bytes do not: through one of those with entries, or as bytes. */
const COMPARED: Readonly<Record<TableName, 'entries' | 'through others' | 'bytes'>> = {
  board: 'entries',
  names: 'through others',
  namesIndex: 'through others',
  workflows: 'entries',
  workflowsIndex: 'through others',
  tasks: 'entries',
  tasksIndex: 'through others',
  cells: 'entries',
  cellsIndex: 'through others',
  buckets: 'through others',
  hourBuckets: 'through others',
  shares: 'entries',
  sharesIndex: 'through others',
  clients: 'entries',
  windowBuckets: 'through others',
  windowBlocks: 'through others',
  reports: 'entries',
  reportsIndex: 'through others',
};

/** @param differencesMax how many of them are described; all are counted */
export function compareStates(left: Tables, right: Tables, differencesMax: number): StateDifferences {
  const found = new Found(differencesMax);
  const differing = differingMemories(left, right);
  if (differing.length === 0) return found;
  compareBoards(left, right, found);
  compareLimits(left, right, found);
  compareSlots(workflowsOf(left), workflowsOf(right), found);
  compareSlots(tasksOf(left), tasksOf(right), found);
  compareSlots(sharesOf(left), sharesOf(right), found);
  compareSlots(cellsOf(left), cellsOf(right), found);
  compareSlots(reportsOf(left), reportsOf(right), found);
  compareClients(left, right, found);
  for (const name of differing) {
    if (COMPARED[name] === 'bytes') found.add(`table ${name}`, 'bytes', 'other bytes', 'other bytes');
  }
  return found;
}

class Found implements StateDifferences {
  readonly #max: number;
  readonly differences: StateDifference[] = [];
  count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(what: string, field: string | null, left: unknown, right: unknown): void {
    if (this.count++ < this.#max) this.differences.push({ what, field, left, right });
  }
}

/** Indexes tell how often they were cleared, so they are left out: what they lead to is compared. */
function differingMemories(left: Tables, right: Tables): TableName[] {
  const ranges = Object.entries(left.usedRanges()) as [TableName, number][];
  const others = right.usedRanges();
  return ranges.flatMap(([name, bytes]) => {
    if (name.endsWith('Index')) return [];
    const a = Buffer.from(left.memory[name].buffer, left.memory[name].byteOffset, bytes);
    const b = Buffer.from(right.memory[name].buffer, right.memory[name].byteOffset, bytes);
    return bytes === others[name] && a.equals(b) ? [] : [name];
  });
}

function compareLimits({ limits: left }: Tables, { limits: right }: Tables, found: Found): void {
  for (const name of LIMIT_NAMES) {
    if (left[name] !== right[name]) found.add('limit', name, left[name], right[name]);
  }
}

function compareBoards({ board: left }: Tables, { board: right }: Tables, found: Found): void {
  if (left.line !== right.line) found.add('state', 'last line', left.line, right.line);
  if (left.arrivedUs !== right.arrivedUs) {
    found.add('state', 'last arrival', left.arrivedUs / 1e6, right.arrivedUs / 1e6);
  }
  if (left.hour !== right.hour) found.add('state', 'hour', left.hour, right.hour);
  if (left.hourBefore !== right.hourBefore) {
    found.add('state', 'hour before', left.hourBefore, right.hourBefore);
  }
  if (left.ticks !== right.ticks) found.add('state', 'last tick', left.ticks, right.ticks);
  const counts = right.counts();
  for (const [name, count] of Object.entries(left.counts())) {
    const other = counts[name as keyof typeof counts];
    if (count !== other) found.add(`count ${name}`, 'value', count, other);
  }
}

/**
 * Clients are no fold of the lines: refused lines are numbered too, and the log says the numbers at the ends of frames only. So
 * the left side, folded from the log, may know less, and what it does know the right side must have reached.
 */
function compareClients({ clients: left }: Tables, right: Tables, found: Found): void {
  const isFull = right.clients.usedBytes + CLIENT_BYTES > right.memory.clients.byteLength;
  for (let slot = 1; slot < left.usedBytes / CLIENT_BYTES; slot++) {
    const id = left.idOf(slot);
    if (id.length === 0) continue;
    const name = `client ${Buffer.from(id).toString('utf8')}`;
    const other = right.clients.find(id);
    if (other === 0) {
      // Where there is no room for all, others are forgotten.
      if (!isFull) found.add(name, null, 'there', 'missing');
    } else if (
      left.lastLine(slot) > right.clients.lastLine(other) &&
      left.activeUs(slot) >= right.clients.activeUs(other)
    ) {
      found.add(name, 'line', left.lastLine(slot), right.clients.lastLine(other));
    }
  }
}

/** The entries of one table, with what their words mean. */
interface Entries {
  readonly tables: Tables;
  readonly table: SlotTable;
  readonly fields: SlotFields;
  /** A word that is 0 in a slot that is not in use; null: all below the top are. */
  readonly keyWord: number | null;
  /** The entry's name: the same in both states. */
  readonly nameOf: (slot: number) => string;
  /** What belongs to it and lies elsewhere. */
  readonly more: (slot: number) => Readonly<Record<string, unknown>>;
}

function workflowsOf(tables: Tables): Entries {
  const { table } = tables.workflows;
  const nameOf = (slot: number) => `workflow ${text(tables, table, slot, WORKFLOW_ID)}`;
  const more = (slot: number) => ({
    'lines of groups': doublesOf(tables, table, slot, WORKFLOW_GROUPS, 1, 1),
    'time covered by forgotten tasks': doublesOf(tables, table, slot, WORKFLOW_COVER, 4, 2),
  });
  return { tables, table, fields: WORKFLOW_FIELDS, keyWord: WORKFLOW_ID, nameOf, more };
}

/** A block of doubles whose first one says how many entries follow its head; null: the slot has none. */
function doublesOf(
  { names }: Tables,
  { words, slotWords }: SlotTable,
  slot: number,
  word: number,
  headDoubles: number,
  entryDoubles: number,
): number[] | null {
  const ref = words[slot * slotWords + word]!;
  if (ref === 0) return null;
  const first = ref + 1;
  return [...names.doubles.slice(first, first + headDoubles + entryDoubles * names.doubles[first]!)];
}

function sharesOf(tables: Tables): Entries {
  const { table } = tables.shares;
  const nameOf = (slot: number) => {
    const workflow = table.words[slot * table.slotWords + SHARE_WORKFLOW]!;
    const owner = workflow === 0 ? '-' : text(tables, tables.workflows.table, workflow, WORKFLOW_ID);
    return `share ${owner} / ${text(tables, table, slot, SHARE_AGENT)}`;
  };
  return { tables, table, fields: SHARE_FIELDS, keyWord: SHARE_AGENT, nameOf, more: () => ({}) };
}

/** A row is never given back, so all below the top are in use; the one of the rest has no names. */
function reportsOf(tables: Tables): Entries {
  const { table } = tables.reports;
  const nameOf = (row: number) =>
    `report ${text(tables, table, row, REPORT_PROJECT)} / ${text(tables, table, row, REPORT_AGENT)} / ${row === REST_ROW}`;
  return { tables, table, fields: REPORT_FIELDS, keyWord: null, nameOf, more: () => ({}) };
}

function tasksOf(tables: Tables): Entries {
  const { table } = tables.tasks;
  const [id, agent] = ['task', 'agent'].map((name) => wordOf(TASK_FIELDS, name));
  const nameOf = (slot: number) => {
    const workflow = table.words[slot * table.slotWords + TASK_WORKFLOW]!;
    const owner = workflow === 0 ? '-' : text(tables, tables.workflows.table, workflow, WORKFLOW_ID);
    return `task ${owner} / ${text(tables, table, slot, agent!)} / ${text(tables, table, slot, id!)}`;
  };
  return { tables, table, fields: TASK_FIELDS, keyWord: id!, nameOf, more: () => ({}) };
}

function cellsOf(tables: Tables): Entries {
  const { cells, buckets, hourBuckets, windowBuckets, names } = tables;
  const { table } = cells;
  const keyWord = wordOf(CELL_FIELDS, 'metric');
  const nameOf = (slot: number) => {
    const refs = cells.labels(slot);
    const labels: string[] = [];
    for (let i = 0; i < refs.length; i += 2) {
      labels.push(`${names.text(refs[i]!)}=${JSON.stringify(names.text(refs[i + 1]!))}`);
    }
    return `cell ${text(tables, table, slot, keyWord)}{${labels.sort().join(',')}}`;
  };
  const more = (slot: number) => {
    const at = slot * table.slotWords;
    const windows = [0, 1, 2, 3].map((level) => blocksOf(tables, table.words[at + WINDOW_OLDEST + level]!));
    return {
      histogram: histogramOf((dense) => buckets.collect(cells.blocks(slot), dense)),
      'open hour': histogramOf((dense) => hourBuckets.collect(table.words[at + HOUR_BLOCKS]!, dense)),
      'open window': histogramOf((dense) => windowBuckets.collect(table.words[at + WINDOW_BLOCKS]!, dense)),
      windows,
    };
  };
  return { tables, table, fields: CELL_FIELDS, keyWord, nameOf, more };
}

/** The slots of time that a cell keeps of one width, oldest first: each with its moments and its histogram. */
function blocksOf({ windowBlocks }: Tables, oldest: number): unknown[] {
  const found: unknown[] = [];
  for (let block = oldest; block !== 0; block = windowBlocks.newer(block)) {
    const moments = new Float64Array(MOMENT_DOUBLES);
    const histogram = histogramOf((dense) => windowBlocks.read(block, moments, dense));
    found.push({ slot: windowBlocks.slot(block), moments: [...moments], histogram });
  }
  return found;
}

function histogramOf(collect: (dense: DenseHistogram) => void): Map<number, number> {
  const dense = new DenseHistogram();
  collect(dense);
  const histogram = new Map<number, number>();
  for (let key = dense.next(-1); key >= 0; key = dense.next(key)) histogram.set(key, dense.counts[key]!);
  return histogram;
}

function compareSlots(left: Entries, right: Entries, found: Found): void {
  const others = new Map<string, number>();
  for (const slot of slotsOf(right)) others.set(right.nameOf(slot), slot);
  for (const slot of slotsOf(left)) {
    const name = left.nameOf(slot);
    const other = others.get(name);
    others.delete(name);
    if (other === undefined) found.add(name, null, 'there', 'missing');
    else compareSlot(left, slot, right, other, name, found);
  }
  for (const name of others.keys()) found.add(name, null, 'missing', 'there');
}

function* slotsOf({ table, keyWord }: Entries): Generator<number> {
  for (let slot = 1; slot < table.top; slot++) {
    if (keyWord === null || table.words[slot * table.slotWords + keyWord] !== 0) yield slot;
  }
}

function compareSlot(
  left: Entries,
  slot: number,
  right: Entries,
  other: number,
  what: string,
  found: Found,
): void {
  const { fields } = left;
  const { slotWords } = left.table;
  for (let word = 0; word < slotWords; word++) {
    if (fields.places.includes(word)) continue;
    const name = nameIn(fields.names, word);
    if (name !== undefined) {
      const a = text(left.tables, left.table, slot, word);
      const b = text(right.tables, right.table, other, word);
      if (a !== b) found.add(what, name, a, b);
    } else if (left.table.words[slot * slotWords + word] !== right.table.words[other * slotWords + word]) {
      found.add(what, ...numberAt(left, slot, word), numberAt(right, other, word)[1]);
      // Both halves of a number of eight bytes are told as one.
      if (word % 2 === 0 && nameIn(fields.doubles, word >> 1) !== undefined) word++;
    }
  }
  const [a, b] = [left.more(slot), right.more(other)];
  for (const [name, value] of Object.entries(a)) {
    if (!isDeepStrictEqual(value, b[name])) found.add(what, name, describe(value), describe(b[name]));
  }
}

function nameIn(fields: readonly WordName[], at: number): string | undefined {
  return fields.find(([word]) => word === at)?.[1];
}

function numberAt({ table, fields }: Entries, slot: number, word: number): [name: string, value: number] {
  const double = nameIn(fields.doubles, word >> 1);
  if (double !== undefined) return [double, table.doubles[slot * table.slotDoubles + (word >> 1)]!];
  return [nameIn(fields.words, word) ?? `word ${word}`, table.words[slot * table.slotWords + word]!];
}

function describe(value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries([...value].sort(([a], [b]) => a - b)) : value;
}

function text({ names }: Tables, table: SlotTable, slot: number, word: number): string {
  return names.text(table.words[slot * table.slotWords + word]!);
}

function wordOf({ names }: SlotFields, name: string): number {
  return names.find(([, called]) => called === name)![0];
}
