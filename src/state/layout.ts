/**
 * The tables' shared memory. The fold alone writes it; queries read it from another thread, without a lock.
 *
 * Everything is a fixed-size slot in a part of shared memory that is as large as the limits allow. The system hands out its
 * pages on first touch and slots are taken from the bottom, so a small state costs little. A slot is read under a sequence
 * lock: its first word is odd while the fold changes it, and another number afterwards.
 *
 *   writer: store(seq, odd) · plain writes · store(seq, even)
 *   reader: load(seq), even? · plain reads · load(seq) the same? else again, a bounded number of times
 *
 * What a stale view can do: show the slot as it was before. It never shows half of a change.
 */

import type { Allocate, LinearMemory } from '../model/linear-memory.js';
import { allocatePart, type MemoryPart } from '../model/memory.js';
import { namesIndexBytes } from './names.js';
import {
  BUCKETS_BYTES,
  CELL_BYTES,
  CHUNK_BYTES,
  CLIENT_BYTES,
  OVERFLOW_CELLS,
  REPORT_BYTES,
  SHARE_BYTES,
  TASK_BYTES,
  WORKFLOW_BYTES,
} from './slot-bytes.js';
import { slotIndexBytes } from './slot-index.js';

export interface StateLimits {
  readonly maxLiveWorkflows: number;
  readonly maxRecentWorkflows: number;
  readonly maxTasksPerWorkflow: number;
  readonly maxTasks: number;
  readonly maxSeries: number;
  readonly seriesIdleMs: number;
  readonly windowBytes: number;
  readonly namesBytes: number;
  readonly staleAfterMs: number;
  readonly maxClients: number;
}

export interface TablesMemory {
  readonly limits: StateLimits;
  /** Which all parts lie in, so that the compiled fold can work on them (fold/wasm-events.ts); null: each lies in its own. */
  readonly linear: LinearMemory | null;
  readonly board: MemoryPart;
  readonly names: MemoryPart;
  readonly namesIndex: MemoryPart;
  readonly workflows: MemoryPart;
  readonly workflowsIndex: MemoryPart;
  readonly tasks: MemoryPart;
  readonly tasksIndex: MemoryPart;
  readonly shares: MemoryPart;
  readonly sharesIndex: MemoryPart;
  readonly cells: MemoryPart;
  readonly cellsIndex: MemoryPart;
  readonly buckets: MemoryPart;
  readonly hourBuckets: MemoryPart;
  readonly clients: MemoryPart;
  readonly windowBuckets: MemoryPart;
  readonly windowBlocks: MemoryPart;
  readonly reports: MemoryPart;
  readonly reportsIndex: MemoryPart;
}

/** All that the state consists of. */
export type TableName = Exclude<keyof TablesMemory, 'limits' | 'linear'>;

/**
 * Raise it with every change of what the bytes of a state mean that the sizes below do not show: the meaning of a word,
 * its place in a slot, the words that every state interns first. A checkpoint of another version is not read.
 */
export const STATE_VERSION = 2;
/** Bytes of a slot, a place or a word of each memory. */
export const STATE_LAYOUT: Readonly<Record<TableName, number>> = {
  board: 8,
  names: 8,
  namesIndex: 4,
  workflows: WORKFLOW_BYTES,
  workflowsIndex: 8,
  tasks: TASK_BYTES,
  tasksIndex: 8,
  shares: SHARE_BYTES,
  sharesIndex: 8,
  cells: CELL_BYTES,
  cellsIndex: 8,
  buckets: BUCKETS_BYTES,
  hourBuckets: BUCKETS_BYTES,
  clients: CLIENT_BYTES,
  windowBuckets: BUCKETS_BYTES,
  windowBlocks: CHUNK_BYTES,
  reports: REPORT_BYTES,
  reportsIndex: 8,
};

/** Typical cells spread over fewer octaves; one that needs more than are left counts on in its overflow. */
const OCTAVES_PER_CELL = 32;
/** The part of the windows' memory for the histograms of slots of time that are open: 4 to 6 octaves a cell at the defaults. */
const OPEN_WINDOWS_PART = 1 / 8;
const SHARES_MIN = 1024;
/** Room for the words that every state needs, and for some names beside them. */
const NAMES_BYTES_MIN = 80 * 1024;

export function workflowSlots(limits: StateLimits): number {
  return limits.maxLiveWorkflows + limits.maxRecentWorkflows + 2;
}

export function taskSlots({ maxTasks }: Pick<StateLimits, 'maxTasks'>): number {
  return maxTasks + 2;
}

/** Agents of forgotten tasks are few beside the tasks themselves. */
export function shareSlots({ maxTasks }: Pick<StateLimits, 'maxTasks'>): number {
  return Math.ceil(maxTasks / 8) + SHARES_MIN;
}

/** The heap of names. */
export function namesHeapBytes({ namesBytes }: Pick<StateLimits, 'namesBytes'>): number {
  return Math.max(namesBytes, NAMES_BYTES_MIN);
}

export function cellSlots(limits: Pick<StateLimits, 'maxSeries'>): number {
  return limits.maxSeries + OVERFLOW_CELLS + 1;
}

export function bucketBlocks(limits: Pick<StateLimits, 'maxSeries'>): number {
  return cellSlots(limits) * OCTAVES_PER_CELL;
}

/** Pairs of project and agent, and projects, with a row of their own in the reports; and the row of all others. */
export function reportRows(limits: Pick<StateLimits, 'maxSeries'>): number {
  return limits.maxSeries + 1;
}

/** Of the windows, for the histograms of open slots of time. The rest is for closed ones. */
export function openWindowsBytes({ windowBytes }: Pick<StateLimits, 'windowBytes'>): number {
  return Math.floor(windowBytes * OPEN_WINDOWS_PART);
}

/** What the tables may take of their memory under limits; in bytes, blocks, and slots with the head among them. */
export interface TableBounds {
  readonly namesBytes: number;
  readonly shareSlots: number;
  readonly bucketBlocks: number;
  readonly windowBucketBlocks: number;
  readonly windowBlocksBytes: number;
  readonly reportSlots: number;
}

export function tableBounds(
  limits: Pick<StateLimits, 'namesBytes' | 'maxTasks' | 'maxSeries' | 'windowBytes'>,
): TableBounds {
  const openBytes = openWindowsBytes(limits);
  return {
    namesBytes: namesHeapBytes(limits),
    shareSlots: shareSlots(limits) + 1,
    bucketBlocks: bucketBlocks(limits),
    windowBucketBlocks: Math.floor(openBytes / BUCKETS_BYTES),
    windowBlocksBytes: limits.windowBytes - openBytes,
    reportSlots: reportRows(limits) + 1,
  };
}

function indexMemory(allocate: Allocate, entries: number): MemoryPart {
  return allocate(slotIndexBytes(entries));
}

/** @param linear the memory that `allocate` takes it from, where that is one */
export function allocateTables(
  limits: StateLimits,
  allocate: Allocate = allocatePart,
  linear: LinearMemory | null = null,
): TablesMemory {
  const namesBytes = namesHeapBytes(limits);
  return {
    limits,
    linear,
    board: allocate(4096),
    names: allocate(namesBytes),
    namesIndex: allocate(namesIndexBytes(namesBytes)),
    workflows: allocate(workflowSlots(limits) * WORKFLOW_BYTES),
    workflowsIndex: indexMemory(allocate, workflowSlots(limits)),
    tasks: allocate(taskSlots(limits) * TASK_BYTES),
    tasksIndex: indexMemory(allocate, taskSlots(limits)),
    shares: allocate((shareSlots(limits) + 1) * SHARE_BYTES),
    sharesIndex: indexMemory(allocate, shareSlots(limits)),
    cells: allocate(cellSlots(limits) * CELL_BYTES),
    cellsIndex: indexMemory(allocate, cellSlots(limits)),
    buckets: allocate(bucketBlocks(limits) * BUCKETS_BYTES),
    hourBuckets: allocate(bucketBlocks(limits) * BUCKETS_BYTES),
    clients: allocate((limits.maxClients + 1) * CLIENT_BYTES),
    windowBuckets: allocate(openWindowsBytes(limits)),
    windowBlocks: allocate(limits.windowBytes - openWindowsBytes(limits)),
    reports: allocate((reportRows(limits) + 1) * REPORT_BYTES),
    reportsIndex: indexMemory(allocate, reportRows(limits)),
  };
}
